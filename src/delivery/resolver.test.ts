import assert from 'node:assert/strict';
import { test } from 'node:test';
import { smallDirectory } from '../../test/support/directory.ts';
import { type DomainName, parseAddress, parseDomainName } from '../model/address.ts';
import { parseEnvelopeAddress } from '../model/envelopeAddress.ts';
import { Fault } from '../model/fault.ts';
import { createResolver, type Destination, type ResolverOptions } from './resolver.ts';
import { Undeliverable } from './undeliverable.ts';

const elsewhere = parseAddress('abc@kvt.dk');
const nowhere = parseAddress('nobody@kvt.dk');
assert.ok(elsewhere && nowhere);

const directory = smallDirectory(
  { name: 'kvt.dk', users: ['abc', 'kvt', 'with+plus', 'shut'], closed: ['shut'] },
  { name: 'catch.example', users: ['postmaster', 'abc'], unknownUsers: { kind: 'postmaster' } },
  { name: 'nopost.example', users: ['abc'], unknownUsers: { kind: 'postmaster' } },
  { name: 'other.example', users: [], unknownUsers: { kind: 'address', address: elsewhere } },
  { name: 'wrong.example', users: [], unknownUsers: { kind: 'address', address: nowhere } },
);

const usual: ResolverOptions = { directory, recipientDelimiter: '+', defaultDomain: undefined, foldSubdomains: false };

/** Accounts that keep nothing stand in parentheses, addresses elsewhere behind an arrow. */
function said(destination: Destination): string {
  if (destination.kind === 'forward') return `→ ${destination.address} by ${destination.by.name}`;
  const { name } = destination.account.mailbox;
  return destination.keeps ? name : `(${name})`;
}

async function answer(recipient: string, options: Partial<ResolverOptions> = {}): Promise<string> {
  const resolver = createResolver({ ...usual, ...options });
  const resolution = await resolver.resolve(recipient);
  if (resolution.outcome === 'deliver') return resolution.destinations.map(said).join(', ');
  return resolution.fault instanceof Undeliverable
    ? `${resolution.outcome} ${resolution.fault.status}`
    : `${resolution.outcome} ${resolution.fault.kind}`;
}

test('which mailbox a recipient means', async () => {
  const cases: [string, string][] = [
    ['abc@kvt.dk', 'abc@kvt.dk'],
    ['ABC@KVT.DK', 'abc@kvt.dk'],
    ['abc@kvt.dk.', 'abc@kvt.dk'],
    ['"abc"@kvt.dk', 'abc@kvt.dk'],
    ['"a\\bc"@kvt.dk', 'abc@kvt.dk'],
    ['abc+tag@kvt.dk', 'abc@kvt.dk'],
    ['abc+one+two@kvt.dk', 'abc@kvt.dk'],
    [`abc+${'x'.repeat(100)}@kvt.dk`, 'abc@kvt.dk'],
    ['with+plus@kvt.dk', 'with+plus@kvt.dk'], // the exact account comes first
    ['with+other@kvt.dk', 'refuse 5.1.1'],
    ['+abc@kvt.dk', 'refuse 5.1.1'],
    ['nobody@kvt.dk', 'refuse 5.1.1'],
    ['../abc@kvt.dk', 'refuse 5.1.1'],
    ['"../kvt.dk/abc"@kvt.dk', 'refuse 5.1.1'],
    ['__proto__@kvt.dk', 'refuse 5.1.1'],
    ['shut@kvt.dk', 'refuse 5.2.1'],
    ['shut+tag@kvt.dk', 'refuse 5.2.1'],
    ['nobody@catch.example', 'postmaster@catch.example'],
    ['../x@catch.example', 'postmaster@catch.example'],
    ['abc+tag@catch.example', 'abc@catch.example'],
    ['nobody@nopost.example', 'refuse 5.1.1'],
    ['any@other.example', 'abc@kvt.dk'],
    ['any@wrong.example', 'defer temporary'],
    ['abc@elsewhere.example', 'refuse 5.7.1'],
    ['abc@[127.0.0.1]', 'refuse 5.7.1'],
    ['abc@../kvt.dk', 'refuse 5.7.1'],
    ['abc', 'refuse 5.1.3'],
    ['', 'refuse 5.1.3'],
    ['@kvt.dk', 'refuse 5.1.3'],
    ['postmaster', 'refuse 5.1.3'],
  ];
  for (const [recipient, expected] of cases) assert.equal(await answer(recipient), expected, recipient);
});

const rich = smallDirectory(
  {
    name: 'kvt.dk',
    users: ['abc', 'kvt', 'shut', 'away', 'copies', 'self', 'ping', 'pong', 'gone', 'outside'],
    closed: ['shut'],
    rules: {
      away: { forward: ['kvt@kvt.dk'], keepsCopy: false },
      copies: { forward: ['kvt@kvt.dk', 'x@elsewhere.example'], keepsCopy: true },
      self: { forward: ['self@kvt.dk'], keepsCopy: false },
      ping: { forward: ['pong@kvt.dk'], keepsCopy: false },
      pong: { forward: ['ping@kvt.dk'], keepsCopy: false },
      gone: { forward: ['nobody@kvt.dk'], keepsCopy: false },
      outside: { forward: ['x@elsewhere.example', 'x@ELSEWHERE.example'], keepsCopy: false },
    },
    aliases: `
abc: kvt
info: abc, kvt, abc+tag, ABC@KVT.DK
out: x@elsewhere.example
both: abc, x@elsewhere.example
nest: info, out
twice: nest, info, both
a: b
b: a
half: a, kvt
dangling: nobody
partly: nobody, kvt
closed: shut
expired: kvt, :expires:2026-11-28
today: kvt, :expires:2026-11-29
ghost: ghost@empty.example
n1: n2
n2: n3
n3: n4
n4: n5
n5: n6
n6: n7
n7: n8
n8: n9
n9: n10
n10: n11
n11: kvt
sales-*: kvt
s*: abc
info-old*: kvt, :expires:2020-01-01
`,
  },
  { name: 'own.kvt.dk', users: ['abc'] },
  { name: 'alias.example', users: ['mine'], aliases: 'hers: mine\n', more: { aliasOf: domainOf('kvt.dk') } },
  { name: 'catch.alias.example', users: ['postmaster'], unknownUsers: { kind: 'postmaster' }, more: { aliasOf: domainOf('kvt.dk') } },
  { name: 'round.example', users: ['r'], more: { aliasOf: domainOf('trip.example') } },
  { name: 'trip.example', users: ['t'], more: { aliasOf: domainOf('round.example') } },
  { name: 'lost.example', users: [], more: { aliasOf: domainOf('nowhere.example') } },
  { name: 'folds.example', users: ['abc'], more: { foldsSubdomains: true } },
  { name: 'not.folds.example', users: ['abc'], more: { foldsSubdomains: false } },
  { name: 'list.example', users: [], aliases: 'postmaster: abc@kvt.dk\n', unknownUsers: { kind: 'postmaster' } },
  { name: 'empty.example', users: [] },
);

function domainOf(name: string): DomainName {
  const domain = parseDomainName(name);
  assert.ok(domain, name);
  return domain;
}

test('aliases, patterns, domains that stand for others, and mail that goes on', async () => {
  const cases: [string, string][] = [
    // Exact beats alias, alias beats tag, tag beats pattern.
    ['abc@kvt.dk', 'abc@kvt.dk'],
    ['info@kvt.dk', 'abc@kvt.dk, kvt@kvt.dk'],
    ['INFO@kvt.dk', 'abc@kvt.dk, kvt@kvt.dk'],
    ['info+tag@kvt.dk', 'abc@kvt.dk, kvt@kvt.dk'],
    ['sales-dk@kvt.dk', 'kvt@kvt.dk'],
    ['something@kvt.dk', 'abc@kvt.dk'],
    ['info-old1@kvt.dk', 'refuse 5.1.1'],
    ['out@kvt.dk', '→ x@elsewhere.example by kvt.dk'],
    ['both@kvt.dk', 'abc@kvt.dk, → x@elsewhere.example by kvt.dk'],
    ['twice@kvt.dk', 'abc@kvt.dk, kvt@kvt.dk, → x@elsewhere.example by kvt.dk'],
    // A slip of the owner's makes mail wait; what is right of an alias goes on.
    ['a@kvt.dk', 'defer 4.4.6'],
    ['half@kvt.dk', 'kvt@kvt.dk'],
    ['dangling@kvt.dk', 'defer temporary'],
    ['partly@kvt.dk', 'kvt@kvt.dk'],
    ['ghost@kvt.dk', 'defer temporary'],
    ['closed@kvt.dk', 'refuse 5.2.1'],
    ['n1@kvt.dk', 'defer 4.4.6'],
    ['n3@kvt.dk', 'kvt@kvt.dk'],
    // A day is over when it is over.
    ['expired@kvt.dk', 'refuse 5.1.1'],
    ['today@kvt.dk', 'kvt@kvt.dk'],
    // Forwards of accounts: nobody's mail is ever nowhere.
    ['away@kvt.dk', 'kvt@kvt.dk, (away@kvt.dk)'],
    ['copies@kvt.dk', 'kvt@kvt.dk, → x@elsewhere.example by kvt.dk, copies@kvt.dk'],
    ['self@kvt.dk', 'self@kvt.dk'],
    ['ping@kvt.dk', 'pong@kvt.dk, (ping@kvt.dk)'],
    ['gone@kvt.dk', 'gone@kvt.dk'],
    ['outside@kvt.dk', '→ x@elsewhere.example by kvt.dk, (outside@kvt.dk)'],
    // Alias domains: what they have themselves comes first, and their own rule for unknown users last.
    ['abc@alias.example', 'abc@kvt.dk'],
    ['abc+tag@alias.example', 'abc@kvt.dk'],
    ['mine@alias.example', 'mine@alias.example'],
    ['hers@alias.example', 'mine@alias.example'],
    ['info@alias.example', 'abc@kvt.dk, kvt@kvt.dk'],
    ['nobody@alias.example', 'refuse 5.1.1'],
    ['shut@alias.example', 'refuse 5.2.1'],
    ['nobody@catch.alias.example', 'postmaster@catch.alias.example'],
    ['abc@catch.alias.example', 'abc@kvt.dk'],
    ['t@round.example', 't@trip.example'],
    ['x@round.example', 'defer 4.4.6'],
    ['abc@lost.example', 'defer temporary'],
    // Subdomains: those that are domains of their own are themselves.
    ['abc@x.folds.example', 'abc@folds.example'],
    ['abc+tag@y.x.folds.example', 'abc@folds.example'],
    ['nobody@x.folds.example', 'refuse 5.1.1'],
    ['abc@x.not.folds.example', 'refuse 5.7.1'],
    ['abc@1.2.3.4.5.6.7.8.9.folds.example', 'refuse 5.7.1'],
    ['abc@x.kvt.dk', 'refuse 5.7.1'],
    ['kvt@own.kvt.dk', 'refuse 5.1.1'],
    ['anybody@list.example', 'abc@kvt.dk'],
  ];
  for (const [recipient, expected] of cases) assert.equal(await answer(recipient, { directory: rich }), expected, recipient);
  assert.equal(await answer('abc@x.kvt.dk', { directory: rich, foldSubdomains: true }), 'abc@kvt.dk');
  assert.equal(await answer('kvt@own.kvt.dk', { directory: rich, foldSubdomains: true }), 'refuse 5.1.1');
  assert.equal(await answer('abc@x.not.folds.example', { directory: rich, foldSubdomains: true }), 'refuse 5.7.1');
});

test('aliases that lead to ever more aliases are each looked at once', async () => {
  const names = Array.from({ length: 9 }, (_, n) => n);
  const width = 50;
  const wide = Array.from({ length: width }, (_, k) => k);
  const aliases = names
    .flatMap((n) => wide.map((k) => `l${n}x${k}: ${wide.map((m) => (n === 8 ? 'abc' : `l${n + 1}x${m}`)).join(', ')}\n`))
    .join('');
  let asked = 0;
  const directory = smallDirectory({ name: 'kvt.dk', users: ['abc'], aliases });
  const counted = {
    ...directory,
    alias: (address: Parameters<typeof directory.alias>[0]) => {
      asked += 1;
      return directory.alias(address);
    },
  };
  assert.equal(await answer('l0x0@kvt.dk', { directory: counted }), 'abc@kvt.dk');
  assert.equal(asked, 1 + 8 * width);
});

test('an alias that stands for more than anybody means is put off', async () => {
  const many = Array.from({ length: 400 }, (_, n) => `u${n}`);
  const aliases = `all: ${many.map((user) => `${user}a`).join(', ')}\n${many.map((user) => `${user}a: ${user}b\n${user}b: ${user}c\n${user}c: abc\n`).join('')}`;
  assert.equal(await answer('all@kvt.dk', { directory: smallDirectory({ name: 'kvt.dk', users: ['abc'], aliases }) }), 'defer 4.4.6');
});

test('the steps say where each address leads', async () => {
  const { steps } = await createResolver({ ...usual, directory: rich }).resolve('both@kvt.dk');
  assert.deepEqual(
    steps.map(({ rule, outcome }) => `${rule}: ${outcome}`),
    [
      'address: user both, domain kvt.dk',
      'domain: kvt.dk',
      'account: does not apply',
      'alias: both: abc@kvt.dk, x@elsewhere.example',
      'address: user abc, domain kvt.dk',
      'domain: kvt.dk',
      'account: abc@kvt.dk',
      'address: user x, domain elsewhere.example',
      'domain: not one of ours',
    ],
  );
});

test('tags by setting', async () => {
  assert.equal(await answer('abc-tag@kvt.dk', { recipientDelimiter: '-' }), 'abc@kvt.dk');
  assert.equal(await answer('abc+tag@kvt.dk', { recipientDelimiter: '-' }), 'refuse 5.1.1');
  assert.equal(await answer('abc+tag@kvt.dk', { recipientDelimiter: '' }), 'refuse 5.1.1');
});

test('the postmaster without a domain is the one of the default domain, RFC 5321 section 4.5.1', async () => {
  assert.equal(await answer('Postmaster', { defaultDomain: parseDomainName('catch.example') }), 'postmaster@catch.example');
});

test('a directory in trouble keeps the mail waiting', async () => {
  for (const thrown of [new Fault('temporary', 'internal error'), new Fault('permanent', 'internal error'), new TypeError('a slip')])
    assert.match(
      await answer('abc@kvt.dk', {
        directory: { ...directory, account: () => Promise.reject(thrown) },
      }),
      /^defer /,
    );
});

test('the steps say what was tried', async () => {
  const { steps } = await createResolver(usual).resolve('abc+tag@kvt.dk');
  assert.deepEqual(steps, [
    { rule: 'address', outcome: 'user abc+tag, domain kvt.dk' },
    { rule: 'domain', outcome: 'kvt.dk' },
    { rule: 'account', outcome: 'does not apply' },
    { rule: 'alias', outcome: 'does not apply' },
    { rule: 'user and tag', outcome: 'abc@kvt.dk' },
  ]);
});

test('mailboxes of an envelope, RFC 5321 section 4.1.2', () => {
  const cases: [string, string | undefined][] = [
    ['abc@kvt.dk', 'abc|kvt.dk'],
    ['"a@b"@kvt.dk', 'a@b|kvt.dk'],
    ['"a\\"b\\\\"@kvt.dk', 'a"b\\|kvt.dk'],
    ['a..b.@kvt.dk', 'a..b.|kvt.dk'], // not RFC 5321, but in use
    ['a@b@kvt.dk', undefined],
    ['""@kvt.dk', undefined],
    ['"a"b@kvt.dk', undefined],
    ['a b@kvt.dk', undefined],
    ['abc@', undefined],
  ];
  for (const [path, expected] of cases) {
    const address = parseEnvelopeAddress(path);
    assert.equal(address && `${address.local}|${address.domain}`, expected, path);
  }
});

test('an address of the internal domain names the user and the domain', async () => {
  const internalDomain = parseDomainName('deliver.invalid');
  const cases: [string, string][] = [
    ['abc--kvt.dk@deliver.invalid', 'abc@kvt.dk'],
    ['ABC+tag--KVT.dk@Deliver.Invalid.', 'abc@kvt.dk'],
    ['a--b--kvt.dk@deliver.invalid', 'refuse 5.1.1'],
    ['abc--none.example@deliver.invalid', 'refuse 5.7.1'],
    ['abc--../kvt.dk@deliver.invalid', 'refuse 5.7.1'],
    ['--kvt.dk@deliver.invalid', 'refuse 5.7.1'],
    ['abc@deliver.invalid', 'refuse 5.7.1'],
    ['abc--kvt.dk@x.deliver.invalid', 'refuse 5.7.1'],
    ['abc--kvt.dk@kvt.dk', 'refuse 5.1.1'],
  ];
  for (const [recipient, expected] of cases) assert.equal(await answer(recipient, { internalDomain }), expected, recipient);
  assert.equal(await answer('abc--kvt.dk@deliver.invalid'), 'refuse 5.7.1');
});
