import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseAddress } from '../model/address.ts';
import type { Account } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import { type Log, silent } from '../model/log.ts';
import type { MaildropStore } from '../model/maildrop.ts';
import { disk } from '../os/disk.ts';
import { deliver, type Recipient } from './delivery.ts';
import { createPartialDeliveries } from './partialDeliveries.ts';
import type { Destination } from './resolver.ts';
import { Undeliverable } from './undeliverable.ts';

function account(name: string): Destination {
  const address = parseAddress(name);
  assert.ok(address);
  const who: Account = {
    mailbox: { name, ...address, home: undefined, owner: undefined },
    services: new Set(['receive']),
    language: undefined,
  };
  return { kind: 'account', account: who, keeps: true };
}

function elsewhere(address: string): Destination {
  const by = parseAddress('x@kvt.dk')?.domain;
  assert.ok(by);
  return { kind: 'forward', address, by: { name: by, unknownUsers: { kind: 'bounce' } } };
}

/** Mailboxes and addresses elsewhere that do as they are told, and what they were given. */
function house(t: TestContext, log: Log = silent) {
  const state = mkdtempSync(join(tmpdir(), 'partial-'));
  t.after(() => rmSync(state, { recursive: true }));
  const folder = join(state, 'partial');
  const given: string[] = [];
  const failing = new Map<string, Fault>();
  const take = async (name: string) => {
    const fault = failing.get(name);
    if (fault !== undefined) throw fault;
    given.push(name);
  };
  const store: MaildropStore = {
    ...({} as MaildropStore),
    deliver: (mailbox) => take(mailbox.name),
  };
  const partial = createPartialDeliveries({ folder, disk, log, now: Date.now });
  async function send(text: string, destinations: readonly Destination[], address = 'all@kvt.dk'): Promise<string> {
    const head = Buffer.from(text);
    const recipient: Recipient = { address, original: undefined, destinations };
    const reception = { protocol: 'LMTP', clientName: 'mx.example', clientAddress: undefined, hostname: 'mail.kvt.dk', id: 'a' };
    const [outcome] = await deliver(
      { octets: head.length, head, content: [head], close() {} },
      { sender: 'jens@jth.example', recipients: [recipient], reception, receivedAt: new Date() },
      { store, sendOn: (_, { address: to }) => take(to), partial, clock: () => 0 },
    );
    return outcome?.fault?.message ?? 'delivered';
  }
  const files = () => {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  };
  return { send, given, failing, files, folder, state };
}

const busy = new Fault('temporary', 'the mailbox can not be written just now');

test('who has a message gets it once, however often the rest is tried', async (t) => {
  const { send, given, failing, files } = house(t);
  const all = [account('abc@kvt.dk'), account('kvt@kvt.dk'), elsewhere('x@elsewhere.example')];
  failing.set('kvt@kvt.dk', busy);
  assert.equal(await send('one', all), 'the mailbox can not be written just now');
  assert.deepEqual(given, ['abc@kvt.dk', 'x@elsewhere.example']);
  assert.equal(await send('one', all), 'the mailbox can not be written just now');
  assert.deepEqual(given, ['abc@kvt.dk', 'x@elsewhere.example']);
  assert.equal(files().length, 1);
  // Another message, another recipient: nothing to do with it.
  assert.equal(await send('two', all.slice(0, 1)), 'delivered');
  assert.equal(await send('one', [account('abc@kvt.dk'), elsewhere('x@elsewhere.example')], 'other@kvt.dk'), 'delivered');
  assert.deepEqual(given.splice(2), ['abc@kvt.dk', 'abc@kvt.dk', 'x@elsewhere.example']);
  failing.clear();
  assert.equal(await send('one', all), 'delivered');
  assert.deepEqual(given, ['abc@kvt.dk', 'x@elsewhere.example', 'kvt@kvt.dk']);
  assert.deepEqual(files(), []);
  // The same once more is a new one.
  assert.equal(await send('one', all), 'delivered');
  assert.equal(given.length, 6);
});

test('a refusal for good is told to the sender, and nothing is remembered', async (t) => {
  const { send, given, failing, files } = house(t);
  failing.set('abc@kvt.dk', new Undeliverable('5.4.6', 'mail forwarding loop'));
  assert.equal(await send('one', [account('abc@kvt.dk'), account('kvt@kvt.dk'), elsewhere('x@elsewhere.example')]), 'mail forwarding loop');
  assert.deepEqual(given, ['kvt@kvt.dk', 'x@elsewhere.example']);
  assert.deepEqual(files(), []);
});

test('one destination, or none that has it: nothing to remember', async (t) => {
  const { send, failing, files } = house(t);
  for (const name of ['abc@kvt.dk', 'kvt@kvt.dk']) failing.set(name, busy);
  await send('one', [account('abc@kvt.dk')]);
  await send('one', [account('abc@kvt.dk'), account('kvt@kvt.dk')]);
  assert.deepEqual(files(), []);
});

test('what nobody came back for is forgotten after two weeks', async (t) => {
  const { send, failing, files, folder } = house(t);
  failing.set('kvt@kvt.dk', busy);
  const both = [account('abc@kvt.dk'), account('kvt@kvt.dk')];
  await send('one', both);
  const longAgo = Date.now() / 1000 - 15 * 86_400;
  utimesSync(join(folder, files()[0] ?? ''), longAgo, longAgo);
  await send('two', both);
  assert.equal(files().length, 1);
});

test('where nothing can be remembered mail is delivered all the same, and the host is told', async (t) => {
  const told: string[] = [];
  const { send, given, failing, state } = house(t, { ...silent, warn: (event) => void told.push(event) });
  writeFileSync(join(state, 'partial'), 'a file in its way');
  failing.set('kvt@kvt.dk', busy);
  assert.equal(await send('one', [account('abc@kvt.dk'), account('kvt@kvt.dk')]), 'the mailbox can not be written just now');
  assert.deepEqual(given, ['abc@kvt.dk']);
  assert.deepEqual(told, ['delivery.partial-unknown', 'delivery.partial-unknown']);
});
