import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { envelope, mailboxNamed, text } from '../../test/support/mail.ts';
import { parseDomainName } from '../model/address.ts';
import type { Account, HostedDomain } from '../model/directory.ts';
import { noAccountRules } from '../model/directory.ts';
import { silent } from '../model/log.ts';
import type { MaildropStore } from '../model/maildrop.ts';
import type { Quota } from '../model/quota.ts';
import { disk } from '../os/disk.ts';
import { createDomainUsages } from './domainUsages.ts';
import { createFileStore } from './index.ts';
import { createMemoryStore } from './memory/index.ts';
import { createQuota, type QuotaOptions } from './quota.ts';

const kvt = parseDomainName('kvt.dk') ?? assert.fail();
const full = { kind: 'over-quota', text: 'the mailbox is full' };
const domainFull = { kind: 'over-quota', text: 'the domain has no room left' };

function accountOf(name: string, quotaOctets?: number): Account {
  return { mailbox: mailboxNamed(name), services: new Set(['receive']), language: undefined, rules: { ...noAccountRules, quotaOctets } };
}

interface Parts {
  readonly store?: MaildropStore;
  readonly limits?: Pick<QuotaOptions, 'mailboxOctets' | 'domainOctets'>;
  readonly domainOctets?: number;
}

function quotaOf({
  store = createMemoryStore(),
  limits = { mailboxOctets: undefined, domainOctets: undefined },
  domainOctets,
}: Parts = {}): { store: MaildropStore; quota: Quota } {
  const domain: HostedDomain = { name: kvt, unknownUsers: { kind: 'bounce' }, quotaOctets: domainOctets };
  const inhabitants = { mailboxes: async () => ['abc@kvt.dk', 'kvt@kvt.dk'].map(mailboxNamed) };
  const domains = createDomainUsages({ inhabitants, store, clock: () => performance.now() });
  return { store, quota: createQuota({ store, domains, directory: { domain: async () => domain }, ...limits }) };
}

/** Of so many octets. */
function sized(octets: number): Buffer {
  const head = 'Subject: x\r\n\r\n';
  return Buffer.from(`${head}${'y'.repeat(octets - head.length - 2)}\r\n`);
}

async function* inPieces(octets: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < octets.length; at += 1000) yield octets.subarray(at, at + 1000);
}

test('what has room: a mailbox at its limit is full, and a message may fill it to the last octet', async () => {
  for (const [limit, there, octets, isFull] of [
    [undefined, 1000, 1e12, false],
    [1000, 0, 0, false],
    [1000, 999, 0, false],
    [1000, 999, 1, false],
    [1000, 999, 2, true],
    [1000, 1000, 0, true],
    [1000, 1001, 0, true],
    [1000, 0, 1000, false],
    [1000, 0, 1001, true],
    [0, 0, 0, true],
  ] as const) {
    const { store, quota } = quotaOf();
    const account = accountOf('abc@kvt.dk', limit);
    if (there > 0) await store.deliver(account.mailbox, [sized(there)], envelope);
    const asked = quota.require(account, octets);
    if (isFull) await assert.rejects(asked, full, `${limit} ${there} ${octets}`);
    else await asked;
  }
});

test("an account's own limit goes before the host's, and so does a domain's", async () => {
  const limits = { mailboxOctets: 100, domainOctets: 10_000 };
  await assert.rejects(quotaOf({ limits }).quota.require(accountOf('abc@kvt.dk'), 101), full);
  await quotaOf({ limits }).quota.require(accountOf('abc@kvt.dk', 10_000), 10_000);
  await assert.rejects(quotaOf({ limits }).quota.require(accountOf('abc@kvt.dk', 20_000), 10_001), domainFull);
  await quotaOf({ limits, domainOctets: 20_000 }).quota.require(accountOf('abc@kvt.dk', 20_000), 10_001);
});

test('a domain is full when its mailboxes together are, whichever of them the mail is for', async () => {
  const { store, quota } = quotaOf({ domainOctets: 1000 });
  const [abc, other] = [accountOf('abc@kvt.dk'), accountOf('kvt@kvt.dk')];
  await quota.deliver(abc, [sized(600)], envelope);
  await assert.rejects(quota.deliver(other, [sized(401)], envelope), domainFull);
  await quota.deliver(other, [sized(400)], envelope);
  for (const account of [abc, other]) await assert.rejects(quota.require(account, 0), domainFull);
  assert.equal((await store.usage(other.mailbox)).octets, 400);
});

test('of a message whose length shows as it comes it is told who has no room, too', async () => {
  for (const [mailboxOctets, domainOctets, problem] of [
    [undefined, 3000, domainFull],
    [3000, undefined, full],
    [3000, 2500, domainFull],
    [2500, 3000, full],
  ] as const) {
    const { store, quota } = quotaOf(domainOctets === undefined ? {} : { domainOctets });
    const account = accountOf('abc@kvt.dk', mailboxOctets);
    await assert.rejects(quota.deliver(account, inPieces(sized(4000)), envelope), problem, `${mailboxOctets} ${domainOctets}`);
    await quota.deliver(account, inPieces(sized(2000)), envelope);
    assert.equal((await store.usage(account.mailbox)).octets, 2000);
  }
});

test('use and limits are told as they are', async () => {
  const { quota } = quotaOf({ domainOctets: 5000 });
  await quota.deliver(accountOf('abc@kvt.dk'), [sized(600)], envelope);
  await quota.deliver(accountOf('kvt@kvt.dk'), [sized(300)], envelope);
  assert.deepEqual(await quota.standings(accountOf('abc@kvt.dk', 1000)), {
    mailbox: { usage: { octets: 600, messages: 1 }, limit: 1000 },
    domain: { usage: { octets: 900, messages: 2 }, limit: 5000 },
  });
});

for (const format of ['mbox', 'maildir'] as const) {
  test(`${format}: of a message that turns out not to fit nothing stays, and what is removed makes room at once`, async (t) => {
    const { store, quota } = quotaOf({ store: onDisc(t, format) });
    const account = accountOf('abc@kvt.dk', 3_000_000);
    await quota.deliver(account, [text('one')], envelope);
    const before = await store.usage(account.mailbox);
    // Longer than what a store gathers before it locks the mailbox, and longer than its room.
    await assert.rejects(quota.deliver(account, inPieces(sized(3_000_001)), envelope), full);
    await assert.rejects(quota.deliver(account, [sized(3_000_001)], envelope), full);
    assert.deepEqual(await store.usage(account.mailbox), before);
    await quota.deliver(account, inPieces(sized(2_500_000)), envelope);
    await assert.rejects(quota.require(account, 600_000), full);
    {
      await using maildrop = await store.open(account.mailbox);
      assert.deepEqual(
        maildrop.messages.map(({ octets }) => octets),
        [text('one').length, 2_500_000],
      );
      await maildrop.update(new Set(maildrop.messages.slice(1)), new Set());
    }
    await quota.require(account, 600_000);
  });
}

test('deliveries at the same time may together go over the limit by what they hold; the next one is refused', async () => {
  const { quota, store } = quotaOf();
  const account = accountOf('abc@kvt.dk', 1000);
  const settled = await Promise.allSettled(Array.from({ length: 5 }, () => quota.deliver(account, inPieces(sized(900)), envelope)));
  const delivered = settled.filter(({ status }) => status === 'fulfilled').length;
  assert.ok(delivered >= 1);
  assert.equal((await store.usage(account.mailbox)).messages, delivered);
  await assert.rejects(quota.deliver(account, [sized(900)], envelope), full);
});

function onDisc(t: TestContext, format: 'mbox' | 'maildir'): MaildropStore {
  const folder = fs.mkdtempSync(join(tmpdir(), 'quota-'));
  for (const name of ['root', 'spool', 'state', 'run']) fs.mkdirSync(join(folder, name));
  const at = (name: string) => join(folder, name);
  const places = { root: at('root'), home: '', systemSpool: at('spool'), stateDir: at('state'), runDir: at('run') };
  const store = createFileStore({ ...places, format, statusHeader: 'rewrite', disk, log: silent, now: Date.now });
  t.after(async () => {
    await store.close();
    fs.rmSync(folder, { recursive: true });
  });
  return store;
}
