/** After any single step of a conversion the process is gone or the disc is full: one of the two mailboxes is in place, with each message once. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Fault } from '../../src/model/fault.ts';
import { fetched } from '../contracts/maildropStore.ts';
import { type Fate, faultyDisk } from '../faultyDisk.ts';
import { envelope, text } from '../support/mail.ts';
import { mailbox, storeIn } from './support/maildirActs.ts';

type Format = 'mbox' | 'maildir';

function folderFor(t: TestContext): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'postkasse-crash-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  return folder;
}

/** Does it on a disc that fails at that call; 0: at none. @returns the calls it made, and what it had to say at the end */
async function actOn(
  folder: string,
  to: Format,
  act: 'convert' | 'open',
  at: number,
  fate: Fate,
): Promise<{ calls: readonly string[]; said: string }> {
  const { disk, calls } = faultyDisk(at, fate);
  const store = storeIn(folder, disk);
  try {
    if (act === 'convert') await store.convert(mailbox, to);
    else await (await store.open(mailbox))[Symbol.asyncDispose]();
    return { calls, said: 'done' };
  } catch (thrown) {
    return { calls, said: thrown instanceof Fault ? thrown.kind : String(thrown) };
  } finally {
    await store.close();
  }
}

const spoolOf = (folder: string) => join(folder, 'root/kvt.dk');
const pathOf = (folder: string) => join(spoolOf(folder), 'abc');

/** A mailbox with three messages, one of them twice, which has been converted before. */
async function filled(t: TestContext, format: Format): Promise<string> {
  const folder = folderFor(t);
  const store = storeIn(folder);
  // The store makes Maildirs.
  for (const subject of ['one', 'two']) await store.deliver(mailbox, [text(subject)], envelope);
  if (format === 'mbox') await store.convert(mailbox, 'mbox');
  await store.deliver(mailbox, [text('two')], envelope);
  await store.close();
  for (const name of fs.readdirSync(spoolOf(folder)))
    if (name.includes('.old-')) fs.rmSync(join(spoolOf(folder), name), { recursive: true });
  return folder;
}

interface Seen {
  readonly uniqueId: string;
  readonly text: string;
}

async function seen(folder: string): Promise<Seen[]> {
  const store = storeIn(folder);
  try {
    await using maildrop = await store.open(mailbox);
    const all: Seen[] = [];
    for (const message of maildrop.messages) {
      const octets = await fetched(maildrop, message);
      all.push({ uniqueId: message.uniqueId, text: octets.toString('latin1').replace(/^(?:X-)?Status: \w+\r\n/gm, '') });
    }
    return all;
  } finally {
    await store.close();
  }
}

function copyOf(t: TestContext, model: string): string {
  const folder = folderFor(t);
  fs.cpSync(model, folder, { recursive: true, preserveTimestamps: true });
  return folder;
}

/** Nobody is there any more who holds it; so that the test need not wait until it is old. */
function withoutLockFile(folder: string): void {
  fs.rmSync(`${pathOf(folder)}.lock`, { force: true });
}

function formatOf(folder: string): Format {
  return fs.statSync(pathOf(folder)).isDirectory() ? 'maildir' : 'mbox';
}

/** The same messages under the same ids, nothing left lying about, and a conversion goes as if nothing had happened. */
async function isInOrder(folder: string, before: readonly Seen[], from: Format, to: Format): Promise<void> {
  withoutLockFile(folder);
  assert.deepEqual(await seen(folder), before);
  const done = formatOf(folder) === to;
  assert.deepEqual(fs.readdirSync(spoolOf(folder)).sort(), done ? ['abc', `abc.old-${from}`] : ['abc']);
  const { said } = await actOn(folder, done ? from : to, 'convert', 0, 'full');
  assert.equal(said, 'done');
  assert.deepEqual(await seen(folder), before);
}

/** Side by side, as most of the time is spent waiting. */
async function eachStep(calls: readonly string[], check: (at: number) => Promise<void>): Promise<void> {
  const left = calls.map((_, at) => at + 1);
  const worker = async () => {
    for (let at = left.shift(); at !== undefined; at = left.shift()) await check(at);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

for (const from of ['mbox', 'maildir'] as const) {
  const to: Format = from === 'mbox' ? 'maildir' : 'mbox';

  test(`${from} to ${to}: killed at each step`, async (t) => {
    const model = await filled(t, from);
    const before = await seen(model);
    const { calls, said } = await actOn(copyOf(t, model), to, 'convert', 0, 'full');
    assert.equal(said, 'done');
    assert.ok(calls.includes('exchange') && calls.includes('renameNew'), calls.join(' '));
    const places = new Set<Format>();
    await eachStep(calls, async (at) => {
      const folder = copyOf(t, model);
      await actOn(folder, to, 'convert', at, 'dead');
      places.add(formatOf(folder));
      await isInOrder(folder, before, from, to);
    });
    assert.equal(places.size, 2);
  });

  test(`${from} to ${to}: what is left by a kill is brought to its end by the next to open it, who is killed too`, async (t) => {
    const model = await filled(t, from);
    const before = await seen(model);
    const { calls } = await actOn(copyOf(t, model), to, 'convert', 0, 'full');
    const exchange = calls.indexOf('exchange') + 1;
    // Everything is written and nothing done; all but the name of the old one is done.
    for (const at of [exchange, exchange + 1]) {
      const crashed = copyOf(t, model);
      await actOn(crashed, to, 'convert', at, 'dead');
      withoutLockFile(crashed);
      const repair = await actOn(copyOf(t, crashed), to, 'open', 0, 'full');
      assert.equal(repair.said, 'done');
      assert.ok(repair.calls.length > 3, repair.calls.join(' '));
      await eachStep(repair.calls, async (step) => {
        const folder = copyOf(t, crashed);
        await actOn(folder, to, 'open', step, 'dead');
        await isInOrder(folder, before, from, to);
      });
    }
  });

  test(`${from} to ${to}: disc full at each step`, async (t) => {
    const model = await filled(t, from);
    const before = await seen(model);
    const { calls } = await actOn(copyOf(t, model), to, 'convert', 0, 'full');
    await eachStep(calls, async (at) => {
      const folder = copyOf(t, model);
      const { said } = await actOn(folder, to, 'convert', at, 'full');
      // Some calls nothing depends on.
      if (said === 'done') assert.equal(formatOf(folder), to);
      else assert.equal(said, 'temporary', `${at}: ${calls[at - 1]}`);
      await isInOrder(folder, before, from, to);
    });
  });
}
