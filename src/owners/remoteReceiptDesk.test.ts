/** Receipts that wait are kept where the mail is, by the worker of its owner. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { mailboxNamed } from '../../test/support/mail.ts';
import { directoryOf, ownerHouse } from '../../test/support/ownerWorkers.ts';
import { createMemoryStore } from '../maildrops/memory/index.ts';
import { createReceiptDesk } from '../maildrops/receiptDesk.ts';
import { Fault } from '../model/fault.ts';
import { disk } from '../os/disk.ts';

test('what is put before a user over the wire waits there, and the worker says what it knows', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'receipts-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const desk = createReceiptDesk({ folder: join(folder, 'receipts'), disk, now: () => 1_790_000_000_000 });
  const owner = { domains: ['kvt.dk'], directory: directoryOf('abc@kvt.dk'), store: createMemoryStore() };
  const front = ownerHouse(t, [owner], {}, { desk }).desk;
  const abc = mailboxNamed('abc@kvt.dk');
  const receipt = { uniqueId: 'id1', to: 'ada@example.org', header: Buffer.from('Subject: bl\xe5\n\n', 'latin1') };
  assert.equal(await front.ask(abc, receipt, true), 'waits');
  assert.deepEqual(
    (await desk.list(abc)).map(({ header, sinceMs }) => [header, sinceMs]),
    [[receipt.header, 1_790_000_000_000]],
  );
  await desk.note(abc, 'ada@example.org');
  assert.equal(await front.ask(abc, receipt, true), 'known');
  await assert.rejects(
    front.ask(mailboxNamed('nobody@kvt.dk'), receipt, false),
    (thrown) => thrown instanceof Fault && thrown.kind === 'temporary',
  );
  assert.deepEqual((await desk.list(abc)).length, 1);
});
