import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mailboxNamed } from '../../test/support/mail.ts';
import { type Account, noAccountRules } from '../model/directory.ts';
import type { Envelope } from '../model/envelope.ts';
import { Fault } from '../model/fault.ts';
import type { LogFields } from '../model/log.ts';
import type { OnceMemory } from '../model/onceMemory.ts';
import { createSpeaker } from '../texts/speaker.ts';
import { createQuotaWarning } from './quotaWarning.ts';

const nowMs = Date.UTC(2026, 10, 29, 12);
const abc = mailboxNamed('abc@kvt.dk');

function onceMemory(): OnceMemory & { nowMs: number } {
  const noted = new Map<string, number>();
  const memory = {
    nowMs,
    async first({ name }: { name: string }, topic: string, key: string, lastsS: number) {
      const entry = `${name}\n${topic}\n${key}`;
      const at = noted.get(entry);
      if (at !== undefined && memory.nowMs - at < lastsS * 1000) return false;
      noted.set(entry, memory.nowMs);
      return true;
    },
  };
  return memory;
}

function house({
  percent = 90,
  once = onceMemory() as OnceMemory,
  deliver,
}: {
  percent?: number;
  once?: OnceMemory;
  deliver?: () => Promise<void>;
} = {}) {
  const mails: { readonly to: string; readonly text: string; readonly envelope: Envelope }[] = [];
  const events: [string, LogFields][] = [];
  const state = { octets: 0 };
  const note = (event: string, fields: LogFields = {}) => void events.push([event, fields]);
  const front = () =>
    createQuotaWarning({
      store: {
        async deliver(mailbox, message, envelope) {
          await deliver?.();
          const pieces: Uint8Array[] = [];
          for await (const piece of message) pieces.push(piece);
          mails.push({ to: mailbox.name, text: Buffer.concat(pieces).toString(), envelope });
        },
      },
      once,
      percent,
      speaker: createSpeaker(),
      language: 'en',
      hostname: 'mail.kvt.dk',
      log: { debug: note, info: note, warn: note, error: note },
      now: () => nowMs,
    });
  const account = (language?: string): Account => ({ mailbox: abc, services: new Set(['receive']), language, rules: noAccountRules });
  /** A delivery that leaves so much in a mailbox that may hold 1000 octets. */
  async function fill(
    octets: number,
    { warning = warnings, language }: { warning?: ReturnType<typeof front>; language?: string } = {},
  ): Promise<void> {
    warning.seen(abc, state.octets, 1000);
    state.octets = octets;
    await warning.filled(account(language), octets, 1000);
  }
  const warnings = front();
  return { mails, events, state, fill, front };
}

test('one warning for each time that the mailbox gets over the mark, however often mail comes meanwhile', async () => {
  const once = Object.assign(onceMemory());
  const { mails, fill, state } = house({ once });
  const after = async (octets: number): Promise<number> => {
    once.nowMs += 2000;
    await fill(octets);
    return mails.length;
  };
  assert.equal(await after(100), 0);
  assert.equal(await after(899), 0);
  assert.equal(await after(900), 1);
  assert.equal(await after(950), 1);
  assert.equal(await after(1000), 1);
  // Mail is removed.
  state.octets = 10;
  assert.equal(await after(20), 1);
  assert.equal(await after(999), 2);
  assert.equal(await after(999), 2);
});

test('another program may have filled it: who has never been told is told with the next message', async () => {
  const once = onceMemory();
  const { mails, fill, state, front } = house({ once });
  state.octets = 990;
  await fill(995);
  await fill(996);
  assert.equal(mails.length, 1);
  // After a restart, and for a year.
  once.nowMs += 300 * 86_400_000;
  await fill(997, { warning: front() });
  assert.equal(mails.length, 1);
  once.nowMs += 100 * 86_400_000;
  await fill(998);
  assert.equal(mails.length, 2);
});

test('deliveries at the same time, of one front and of two, are one crossing', async () => {
  const { mails, state, front } = house();
  const [one, other] = [front(), front()];
  for (const warning of [one, one, other]) warning.seen(abc, 100, 1000);
  state.octets = 990;
  const account: Account = { mailbox: abc, services: new Set(['receive']), language: undefined };
  await Promise.all([one.filled(account, 990, 1000), one.filled(account, 990, 1000), other.filled(account, 990, 1000)]);
  assert.equal(mails.length, 1);
});

test('what it says: a mail of ours that nothing answers, to the mailbox, in the language of the account', async () => {
  const { mails, fill } = house();
  await fill(950, { language: 'da-DK' });
  const [mail] = mails;
  assert.ok(mail);
  assert.equal(mail.to, 'abc@kvt.dk');
  assert.deepEqual(mail.envelope, { sender: '', recipient: 'abc@kvt.dk', originalRecipient: 'abc@kvt.dk', receivedAt: new Date(nowMs) });
  assert.equal(
    mail.text.replace(/^(Message-ID: <quota\.)[0-9a-f]{24}@/m, '$1ID@').replaceAll('\r\n', '\n'),
    `Return-Path: <>
Delivered-To: abc@kvt.dk
Date: Sun, 29 Nov 2026 12:00:00 +0000
From: postmaster@kvt.dk
To: abc@kvt.dk
Subject: =?utf-8?B?RGluIHBvc3RrYXM=?=
 =?utf-8?B?c2UgYWJjQGt2dC4=?=
 =?utf-8?B?ZGsgZXIgbsOmc3Rl?=
 =?utf-8?B?biBmdWxk?=
Message-ID: <quota.ID@mail.kvt.dk>
Auto-Submitted: auto-generated
Content-Language: da
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Din postkasse abc@kvt.dk rummer 950 B af de 1 kB, den må rumme.
Når den er fuld, må ny post til dig vente eller gå tilbage til afsenderen.
Slet post, som du ikke længere har brug for, så er der plads igen med det samme.

Dette skrives én gang, og igen først efter at der har været mere plads.
`,
  );
  assert.ok(!/(?<!\r)\n/.test(mail.text));
});

test('0 percent: nobody is warned', async () => {
  const { mails, fill } = house({ percent: 0 });
  await fill(1000);
  assert.equal(mails.length, 0);
});

test('a warning that comes to nothing is told in the log, and hurts no delivery', async () => {
  const trouble = new Fault('temporary', 'the mailbox can not be written just now');
  const { events, fill } = house({ deliver: () => Promise.reject(trouble) });
  await fill(950);
  assert.deepEqual(events, [['quota.not-warned', { mailbox: 'abc@kvt.dk', cause: trouble }]]);
});
