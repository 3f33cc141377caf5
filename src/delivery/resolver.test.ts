import assert from 'node:assert/strict';
import { test } from 'node:test';
import { smallDirectory } from '../../test/support/directory.ts';
import { parseAddress, parseDomainName } from '../model/address.ts';
import { Fault } from '../model/fault.ts';
import { parseEnvelopeAddress } from './envelopeAddress.ts';
import { createResolver, type ResolverOptions } from './resolver.ts';
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

async function answer(recipient: string, options: Partial<ResolverOptions> = {}): Promise<string> {
  const resolver = createResolver({ directory, recipientDelimiter: '+', defaultDomain: undefined, ...options });
  const resolution = await resolver.resolve(recipient);
  if (resolution.outcome === 'deliver') return resolution.account.mailbox.name;
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
        directory: {
          account: () => Promise.reject(thrown),
          domain: directory.domain,
        },
      }),
      /^defer /,
    );
});

test('the steps say what was tried', async () => {
  const { steps } = await createResolver({ directory, recipientDelimiter: '+', defaultDomain: undefined }).resolve('abc+tag@kvt.dk');
  assert.deepEqual(steps, [
    { rule: 'address', outcome: 'user abc+tag, domain kvt.dk' },
    { rule: 'domain', outcome: 'kvt.dk' },
    { rule: 'account', outcome: 'does not apply' },
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
