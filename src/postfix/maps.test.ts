import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { smallDirectory } from '../../test/support/directory.ts';
import { parseDomainName } from '../model/address.ts';
import { Fault } from '../model/fault.ts';
import { type MapName, mapNames } from '../model/lookupMaps.ts';
import { createAddresses } from './addresses.ts';
import { createMaps } from './maps.ts';
import { lmtpTransport } from './transport.ts';

const small = smallDirectory(
  { name: 'kvt.dk', users: ['abc', 'kvt', 'shut', 'mute', 'a,b', 'a@b'], closed: ['shut'], mute: ['mute'] },
  { name: 'catch.example', users: ['postmaster'], unknownUsers: { kind: 'postmaster' } },
  {
    name: 'rules.example',
    users: ['copy', 'away', 'mailer', 'plain'],
    mute: ['mailer'],
    rules: {
      copy: { forward: ['ada@example.org', 'plain@rules.example'], keepsCopy: true },
      away: { forward: ['ada@example.org'], keepsCopy: false },
    },
    aliases: [
      'both: copy, plain@rules.example, bob@example.org',
      'shop-*: plain, mailer',
      'expired: plain, :expires:2026-11-28',
      'loop: loop2',
      'loop2: loop',
    ].join('\n'),
    more: { foldsSubdomains: true },
  },
  { name: 'alias.example', users: ['own'], more: { aliasOf: parseDomainName('rules.example') } },
);
const directory = {
  ...small,
  async domain(name: Parameters<typeof small.domain>[0]) {
    if (name === 'broken.example') throw new Fault('temporary', 'accounts can not be looked up just now');
    return small.domain(name);
  },
};
const resolverOptions = { directory, recipientDelimiter: '+', defaultDomain: undefined, foldSubdomains: false };
const maps = createMaps({
  addresses: createAddresses(resolverOptions),
  recentLogins: { has: (address) => address === '192.0.2.7' || address === '2001:db8::7' },
  transport: 'lmtp:unix:/run/lmtp',
});

async function holds(map: MapName, cases: readonly (readonly [key: string, value: string | undefined])[]): Promise<void> {
  for (const [key, value] of cases) assert.equal(await maps[map](key), value, `${map} ${key}`);
}

test('domains: each domain of ours', async () => {
  await holds('domains', [
    ['kvt.dk', 'OK'],
    ['KVT.DK', 'OK'],
    ['catch.example', 'OK'],
    ['alias.example', 'OK'],
    ['x.rules.example', 'OK'],
    ['elsewhere.example', undefined],
    ['x.kvt.dk', undefined],
    ['.kvt.dk', undefined],
    ['abc@kvt.dk', undefined],
    ['../kvt.dk', undefined],
    ['', undefined],
    ['*', undefined],
  ]);
  await assert.rejects(maps.domains('broken.example'), Fault);
});

test('mailboxes: each address that mail is taken for', async () => {
  await holds('mailboxes', [
    ['abc@kvt.dk', 'OK'],
    ['ABC@KVT.DK', 'OK'],
    ['abc+tag@kvt.dk', 'OK'],
    ['"abc"@kvt.dk', 'OK'],
    ['anything@catch.example', 'OK'],
    ['both@rules.example', 'OK'],
    ['shop-1@rules.example', 'OK'],
    ['expired@rules.example', undefined],
    ['away@rules.example', 'OK'],
    ['plain@alias.example', 'OK'],
    ['plain@x.rules.example', 'OK'],
    ['nobody@alias.example', undefined],
    ['nobody@kvt.dk', undefined],
    ['shut@kvt.dk', undefined],
    ['mute@kvt.dk', 'OK'],
    ['@kvt.dk', undefined],
    ['kvt.dk', undefined],
    ['abc', undefined],
    ['postmaster', undefined],
    ['../abc@kvt.dk', undefined],
    ['abc@elsewhere.example', undefined],
    ['', undefined],
  ]);
  // What somebody has got wrong makes mail wait.
  await assert.rejects(maps.mailboxes('loop@rules.example'), Fault);
  await assert.rejects(maps.mailboxes('abc@broken.example'), Fault);
});

test('aliases: what an address expands to, where that is not itself', async () => {
  await holds('aliases', [
    ['abc@kvt.dk', undefined],
    ['ABC@KVT.DK', undefined],
    ['abc+tag@kvt.dk', 'abc@kvt.dk'],
    ['anything@catch.example', 'postmaster@catch.example'],
    ['postmaster@catch.example', undefined],
    ['nobody@kvt.dk', undefined],
    ['shut@kvt.dk', undefined],
    ['@catch.example', undefined],
    ['abc', undefined],
    ['abc@elsewhere.example', undefined],
    ['"a,b+tag"@kvt.dk', '"a,b"@kvt.dk'],
    ['"a,b"@kvt.dk', undefined],
    ['both@rules.example', 'ada@example.org, plain@rules.example, copy@rules.example, bob@example.org'],
    ['copy@rules.example', 'ada@example.org, plain@rules.example, copy@rules.example'],
    ['away@rules.example', 'ada@example.org'],
    ['plain@alias.example', 'plain@rules.example'],
    ['own@alias.example', undefined],
    ['plain@x.rules.example', 'plain@rules.example'],
    ['nobody@alias.example', undefined],
  ]);
  await assert.rejects(maps.aliases('loop@rules.example'), Fault);
  await assert.rejects(maps.aliases('abc@broken.example'), Fault);
});

test('asking for what an alias expands to comes to an end', async () => {
  const starts = ['abc+tag@kvt.dk', '"a,b+tag"@kvt.dk', '"a@b+tag"@kvt.dk', 'both@rules.example', 'plain@alias.example', 'x@catch.example'];
  for (const start of starts) {
    const seen = new Set<string>();
    const ask = async (key: string): Promise<void> => {
      if (seen.has(key)) return;
      seen.add(key);
      for (const next of (await maps.aliases(key))?.split(', ') ?? []) await ask(next);
    };
    await ask(start);
    // The address itself, and each that it stands for: nothing new comes of those.
    assert.equal(seen.size, 1 + ((await maps.aliases(start))?.split(', ').length ?? 0), start);
  }
});

test('alias-domains: domains that have the users of another', async () => {
  await holds('alias-domains', [
    ['alias.example', 'OK'],
    ['ALIAS.example', 'OK'],
    ['rules.example', undefined],
    ['elsewhere.example', undefined],
  ]);
  await assert.rejects(maps['alias-domains']('broken.example'), Fault);
});

test('transport: where mail for a domain of ours goes', async () => {
  await holds('transport', [
    ['kvt.dk', 'lmtp:unix:/run/lmtp'],
    ['elsewhere.example', undefined],
    ['abc@kvt.dk', undefined],
    ['.kvt.dk', undefined],
    ['*', undefined],
  ]);
  await assert.rejects(maps.transport('broken.example'), Fault);
});

test('the transport is the LMTP listener as transport(5) writes it', () => {
  assert.equal(lmtpTransport(undefined), undefined);
  assert.equal(lmtpTransport({ kind: 'unix', path: '/run/lmtp' }), 'lmtp:unix:/run/lmtp');
  assert.equal(lmtpTransport({ kind: 'tcp', host: '127.0.0.1', port: 24 }), 'lmtp:inet:[127.0.0.1]:24');
  assert.equal(lmtpTransport({ kind: 'tcp', host: '::1', port: 24 }), 'lmtp:inet:[::1]:24');
  assert.equal(lmtpTransport({ kind: 'tcp', host: '0.0.0.0', port: 24 }), 'lmtp:inet:[127.0.0.1]:24');
  assert.equal(lmtpTransport({ kind: 'tcp', host: '::', port: 24 }), 'lmtp:inet:[::1]:24');
  assert.equal(lmtpTransport({ kind: 'tcp', host: '127.0.0.1', port: 0 }), undefined);
});

test('senders: the logins that may send as an address', async () => {
  await holds('senders', [
    ['abc@kvt.dk', 'abc@kvt.dk'],
    ['ABC+tag@KVT.DK', 'abc@kvt.dk'],
    ['anything@catch.example', 'postmaster@catch.example'],
    // It takes no mail, and may send.
    ['shut@kvt.dk', 'shut@kvt.dk'],
    ['mute@kvt.dk', undefined],
    ['nobody@kvt.dk', undefined],
    // Who gets a copy of somebody's mail may not send for that one.
    ['copy@rules.example', 'copy@rules.example'],
    ['away@rules.example', 'away@rules.example'],
    ['both@rules.example', 'copy@rules.example,plain@rules.example'],
    ['shop-1@rules.example', 'plain@rules.example'],
    ['plain@alias.example', 'plain@rules.example'],
    ['plain@x.rules.example', 'plain@rules.example'],
    ['', undefined],
    ['@kvt.dk', undefined],
    ['abc', undefined],
    ['ada@example.org', undefined],
    // Postfix would read two logins.
    ['"a,b"@kvt.dk', undefined],
  ]);
  await assert.rejects(maps.senders('abc@broken.example'), Fault);
});

test('recent logins: whole IP addresses only', async () => {
  await holds('recent-logins', [
    ['192.0.2.7', 'OK'],
    ['::ffff:192.0.2.7', 'OK'],
    ['2001:db8::7', 'OK'],
    ['192.0.2.8', undefined],
    ['192.0.2', undefined],
    ['192.0', undefined],
    ['192', undefined],
    ['2001:db8', undefined],
    ['2001:db8:', undefined],
    ['host.example.org', undefined],
    ['unknown', undefined],
    ['', undefined],
  ]);
});

test('odd keys are in no table', async () => {
  const odd = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('\0@kvt.dk', '../../etc/passwd', 'a/b@kvt.dk', '__proto__', `${'x'.repeat(70_000)}@kvt.dk`),
  );
  await fc.assert(
    fc.asyncProperty(odd, async (key) => {
      for (const map of mapNames) assert.equal(await maps[map](key), undefined, map);
    }),
  );
});
