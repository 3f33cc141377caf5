import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { mailboxNamed } from '../../test/support/mail.ts';
import { Fault } from '../model/fault.ts';
import { disk } from '../os/disk.ts';
import { createReceiptDesk, type OpenDesk } from './receiptDesk.ts';

const abc = mailboxNamed('abc@kvt.dk');
const startMs = 1_790_000_000_000;
const dayMs = 86_400_000;

function desk(t: TestContext): { folder: string; at(nowMs: number): OpenDesk } {
  const folder = fs.mkdtempSync(join(tmpdir(), 'receipts-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  return { folder, at: (nowMs) => createReceiptDesk({ folder: join(folder, 'receipts'), disk, now: () => nowMs }) };
}

const receipt = (uniqueId: string, to = 'ada@example.org') => ({ uniqueId, to, header: Buffer.from(`Subject: ${uniqueId}\n\n`) });

async function listed(open: OpenDesk, mailbox = abc): Promise<[string, number][]> {
  return (await open.list(mailbox)).map(({ header, sinceMs }) => [header.toString(), sinceMs]);
}

test('what waits is a file of its owner’s, with the header of the message in it', async (t) => {
  const { folder, at } = desk(t);
  assert.deepEqual(await at(startMs).list(abc), []);
  assert.equal(await at(startMs + 1000).ask(abc, receipt('b'), false), 'waits');
  assert.equal(await at(startMs).ask(abc, receipt('a'), false), 'waits');
  assert.deepEqual(await listed(at(startMs)), [
    ['Subject: a\n\n', startMs],
    ['Subject: b\n\n', startMs + 1000],
  ]);
  const [{ id } = { id: '' }] = await at(startMs).list(abc);
  const path = join(folder, 'receipts/kvt.dk/abc', id);
  assert.match(id, /^[0-9a-f]{12}$/);
  assert.equal(fs.readFileSync(path, 'utf8'), 'Subject: a\n\n');
  assert.equal(fs.statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(await at(startMs).list({ ...abc, domain: undefined, name: 'abc' }), []);
});

test('one is taken once, and can be put back', async (t) => {
  const open = desk(t).at(startMs);
  await open.ask(abc, receipt('a'), false);
  const [first] = await open.list(abc);
  assert(first);
  assert.deepEqual(await Promise.all([open.take(abc, first.id), open.take(abc, first.id)]), [true, false]);
  assert.deepEqual(await open.list(abc), []);
  await open.putBack(abc, first);
  assert.deepEqual(await open.list(abc), [first]);
  for (const id of ['', 'known', '../x', '000000000000', first.id.toUpperCase()]) {
    if (id !== first.id) assert.equal(await open.take(abc, id), false, id);
  }
});

test('an address is known once it was noted, to its user', async (t) => {
  const open = desk(t).at(startMs);
  assert.equal(await open.ask(abc, receipt('a'), true), 'waits');
  await open.note(abc, 'ada@example.org');
  await open.note(abc, 'ada@example.org');
  await open.note(abc, 'bob@example.org');
  assert.equal(await open.ask(abc, receipt('b'), true), 'known');
  assert.equal(await open.ask(abc, receipt('c', 'bob@example.org'), true), 'known');
  assert.equal(await open.ask(abc, receipt('d', 'Ada@example.org'), true), 'waits');
  assert.equal(await open.ask(abc, receipt('e'), false), 'waits');
  assert.equal(await open.ask(mailboxNamed('kvt@kvt.dk'), receipt('b'), true), 'waits');
  assert.equal((await open.list(abc)).length, 3);
});

test('nobody waits for ever, and there is room for so many', async (t) => {
  const { at } = desk(t);
  for (let n = 0; n < 500; n += 1) assert.equal(await at(startMs).ask(abc, receipt(`id${n}`), false), 'waits');
  assert.equal(await at(startMs + 60 * dayMs).ask(abc, receipt('one more'), false), 'full');
  assert.equal(await at(startMs + 60 * dayMs + 1).ask(abc, receipt('one more'), false), 'waits');
  assert.equal((await at(startMs + 60 * dayMs + 1).list(abc)).length, 1);
});

test('a folder that can not be written is a temporary trouble', async (t) => {
  const { folder, at } = desk(t);
  fs.writeFileSync(join(folder, 'receipts'), '');
  await assert.rejects(at(startMs).ask(abc, receipt('a'), false), (thrown) => thrown instanceof Fault && thrown.kind === 'temporary');
});
