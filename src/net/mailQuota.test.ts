/** What a full mailbox is to who hands us mail, reply by reply, and what the trace tells of it. RFC 5321 section 4.5.3.1.9, RFC 3463 section 3.3, RFC 1870. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type SmallDomain, smallDirectory } from '../../test/support/directory.ts';
import { envelope, mailboxNamed } from '../../test/support/mail.ts';
import { Client } from '../../test/support/socketDialogue.ts';
import { cannotSendOn, createPartialDeliveries, createResolver } from '../delivery/index.ts';
import type { TraceRecord } from '../delivery/trace/record.ts';
import { createDomainUsages } from '../maildrops/domainUsages.ts';
import { createMemoryStore } from '../maildrops/memory/index.ts';
import { createQuota } from '../maildrops/quota.ts';
import { silent } from '../model/log.ts';
import type { MaildropStore } from '../model/maildrop.ts';
import { disk } from '../os/disk.ts';
import { createSpeaker } from '../texts/speaker.ts';
import { startLmtpListener } from './lmtpListener.ts';
import { startSmtpReceiver } from './smtpReceiver.ts';

interface Parts {
  readonly service?: 'lmtp' | 'smtp';
  readonly whenFull?: 'defer' | 'refuse';
  readonly domain?: Partial<SmallDomain>;
}

async function house(t: TestContext, { service = 'lmtp', whenFull = 'defer', domain = {} }: Parts = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'lmtp-'));
  const store = createMemoryStore();
  const records: TraceRecord[] = [];
  const directory = smallDirectory({ name: 'kvt.dk', users: ['abc', 'kvt', 'ny'], rules: { abc: { quotaOctets: 1000 } }, ...domain });
  const inhabitants = { mailboxes: async () => ['abc@kvt.dk', 'kvt@kvt.dk', 'ny@kvt.dk'].map(mailboxNamed) };
  const domains = createDomainUsages({ inhabitants, store, clock: () => performance.now() });
  const quota = createQuota({ store, directory, domains, mailboxOctets: undefined, domainOctets: undefined });
  const listener = await (service === 'lmtp' ? startLmtpListener : startSmtpReceiver)({
    resolver: createResolver({ directory, recipientDelimiter: '+', defaultDomain: undefined, foldSubdomains: false }),
    store,
    limits: { quota, whenFull },
    trace: { note: (record) => void records.push(record) },
    sendOn: cannotSendOn,
    partial: createPartialDeliveries({ folder: join(folder, 'partial'), disk, log: silent, now: () => Date.UTC(2026, 10, 22, 12) }),
    speaker: createSpeaker(),
    log: silent,
    now: () => Date.UTC(2026, 10, 22, 12),
    clock: () => 0,
    hostname: 'mail.kvt.dk',
    spool: { disk, folder, name: () => 'x' },
    maxMessageOctets: 1_000_000,
    maxRecipients: 100,
    random: (octets) => Buffer.alloc(octets, 0xab),
    idleTimeoutMs: 60_000,
    maxConnections: 100,
    maxConnectionsPerSource: 100,
    listen: { host: '127.0.0.1', port: 0 },
  });
  const client = new Client({ host: '127.0.0.1', port: listener.port });
  t.after(async () => {
    await client.end();
    await listener.stop(0);
    rmSync(folder, { recursive: true });
  });
  return { store, records, client };
}

/** Octets that are there before. */
function fill(store: MaildropStore, name: string, octets: number): Promise<void> {
  return store.deliver(mailboxNamed(name), [Buffer.alloc(octets, 'x')], envelope);
}

const greeting = `S: 220 mail.kvt.dk LMTP
  C: LHLO mx.example
  S: 250-mail.kvt.dk
  S: 250-PIPELINING
  S: 250-8BITMIME
  S: 250-SMTPUTF8
  S: 250-ENHANCEDSTATUSCODES
  S: 250 SIZE 1000000`;

test('a full mailbox is told at RCPT, and only that one', async (t) => {
  const { store, client } = await house(t);
  await fill(store, 'abc@kvt.dk', 1000);
  await client.play(`${greeting}
    C: MAIL FROM:<ada@example.org>
    S: 250 2.1.0 Accepted
    C: RCPT TO:<abc@kvt.dk>
    S: 452 4.2.2 the mailbox is full
    C: RCPT TO:<abc+tag@kvt.dk>
    S: 452 4.2.2 the mailbox is full
    C: RCPT TO:<kvt@kvt.dk>
    S: 250 2.1.5 Accepted
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>
    C: Subject: x
    C: .
    S: 250 2.0.0 delivered as abababababab.1
    C: QUIT
    S: 221 2.0.0 Bye
    S: (closed)`);
});

test('as the host has set it, the mail goes back at once', async (t) => {
  const { store, client } = await house(t, { whenFull: 'refuse' });
  await fill(store, 'abc@kvt.dk', 1000);
  await client.play(`${greeting}
    C: MAIL FROM:<ada@example.org>
    S: 250 2.1.0 Accepted
    C: RCPT TO:<abc@kvt.dk>
    S: 552 5.2.2 the mailbox is full
    C: QUIT
    S: 221 2.0.0 Bye
    S: (closed)`);
});

test('a message whose SIZE can not fit is told at RCPT too; RFC 1870 section 6.3', async (t) => {
  const { store, client } = await house(t, { whenFull: 'refuse' });
  await fill(store, 'abc@kvt.dk', 400);
  await client.play(`${greeting}
    C: MAIL FROM:<ada@example.org> SIZE=601
    S: 250 2.1.0 Accepted
    C: RCPT TO:<abc@kvt.dk>
    S: 552 5.2.2 the mailbox is full
    C: RCPT TO:<kvt@kvt.dk>
    S: 250 2.1.5 Accepted
    C: RSET
    S: 250 2.0.0 Flushed
    C: MAIL FROM:<ada@example.org> SIZE=600
    S: 250 2.1.0 Accepted
    C: RCPT TO:<abc@kvt.dk>
    S: 250 2.1.5 Accepted
    C: QUIT
    S: 221 2.0.0 Bye
    S: (closed)`);
});

test('what turns out not to fit is told after the message, one reply for each recipient, and nothing of it stays', async (t) => {
  for (const [whenFull, reply] of [
    ['defer', '452 4.2.2 the mailbox is full'],
    ['refuse', '552 5.2.2 the mailbox is full'],
  ] as const) {
    await t.test(whenFull, async (t) => {
      const { store, client } = await house(t, { whenFull });
      await fill(store, 'abc@kvt.dk', 900);
      await client.play(`${greeting}
        C: MAIL FROM:<ada@example.org>
        S: 250 2.1.0 Accepted
        C: RCPT TO:<kvt@kvt.dk>
        S: 250 2.1.5 Accepted
        C: RCPT TO:<abc@kvt.dk>
        S: 250 2.1.5 Accepted
        C: RCPT TO:<ny@kvt.dk>
        S: 250 2.1.5 Accepted
        C: DATA
        S: 354 End data with <CR><LF>.<CR><LF>
        C: Subject: ${'x'.repeat(100)}
        C: .
        S: 250 2.0.0 delivered as abababababab.1
        S: ${reply}
        S: 250 2.0.0 delivered as abababababab.1
        C: QUIT
        S: 221 2.0.0 Bye
        S: (closed)`);
      assert.deepEqual(await store.usage(mailboxNamed('abc@kvt.dk')), { octets: 900, messages: 1 });
    });
  }
});

test('a domain without room takes nothing for any of its mailboxes', async (t) => {
  const { store, client } = await house(t, { domain: { more: { quotaOctets: 500 } } });
  await fill(store, 'ny@kvt.dk', 500);
  await client.play(`${greeting}
    C: MAIL FROM:<ada@example.org>
    S: 250 2.1.0 Accepted
    C: RCPT TO:<kvt@kvt.dk>
    S: 452 4.2.2 the domain has no room left
    C: QUIT
    S: 221 2.0.0 Bye
    S: (closed)`);
});

test('an alias for a full mailbox and others: they get it once, and the mail waits for the one that is full', async (t) => {
  const { store, client } = await house(t, { domain: { aliases: 'all: kvt, abc\njust: abc\n' } });
  await fill(store, 'abc@kvt.dk', 1000);
  for (const isFirst of [true, false]) {
    await client.play(`${isFirst ? greeting : ''}
      C: MAIL FROM:<ada@example.org> SIZE=200
      S: 250 2.1.0 Accepted
      C: RCPT TO:<just@kvt.dk>
      S: 452 4.2.2 the mailbox is full
      C: RCPT TO:<all@kvt.dk>
      S: 250 2.1.5 Accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: x
      C: .
      S: 452 4.2.2 the mailbox is full`);
  }
  assert.equal((await store.usage(mailboxNamed('kvt@kvt.dk'))).messages, 1);
});

test('SMTP says the same, and has one reply for all', async (t) => {
  const { store, client } = await house(t, { service: 'smtp', whenFull: 'refuse' });
  await fill(store, 'abc@kvt.dk', 900);
  await client.play(`S: 220 mail.kvt.dk ESMTP
    C: EHLO mx.example
    S: 250-mail.kvt.dk
    S: 250-PIPELINING
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-ENHANCEDSTATUSCODES
    S: 250 SIZE 1000000
    C: MAIL FROM:<ada@example.org> SIZE=101
    S: 250 2.1.0 Accepted
    C: RCPT TO:<abc@kvt.dk>
    S: 552 5.2.2 the mailbox is full
    C: RSET
    S: 250 2.0.0 Flushed
    C: MAIL FROM:<ada@example.org>
    S: 250 2.1.0 Accepted
    C: RCPT TO:<abc@kvt.dk>
    S: 250 2.1.5 Accepted
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>
    C: Subject: ${'x'.repeat(100)}
    C: .
    S: 552 5.2.2 the mailbox is full
    C: QUIT
    S: 221 2.0.0 Bye
    S: (closed)`);
});

test('the trace has each recipient: what it was, the rules that led on, where to, and why not', async (t) => {
  const { store, client, records } = await house(t, { domain: { aliases: 'all: kvt, ny\n' } });
  await fill(store, 'abc@kvt.dk', 1000);
  await client.play(`${greeting}
    C: MAIL FROM:<ada@example.org>
    S: 250 2.1.0 Accepted
    C: RCPT TO:<nobody@kvt.dk> ORCPT=rfc822;info@kvt.dk
    S: 550 5.1.1 no such user here
    C: RCPT TO:<abc@kvt.dk>
    S: 452 4.2.2 the mailbox is full
    C: RCPT TO:<all@kvt.dk> ORCPT=rfc822;everybody@kvt.dk
    S: 250 2.1.5 Accepted
    C: RCPT TO:<kvt+tag@kvt.dk>
    S: 250 2.1.5 Accepted
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>
    C: Received: from a by mx.example (Postfix)
    C:  with ESMTP id 4Bd2Xy3Z1kz9sT; Sun, 22 Nov 2026 12:00:00 +0000
    C: Message-ID: <1@example.org>
    C: Subject: x
    C: .
    S: 250 2.0.0 delivered as abababababab.1
    S: 250 2.0.0 delivered as abababababab.1
    C: QUIT
    S: 221 2.0.0 Bye
    S: (closed)`);
  const common = { time: '2026-11-22T12:00:00.000Z', sender: 'ada@example.org', client: '127.0.0.1' };
  const refused = { ...common, id: 'abababababab', to: [], ms: undefined };
  const whole = {
    ...common,
    result: 'delivered',
    id: 'abababababab.1',
    queueId: '4Bd2Xy3Z1kz9sT',
    messageId: '<1@example.org>',
    octets: 147,
    why: undefined,
    ms: 0,
  };
  assert.deepEqual(
    records.map(({ steps: _, ...record }) => record),
    [
      { ...refused, result: 'refused', recipient: 'nobody@kvt.dk', original: 'info@kvt.dk', why: '5.1.1 no such user here' },
      { ...refused, result: 'deferred', recipient: 'abc@kvt.dk', original: undefined, why: '4.2.2 the mailbox is full' },
      { ...whole, recipient: 'all@kvt.dk', original: 'everybody@kvt.dk', to: ['kvt@kvt.dk', 'ny@kvt.dk'] },
      { ...whole, recipient: 'kvt+tag@kvt.dk', original: undefined, to: ['kvt@kvt.dk'] },
    ],
  );
  assert.deepEqual(
    records.map(({ steps }) => steps.map(([rule]) => rule).filter((rule) => rule !== 'address' && rule !== 'domain')),
    [['refuse'], ['account'], ['alias', 'account', 'account'], ['user and tag']],
  );
});
