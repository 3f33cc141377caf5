import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whole } from '../../test/support/mailOctets.ts';
import { type Account, noAccountRules, type ReceiptPolicy } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import type { LogFields } from '../model/log.ts';
import type { MaildropMessage } from '../model/maildrop.ts';
import { MOST_HEADER, type WaitingReceipt } from '../model/receipts.ts';
import { createSpeaker } from '../texts/speaker.ts';
import { asking, kvt, octetsOf } from './fixture.test.ts';
import { createReceipts, type ReceiptsOptions } from './receipts.ts';

interface Fakes {
  readonly sent: { readonly to: readonly string[]; readonly sender: string; readonly text: string }[];
  readonly waiting: WaitingReceipt[];
  readonly events: [event: string, fields: LogFields][];
  /** Fetches a message whole, as the only session of the account; resolves when all is done about it. */
  fetch(
    lines: readonly string[],
    parts?: { message?: Partial<MaildropMessage>; stops?: boolean; rules?: ReceiptPolicy | undefined },
  ): Promise<void>;
}

const nowMs = 1_790_000_000_000;
const dayMs = 86_400_000;

function fakes(policy: ReceiptPolicy, parts: Partial<ReceiptsOptions> = {}): Fakes {
  const sent: Fakes['sent'] = [];
  const waiting: WaitingReceipt[] = [];
  const events: Fakes['events'] = [];
  const done = new Set<string>();
  const note = (event: string, fields: LogFields = {}) => void events.push([event, fields]);
  const receipts = createReceipts({
    policy,
    language: 'da',
    hostDomain: 'mail.kvt.dk',
    hostname: 'mail.kvt.dk',
    directory: { domain: async (name) => (name === 'kvt.dk' ? { name, unknownUsers: { kind: 'bounce' } } : undefined) },
    memory: {
      async first({ name }, topic, key) {
        const whole = `${name} ${topic} ${key}`;
        return !done.has(whole) && done.add(whole).has(whole);
      },
    },
    desk: {
      async ask(_mailbox, receipt, unlessKnown) {
        if (unlessKnown && receipt.to === 'friend@example.org') return 'known';
        waiting.push(receipt);
        return 'waits';
      },
    },
    submission: {
      async submit(message, { sender, recipients }) {
        sent.push({ to: recipients, sender, text: (await whole(message)).toString('latin1') });
      },
    },
    speaker: createSpeaker(),
    log: { debug: note, info: note, warn: note, error: note },
    now: () => nowMs,
    random: (octets) => Buffer.alloc(octets, 1),
    ...parts,
  });
  return {
    sent,
    waiting,
    events,
    async fetch(lines, { message = {}, stops = false, rules } = {}) {
      const account: Account = {
        mailbox: kvt.mailbox,
        services: new Set(['pop3']),
        language: undefined,
        ...(rules && { rules: { ...noAccountRules, receipts: rules } }),
      };
      const octets = Buffer.concat([octetsOf(lines), Buffer.from('\r\nbody\r\n')]);
      const fetching = receipts.of(account);
      const watched = fetching?.watch({ uniqueId: 'id1', octets: octets.length, receivedAtMs: nowMs - 1000, ...message }, [octets]);
      if (watched === undefined) return;
      assert.deepEqual(await whole(watched.octets), octets);
      if (!stops) watched.sent();
      await receipts.settled();
    },
  };
}

const names = ({ events }: Fakes) => events.map(([event, { reason }]) => (reason === undefined ? event : `${event} ${reason}`));

test('a receipt goes out from nobody, to who asked, in the language of the host, once', async () => {
  const house = fakes('always');
  await house.fetch(asking);
  await house.fetch(asking);
  assert.deepEqual(
    house.sent.map(({ to, sender, text }) => [to, sender, /^Subject: .*$/m.exec(text)?.[0]]),
    [[['ada@example.org'], '', 'Subject: =?UTF-8?Q?Kvittering=3A_bl=C3=A5b=C3=A6r?=\r'.trim()]],
  );
  assert.deepEqual(house.events, [
    ['mdn.sent', { mailbox: 'kvt@kvt.dk', message: 'id1', to: 'ada@example.org', recipient: 'alias@kvt.dk' }],
  ]);
});

test('a second copy of a message gets no second receipt, and the same message for another address does', async () => {
  const house = fakes('always');
  await house.fetch(asking);
  await house.fetch(asking, { message: { uniqueId: 'id2' } });
  assert.equal(house.sent.length, 1);
  await house.fetch(
    asking.map((line) => line.replace('alias@', 'kvt@')),
    { message: { uniqueId: 'id3' } },
  );
  assert.equal(house.sent.length, 2);
});

test('nothing is looked at where the policy is never, and an account’s own policy comes first', async () => {
  const house = fakes('never');
  await house.fetch(asking);
  assert.deepEqual([house.sent, house.waiting, house.events], [[], [], []]);
  await house.fetch(asking, { rules: 'always' });
  assert.equal(house.sent.length, 1);
  const other = fakes('always');
  await other.fetch(asking, { rules: 'never' });
  assert.deepEqual(other.events, []);
});

test('a message that is marked as read, or that was not sent whole, has not been fetched for the first time', async () => {
  const house = fakes('always');
  await house.fetch(asking, { message: { wasRead: true } });
  await house.fetch(asking, { stops: true });
  assert.deepEqual([house.sent, house.events], [[], []]);
});

test('what came long ago gets no receipt; of unknown age may be new', async () => {
  const house = fakes('always');
  await house.fetch(asking, { message: { receivedAtMs: nowMs - 60 * dayMs - 1 } });
  assert.deepEqual([house.sent, house.events], [[], []]);
  await house.fetch(asking, { message: { receivedAtMs: nowMs - 60 * dayMs } });
  await house.fetch(
    asking.map((line) => line.replace('<1@', '<2@')),
    { message: { uniqueId: 'id2', receivedAtMs: 0 } },
  );
  assert.equal(house.sent.length, 2);
});

test('ask: it waits for the user, with what it takes to make it', async () => {
  const house = fakes('ask');
  await house.fetch(asking);
  await house.fetch(asking);
  const header = Buffer.concat([octetsOf(asking), Buffer.from('\r\n')]);
  assert.deepEqual(house.waiting, [{ uniqueId: 'id1', to: 'ada@example.org', header }]);
  assert.deepEqual(house.sent, []);
  assert.deepEqual(house.events, [
    ['mdn.waits', { mailbox: 'kvt@kvt.dk', message: 'id1', to: 'ada@example.org', doubts: [], full: false }],
  ]);
});

test('known-senders: one of our domains, or who was sent one before; others wait', async () => {
  const house = fakes('known-senders');
  const from = (address: string, n: number) =>
    house.fetch(
      asking.map((line) => line.replaceAll('ada@example.org', address)),
      { message: { uniqueId: `id${n}` } },
    );
  await house.fetch([], {});
  await from('abc@kvt.dk', 1);
  assert.deepEqual(names(house), ['mdn.sent']);
  const friendly = asking.map((line) => line.replaceAll('ada@example.org', 'friend@example.org').replace('<1@', '<2@'));
  await house.fetch(friendly, { message: { uniqueId: 'id2' } });
  await house.fetch(
    asking.map((line) => line.replace('<1@', '<3@')),
    { message: { uniqueId: 'id3' } },
  );
  assert.deepEqual(names(house), ['mdn.sent', 'mdn.sent', 'mdn.waits']);
  assert.deepEqual(
    house.sent.map(({ to }) => to),
    [['abc@kvt.dk'], ['friend@example.org']],
  );
});

test('RFC 8098 section 2.1: with another Return-Path it waits, whatever the policy', async () => {
  for (const policy of ['always', 'known-senders', 'ask'] as const) {
    const house = fakes(policy);
    await house.fetch(asking.map((line) => line.replace('Return-Path: <ada@example.org>', 'Return-Path: <friend@example.org>')));
    assert.deepEqual(names(house), ['mdn.waits'], policy);
  }
});

test('a refusal is told to the log, and remembers nothing', async () => {
  const house = fakes('always');
  await house.fetch([...asking, 'List-Id: <x>']);
  await house.fetch([...asking, `X-Long: ${'x'.repeat(MOST_HEADER)}`], { message: { uniqueId: 'id2' } });
  assert.deepEqual(names(house), ['mdn.refused list', 'mdn.refused header-too-long']);
  await house.fetch(asking);
  assert.equal(house.sent.length, 1);
});

test('what can not be sent is not sent again: it may have got through', async () => {
  let tries = 0;
  const house = fakes('always', {
    submission: {
      async submit() {
        tries += 1;
        throw new Fault('temporary', 'internal error', { cause: 'no mail server' });
      },
    },
  });
  await house.fetch(asking);
  await house.fetch(asking);
  assert.equal(tries, 1);
  assert.deepEqual(house.events, [
    ['mdn.not-sent', { mailbox: 'kvt@kvt.dk', message: 'id1', to: 'ada@example.org', kind: 'temporary', cause: 'no mail server' }],
  ]);
});

test('without a memory nothing is sent, and the session never hears of it', async () => {
  const cause = new Fault('temporary', 'internal error');
  const house = fakes('always', {
    memory: {
      async first() {
        throw cause;
      },
    },
  });
  await house.fetch(asking);
  assert.deepEqual([house.sent, house.events], [[], [['mdn.failed', { mailbox: 'kvt@kvt.dk', message: 'id1', cause }]]]);
});

test('only so many are looked after at a time; what comes beyond may get its receipt another time', async () => {
  let letGo = (): void => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const house = fakes('always', { submission: { submit: () => held } });
  const all = Array.from({ length: 257 }, (_, n) =>
    house.fetch(
      asking.map((line) => line.replace('<1@', `<${n}@`)),
      { message: { uniqueId: `id${n}` } },
    ),
  );
  // Each was fetched before any of them was done.
  await new Promise((resolve) => setImmediate(resolve));
  letGo();
  await Promise.all(all);
  assert.equal(names(house).filter((name) => name === 'mdn.busy').length, 1);
  assert.equal(names(house).filter((name) => name === 'mdn.sent').length, 256);
});
