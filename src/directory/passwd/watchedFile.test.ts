import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silent } from '../../model/log.ts';
import { type Disk, disk } from '../../os/disk.ts';
import { WatchedFile } from './watchedFile.ts';

const SETTLED_MS = 10_000;

function house(t: TestContext, changes: { disk?: Disk; ahead?: () => number; limitOctets?: number } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'watched-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'file');
  const parsed: string[] = [];
  const complaints: unknown[] = [];
  const context = {
    disk: changes.disk ?? disk,
    now: () => Date.now() + (changes.ahead?.() ?? SETTLED_MS),
    log: { ...silent, error: (event: string, fields?: object) => complaints.push({ event, ...fields }) },
    limitOctets: changes.limitOctets ?? 1 << 20,
  };
  const file = new WatchedFile(
    path,
    (octets) => {
      parsed.push(octets.toString().slice(0, 20));
      return octets.toString().slice(0, 20);
    },
    context,
  );
  return { folder, path, file, parsed, complaints };
}

test('read once, and anew when it changed', async (t) => {
  const { file, path, parsed, folder } = house(t);
  assert.equal(await file.current(), undefined);
  writeFileSync(path, 'one');
  assert.equal(await file.current(), 'one');
  assert.equal(await file.current(), 'one');
  assert.deepEqual(parsed, ['one']);
  writeFileSync(path, 'longer');
  assert.equal(await file.current(), 'longer');
  writeFileSync(join(folder, 'new'), 'renamed');
  renameSync(join(folder, 'new'), path);
  assert.equal(await file.current(), 'renamed');
  unlinkSync(path);
  assert.equal(await file.current(), undefined);
  assert.deepEqual(parsed, ['one', 'longer', 'renamed']);
});

test('a link is followed, and a change of what it points to is seen', async (t) => {
  const { file, path, folder } = house(t);
  writeFileSync(join(folder, 'target'), 'one');
  symlinkSync('target', path);
  assert.equal(await file.current(), 'one');
  writeFileSync(join(folder, 'target'), 'another');
  assert.equal(await file.current(), 'another');
});

test('a change of the same size in the same tick is seen: file times are not trusted while they are young', async (t) => {
  // A disk whose clock stands still: every stat gives the times of the first one.
  let frozen: { mtimeNs: bigint; ctimeNs: bigint } | undefined;
  const still = <T extends { mtimeNs: bigint; ctimeNs: bigint } | undefined>(stats: T): T => {
    if (stats === undefined) return stats;
    frozen ??= { mtimeNs: stats.mtimeNs, ctimeNs: stats.ctimeNs };
    return Object.assign(Object.create(stats), frozen);
  };
  let ahead = 0;
  const { file, path, parsed } = house(t, {
    ahead: () => ahead,
    disk: { ...disk, stat: (at) => still(disk.stat(at)), fstat: (fd) => still(disk.fstat(fd)) },
  });
  writeFileSync(path, 'one');
  assert.equal(await file.current(), 'one');
  writeFileSync(path, 'two');
  assert.equal(await file.current(), 'two');
  assert.equal(await file.current(), 'two');
  assert.deepEqual(parsed, ['one', 'two'], 'octets that are the same are not parsed again');
  writeFileSync(path, 'six');
  ahead = SETTLED_MS;
  assert.equal(await file.current(), 'six', 'once more when the times are old enough to be trusted');
  writeFileSync(path, 'ten');
  assert.equal(await file.current(), 'six', 'the clock stands still, which none does for seconds');
});

test('a change that keeps size and modification time is seen by its change time', async (t) => {
  const { file, path } = house(t);
  writeFileSync(path, 'one');
  const { mtime } = statSync(path);
  assert.equal(await file.current(), 'one');
  // Long enough for the clock of the file system to move on.
  for (const before = statSync(path, { bigint: true }).ctimeNs; statSync(path, { bigint: true }).ctimeNs === before; ) {
    writeFileSync(path, 'two');
    utimesSync(path, mtime, mtime);
  }
  assert.equal(await file.current(), 'two');
});

test('those who ask while a large file is read share the reading, unless it changed since it began', async (t) => {
  let readings = 0;
  const watching: Disk = {
    ...disk,
    readLater(...args) {
      readings += 1;
      return disk.readLater(...args);
    },
  };
  const { file, path, parsed } = house(t, { disk: watching });
  const large = (start: string) => start + '.'.repeat(300_000);
  writeFileSync(path, large('one'));
  const value = (start: string) => large(start).slice(0, 20);
  assert.equal(file.peek(), undefined);
  assert.equal(file.loading, true);
  assert.deepEqual(await Promise.all([file.current(), file.current(), file.current()]), [value('one'), value('one'), value('one')]);
  assert.equal(readings, 1);
  assert.equal(file.peek(), value('one'));
  writeFileSync(path, large('other'));
  const early = file.current();
  const replaced = `${path}.new`;
  writeFileSync(replaced, large('third!'));
  renameSync(replaced, path);
  assert.deepEqual(await Promise.all([file.current(), file.current()]), [value('third!'), value('third!')]);
  await early;
  assert.deepEqual(parsed.at(-1), value('third!'));
});

test('what can not be read is a temporary fault, said once in the log', async (t) => {
  const { file, path, complaints } = house(t, { limitOctets: 10 });
  const fault = { kind: 'temporary', text: 'accounts can not be looked up just now' };
  mkdirSync(path);
  await assert.rejects(file.current(), fault);
  await assert.rejects(file.current(), fault);
  assert.equal(file.peek(), undefined);
  rmSync(path, { recursive: true });
  assert.equal(await file.current(), undefined);
  writeFileSync(path, 'eleven octets');
  await assert.rejects(file.current(), fault);
  writeFileSync(path, 'ten octets');
  assert.equal(await file.current(), 'ten octets');
  unlinkSync(path);
  symlinkSync('file', path);
  await assert.rejects(file.current(), fault);
  assert.deepEqual(complaints.slice(0, 2), [
    { event: 'directory.unreadable', file: path, reason: 'not a regular file' },
    { event: 'directory.unreadable', file: path, reason: 'larger than 10 octets' },
  ]);
  assert.equal(complaints.length, 3);
});
