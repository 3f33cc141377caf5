import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { smallDirectory } from '../../test/support/directory.ts';
import { parseAddress } from '../model/address.ts';
import type { Account } from '../model/directory.ts';
import type { Envelope } from '../model/envelope.ts';
import { Fault } from '../model/fault.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { MaildropStore } from '../model/maildrop.ts';
import type { Octets } from '../model/octets.ts';
import { disk } from '../os/disk.ts';
import { cannotSendOn, deliver, type Recipient, type Transaction } from './delivery.ts';
import { noPartialDeliveries } from './partialDeliveries.ts';
import { memoryLimitOctets, type ReceivedMessage, Spool } from './spool.ts';
import { traceFields } from './traceFields.ts';
import { Undeliverable } from './undeliverable.ts';

const directory = smallDirectory({ name: 'kvt.dk', users: ['abc', 'kvt', 'full'] });

async function accountOf(name: string): Promise<Account> {
  const address = parseAddress(name);
  const account = address && (await directory.account(address));
  assert.ok(account, name);
  return account;
}

async function recipients(...names: (string | [string, string])[]): Promise<Recipient[]> {
  return Promise.all(
    names.map(async (name) => {
      const [address, original] = typeof name === 'string' ? [name, undefined] : name;
      const account = await accountOf(address.replace(/\+[^@]*/, ''));
      return { address, original, destinations: [{ kind: 'account', account, keeps: true }] };
    }),
  );
}

async function collect(octets: Octets): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of octets) pieces.push(piece);
  return Buffer.concat(pieces).toString('latin1');
}

function collector() {
  const kept: { mailbox: string; text: string; envelope: Envelope }[] = [];
  const store: MaildropStore = {
    async deliver(mailbox: Mailbox, message, envelope) {
      if (mailbox.user === 'full') throw new Fault('over-quota', 'internal error');
      kept.push({ mailbox: mailbox.name, text: await collect(message), envelope });
    },
    open: () => Promise.reject(new Error('not asked for')),
    usage: async () => ({ octets: 0 }),
    locate: () => Promise.reject(new Error('not asked for')),
  };
  return { store, kept };
}

const reception = { protocol: 'LMTP', clientName: 'mx.example', clientAddress: '192.0.2.7', hostname: 'mail.kvt.dk', id: 'a1b2.1' };
const receivedAt = new Date(Date.UTC(2026, 10, 22, 12, 0, 0));

function transactionOf(to: readonly Recipient[]): Transaction {
  return { sender: 'jens@jth.example', recipients: to, reception, receivedAt };
}

function inMemory(text: string): ReceivedMessage {
  const head = Buffer.from(text, 'latin1');
  return { octets: head.length, head, content: [head], close() {} };
}

const clock = () => 0;

/** The lines that delivery puts first, for abc@kvt.dk. */
function trace(address = 'abc@kvt.dk', original = address, mailbox = 'abc@kvt.dk'): string {
  return (
    'Return-Path: <jens@jth.example>\r\n' +
    `Delivered-To: ${mailbox}\r\n` +
    `X-Original-To: ${original}\r\n` +
    'Received: from mx.example ([192.0.2.7])\r\n' +
    '\tby mail.kvt.dk with LMTP id a1b2.1\r\n' +
    `\tfor <${address}>; Sun, 22 Nov 2026 12:00:00 +0000\r\n`
  );
}

test('trace fields come first, and whoever wrote them before is not believed', async () => {
  const { store, kept } = collector();
  const message =
    'Delivered-To: someone@else.example\r\nReceived: from a\r\n\tby b\r\nreturn-path:\r\n <forged@x.example>\r\nSubject: x\r\nRETURN-PATH: <again@x.example>\r\n' +
    '\r\nReturn-Path: in the body\r\n';
  const outcomes = await deliver(inMemory(message), transactionOf(await recipients('abc@kvt.dk')), {
    store,
    sendOn: cannotSendOn,
    partial: noPartialDeliveries,
    clock,
  });
  assert.deepEqual(outcomes, [{ fault: undefined, ms: 0 }]);
  assert.deepEqual(kept, [
    {
      mailbox: 'abc@kvt.dk',
      text: `${trace()}Received: from a\r\n\tby b\r\nSubject: x\r\n\r\nReturn-Path: in the body\r\n`,
      envelope: { sender: 'jens@jth.example', recipient: 'abc@kvt.dk', originalRecipient: 'abc@kvt.dk', receivedAt },
    },
  ]);
});

test('the original recipient: ORCPT, else what the deliverer put above the first Received, else RCPT; it is said once', async () => {
  const rest = 'Received: from a\r\nX-Original-To: forged@kvt.dk\r\n\r\n';
  const ours = `X-Original-To: alias@kvt.dk\r\n${rest}`;
  const cases: [string, string | [string, string], string][] = [
    [ours, 'abc@kvt.dk', 'alias@kvt.dk'],
    [ours, ['abc@kvt.dk', 'orcpt@kvt.dk'], 'orcpt@kvt.dk'],
    [rest, 'abc+tag@kvt.dk', 'abc+tag@kvt.dk'],
    ['\r\n', 'abc@kvt.dk', 'abc@kvt.dk'],
  ];
  for (const [message, recipient, original] of cases) {
    const { store, kept } = collector();
    await deliver(inMemory(message), transactionOf(await recipients(recipient)), {
      store,
      sendOn: cannotSendOn,
      partial: noPartialDeliveries,
      clock,
    });
    const address = typeof recipient === 'string' ? recipient : recipient[0];
    assert.equal(kept[0]?.envelope.originalRecipient, original);
    assert.equal(kept[0]?.text, trace(address, original) + (message === ours ? rest : message));
  }
});

test('a message that was delivered here before is going round in circles', async () => {
  const { store, kept } = collector();
  const [looping, fine] = await deliver(
    inMemory('Subject: x\r\ndelivered-to: ABC@kvt.dk\r\n\r\n'),
    transactionOf(await recipients('abc@kvt.dk', 'kvt@kvt.dk')),
    { store, sendOn: cannotSendOn, partial: noPartialDeliveries, clock },
  );
  assert.ok(looping?.fault instanceof Undeliverable);
  assert.equal(looping.fault.status, '5.4.6');
  assert.equal(fine?.fault, undefined);
  assert.deepEqual(
    kept.map(({ mailbox }) => mailbox),
    ['kvt@kvt.dk'],
  );
});

test('one outcome a recipient, one that fails does not disturb the others, and the same one twice is one delivery', async () => {
  const { store, kept } = collector();
  const to = await recipients('abc@kvt.dk', 'full@kvt.dk', 'kvt@kvt.dk', 'abc@kvt.dk', 'abc+tag@kvt.dk');
  const outcomes = await deliver(inMemory('\r\n'), transactionOf(to), { store, sendOn: cannotSendOn, partial: noPartialDeliveries, clock });
  assert.deepEqual(
    outcomes.map(({ fault }) => fault?.kind),
    [undefined, 'over-quota', undefined, undefined, undefined],
  );
  assert.deepEqual(kept.map(({ mailbox, envelope }) => `${mailbox} ${envelope.recipient}`).sort(), [
    'abc@kvt.dk abc+tag@kvt.dk',
    'abc@kvt.dk abc@kvt.dk',
    'kvt@kvt.dk kvt@kvt.dk',
  ]);
});

test('many recipients wait for each other, eight at a time', async () => {
  let running = 0;
  let most = 0;
  const store: MaildropStore = {
    ...collector().store,
    async deliver() {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    },
  };
  const names = Array.from({ length: 50 }, (_, n) => `abc+${n}@kvt.dk`);
  const outcomes = await deliver(inMemory('\r\n'), transactionOf(await recipients(...names)), {
    store,
    sendOn: cannotSendOn,
    partial: noPartialDeliveries,
    clock,
  });
  assert.equal(outcomes.filter(({ fault }) => fault === undefined).length, 50);
  assert.equal(most, 8);
});

test('a message that begins with white space does not go on where the Received line ends', async () => {
  const { store, kept } = collector();
  await deliver(inMemory(' text\r\n'), transactionOf(await recipients('abc@kvt.dk')), {
    store,
    sendOn: cannotSendOn,
    partial: noPartialDeliveries,
    clock,
  });
  assert.equal(kept[0]?.text, `${trace()}\r\n text\r\n`);
});

test('a client may call itself anything, the Received line stays one', () => {
  const envelope = { sender: '', recipient: 'abc@kvt.dk', originalRecipient: 'abc@kvt.dk', receivedAt };
  const odd = { ...reception, clientName: 'a)\u0007 b', clientAddress: '2001:db8::1' };
  assert.equal(
    traceFields('abc@kvt.dk', envelope, odd).split('\r\n').slice(0, 4).join('\n'),
    'Return-Path: <>\nDelivered-To: abc@kvt.dk\nX-Original-To: abc@kvt.dk\nReceived: from a???b ([IPv6:2001:db8::1])',
  );
  assert.match(traceFields('abc@kvt.dk', envelope, { ...reception, clientAddress: undefined }), /\nReceived: from mx\.example\r\n\tby /);
});

function spoolIn(folder: string): Spool {
  let n = 0;
  return new Spool({ disk, folder, name: () => `${process.pid}-${n++}` });
}

test('a small message is in memory, a large one in a file without a name; both can be read more than once', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spool-'));
  t.after(() => rmSync(folder, { recursive: true }));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(120_000), { maxLength: 8 }), fc.nat(255), async (sizes, seed) => {
      const spool = spoolIn(folder);
      const chunks = sizes.map((size, i) => Buffer.alloc(size, (seed + i) & 255));
      for (const chunk of chunks) await spool.write(chunk);
      const whole = Buffer.concat(chunks).toString('latin1');
      const message = await spool.finish();
      assert.equal(message.octets, whole.length);
      assert.ok(whole.startsWith(Buffer.from(message.head).toString('latin1')));
      assert.ok(whole.length > memoryLimitOctets ? message.head.length >= memoryLimitOctets : message.head.length === whole.length);
      const [one, two] = await Promise.all([collect(message.content), collect(message.content)]);
      assert.ok(one === whole && two === whole);
      assert.deepEqual(readdirSync(folder), []);
      message.close();
    }),
    { numRuns: 40 },
  );
});

test('a large message keeps its octets on the way to each mailbox', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spool-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const spool = spoolIn(folder);
  const body = 'x'.repeat(998).concat('\r\n').repeat(700);
  await spool.write(Buffer.from('Subject: x\r\nDelivered-To: x@y.example\r\n\r\n'));
  for (let at = 0; at < body.length; at += 65_536) await spool.write(Buffer.from(body.slice(at, at + 65_536)));
  const message = await spool.finish();
  const { store, kept } = collector();
  await deliver(message, transactionOf(await recipients('abc@kvt.dk', 'kvt@kvt.dk')), {
    store,
    sendOn: cannotSendOn,
    partial: noPartialDeliveries,
    clock,
  });
  message.close();
  assert.deepEqual(
    kept.map(({ text, mailbox }) => text === `${trace(mailbox, mailbox, mailbox)}Subject: x\r\n\r\n${body}`),
    [true, true],
  );
});

test('a disc without room: who writes is told, and no descriptor stays open', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spool-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const opened = new Set<number>();
  const spool = new Spool({
    disk: {
      open(path, flags, mode) {
        const fd = disk.open(path, flags, mode);
        opened.add(fd);
        return fd;
      },
      close(fd) {
        disk.close(fd);
        opened.delete(fd);
      },
      unlink: (path) => disk.unlink(path),
      readLater: () => Promise.reject(new Error('not asked for')),
      writeLater: () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })),
    },
    folder,
    name: () => 'x',
  });
  await assert.rejects(async () => spool.write(Buffer.alloc(memoryLimitOctets + 1)), { code: 'ENOSPC' });
  assert.equal(opened.size, 1);
  spool.discard();
  assert.equal(opened.size, 0);
  assert.deepEqual(readdirSync(folder), []);
});
