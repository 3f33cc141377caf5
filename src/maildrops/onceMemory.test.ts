/** The files of what was done once: bounded, and whole after whatever happened. The rest is in test/contracts/onceMemory.ts. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { faultyDisk } from '../../test/faultyDisk.ts';
import { mailboxNamed } from '../../test/support/mail.ts';
import { Fault } from '../model/fault.ts';
import { nodeChild } from '../os/children.test.ts';
import { disk } from '../os/disk.ts';
import { createOnceMemory } from './onceMemory.ts';

const abc = mailboxNamed('abc@kvt.dk');
const day = 86_400;

function folderFor(t: TestContext): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'once-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  return folder;
}

test('a file per topic and mailbox, for its owner only, whatever the name is', async (t) => {
  const folder = folderFor(t);
  const once = createOnceMemory({ folder, disk, now: Date.now });
  const system = { ...mailboxNamed('root@kvt.dk'), domain: undefined, name: 'root' };
  await once.first(abc, 'vacation', 'a', day);
  await once.first(abc, 'vacation', 'b', day);
  await once.first(system, 'receipt', 'a', day);
  const files = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.deepEqual(files.map(({ parentPath, name }) => join(parentPath, name).slice(folder.length)).sort(), [
    '/receipt/@/root',
    '/vacation/kvt.dk/abc',
  ]);
  assert.deepEqual(
    files.map(({ parentPath, name }) => fs.statSync(join(parentPath, name)).mode & 0o777),
    [0o600, 0o600],
  );
  const { size } = fs.statSync(join(folder, 'vacation/kvt.dk/abc'));
  assert.equal(size, 2 * fs.statSync(join(folder, 'receipt/@/root')).size);
});

test('entries whose time is over make room, and when there is none the one that ends first does', async (t) => {
  const folder = folderFor(t);
  let now = 1_000_000;
  const once = createOnceMemory({ folder, disk, now: () => now, mostEntries: 4 });
  const ask = (key: string, lastsS = 100) => once.first(abc, 'vacation', key, lastsS);
  for (const [key, lastsS] of [
    ['a', 100],
    ['b', 50],
    ['c', 10],
    ['d', 100],
  ] as const)
    assert.equal(await ask(key, lastsS), true);
  const { size } = fs.statSync(join(folder, 'vacation/kvt.dk/abc'));
  now += 10_000;
  // c is over, and e takes its place; then f takes that of b.
  for (const key of ['e', 'f']) assert.equal(await ask(key), true);
  assert.equal(fs.statSync(join(folder, 'vacation/kvt.dk/abc')).size, size);
  assert.deepEqual([await ask('a'), await ask('d'), await ask('e'), await ask('f')], [false, false, false, false]);
  assert.equal(await ask('b'), true);
});

test('half a record at the end is none, and the next one takes its place', async (t) => {
  const folder = folderFor(t);
  const once = createOnceMemory({ folder, disk, now: Date.now });
  const path = join(folder, 'vacation/kvt.dk/abc');
  await once.first(abc, 'vacation', 'a', day);
  const { size } = fs.statSync(path);
  await once.first(abc, 'vacation', 'b', day);
  for (let cut = size + 1; cut < 2 * size; cut += 1) {
    fs.truncateSync(path, cut);
    assert.deepEqual(
      [await once.first(abc, 'vacation', 'a', day), await once.first(abc, 'vacation', 'b', day)],
      [false, true],
      String(cut),
    );
  }
  // Blocks that were promised and never written.
  fs.truncateSync(path, 10 * size);
  assert.deepEqual([await once.first(abc, 'vacation', 'b', day), await once.first(abc, 'vacation', 'c', day)], [false, true]);
});

test('what could not be written is a temporary fault, and neither done nor in the way', async (t) => {
  for (const fate of ['once', 'full'] as const) {
    for (let at = 1; ; at += 1) {
      const folder = folderFor(t);
      const faulty = faultyDisk(at, fate);
      const once = createOnceMemory({ folder, disk: faulty.disk, now: Date.now });
      const fault = await once.first(abc, 'vacation', 'a', day).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (fault === undefined) {
        assert.ok(at > 2, 'nothing failed');
        break;
      }
      assert.ok(fault instanceof Fault && fault.kind === 'temporary');
      const after = createOnceMemory({ folder, disk, now: Date.now });
      assert.equal(await after.first(abc, 'vacation', 'b', day), true);
    }
  }
});

test('what is no file of ours is not written to', async (t) => {
  const folder = folderFor(t);
  const other = join(folder, 'other');
  fs.writeFileSync(other, 'untouched');
  fs.mkdirSync(join(folder, 'once/vacation/kvt.dk'), { recursive: true });
  const path = join(folder, 'once/vacation/kvt.dk/abc');
  const once = createOnceMemory({ folder: join(folder, 'once'), disk, now: Date.now });
  for (const put of [() => fs.symlinkSync(other, path), () => fs.mkdirSync(path)]) {
    put();
    await assert.rejects(once.first(abc, 'vacation', 'a', day), Fault);
    fs.rmSync(path, { recursive: true });
  }
  assert.equal(fs.readFileSync(other, 'utf8'), 'untouched');
});

test('processes that ask at the same time: one is the first, also where some are killed', { timeout: 60_000 }, async (t) => {
  const folder = folderFor(t);
  const child = `
    import { createOnceMemory } from '${import.meta.dirname}/onceMemory.ts';
    import { disk } from '${import.meta.dirname}/../os/disk.ts';
    const once = createOnceMemory({ folder: ${JSON.stringify(folder)}, disk, now: Date.now });
    const mailbox = { name: 'abc@kvt.dk', user: 'abc', domain: 'kvt.dk' };
    console.log('ready');
    process.stdin.once('data', async () => {
      for (let n = 0; n < 60; n += 1) if (await once.first(mailbox, 'receipt', 'key ' + n, 86400)) console.log(String(n));
      console.log('done');
      process.exit();
    });
  `;
  const children = [nodeChild(t, child), nodeChild(t, child), nodeChild(t, child)];
  for (const each of children) assert.equal(await each.line(), 'ready');
  for (const each of children) each.say('go');
  const [killed, ...others] = children;
  const firsts: string[] = [];
  // In the middle of its work.
  firsts.push((await killed?.line()) ?? '');
  await killed?.kill();
  for (const each of others) for (let line = await each.line(); line !== 'done'; line = await each.line()) firsts.push(line);
  assert.equal(new Set(firsts).size, firsts.length, 'nobody was told twice');
  const once = createOnceMemory({ folder, disk, now: Date.now });
  for (let n = 0; n < 60; n += 1) assert.equal(await once.first(abc, 'receipt', `key ${n}`, day), false);
});
