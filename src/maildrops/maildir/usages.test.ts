import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Disk, disk } from '../../os/disk.ts';
import { Usages } from './usages.ts';

const uid = process.getuid?.() ?? 0;

/** A Maildir that nothing has happened to for a while, and a disk that counts what it is asked. */
function maildir(t: TestContext, rememberedSizes = 1000) {
  const path = fs.mkdtempSync(join(tmpdir(), 'usages-'));
  t.after(() => fs.rmSync(path, { recursive: true }));
  for (const folder of ['new', 'cur', 'tmp']) fs.mkdirSync(join(path, folder), { mode: 0o700 });
  const asked: string[] = [];
  const counting: Disk = {
    ...disk,
    readdir(folder) {
      asked.push(`readdir ${folder.slice(path.length + 1)}`);
      return disk.readdir(folder);
    },
    lstat(file) {
      asked.push(`lstat ${file.slice(path.length + 1)}`);
      return disk.lstat(file);
    },
  };
  // Later than any file time by far: what is read now is settled.
  let nowMs = Date.now() + 60_000;
  const usages = new Usages({ disk: counting, now: () => nowMs, rememberedSizes });
  return {
    path,
    put: (name: string, octets: number) => fs.writeFileSync(join(path, name), 'x'.repeat(octets)),
    usage: () => usages.of(path, uid),
    asked: () => asked.splice(0),
    setNow(ms: number) {
      nowMs = ms;
    },
    usages,
  };
}

test('sizes come from the names; a name without one is looked at once, wherever it moves', async (t) => {
  const { path, put, usage, asked } = maildir(t);
  put('new/1790000000.M1P1.mail,S=1000,W=1020', 3);
  put('cur/1790000001.M1P1.mail,S=500:2,S', 3);
  put('new/1790000002.Vfe01I2M3.mail', 77);
  put('tmp/1790000003.M1P1.mail', 5000);
  put('new/.hidden', 5000);
  assert.deepEqual(await usage(), { octets: 1577, messages: 3 });
  assert.deepEqual(asked(), ['readdir new', 'lstat new/1790000002.Vfe01I2M3.mail', 'readdir cur']);

  fs.renameSync(join(path, 'new/1790000002.Vfe01I2M3.mail'), join(path, 'cur/1790000002.Vfe01I2M3.mail:2,S'));
  assert.deepEqual(await usage(), { octets: 1577, messages: 3 });
  assert.deepEqual(asked(), ['readdir new', 'readdir cur']);
});

test('while nothing happens nothing is read, and of two folders the one that changed', async (t) => {
  const { put, usage, asked, path } = maildir(t);
  put('new/1790000000.M1P1.mail,S=1000', 1);
  put('cur/1790000001.M1P1.mail,S=500:2,S', 1);
  await usage();
  asked();
  assert.deepEqual(await usage(), { octets: 1500, messages: 2 });
  assert.deepEqual(asked(), []);
  fs.unlinkSync(join(path, 'cur/1790000001.M1P1.mail,S=500:2,S'));
  assert.deepEqual(await usage(), { octets: 1000, messages: 1 });
  assert.deepEqual(asked(), ['readdir cur']);
});

test('what was read in the same tick as the last change may have missed one, and is read again', async (t) => {
  const { put, usage, asked, setNow } = maildir(t);
  put('new/1790000000.M1P1.mail,S=1000', 1);
  setNow(Date.now());
  await usage();
  asked();
  await usage();
  assert.deepEqual(asked(), ['readdir new', 'readdir cur']);
});

test('what is no message holds nothing, and neither does a Maildir without folders', async (t) => {
  const { path, usage } = maildir(t);
  fs.symlinkSync('/etc/passwd', join(path, 'new/1790000000.link'));
  fs.mkdirSync(join(path, 'cur/1790000001.folder'));
  assert.deepEqual(await usage(), { octets: 0, messages: 0 });
  for (const folder of ['new', 'cur']) fs.rmSync(join(path, folder), { recursive: true });
  assert.deepEqual(await usage(), { octets: 0, messages: 0 });
});

test("somebody else's folder is not looked into", async (t) => {
  const { path, usages } = maildir(t);
  await assert.rejects(usages.of(path, uid + 1), { kind: 'permanent' });
});

test('memory is bounded: sizes that were forgotten are looked up again', async (t) => {
  const { put, usage, asked } = maildir(t, 6);
  put('new/1790000000.a', 1);
  put('new/1790000000.b', 2);
  await usage();
  asked();
  assert.deepEqual(await usage(), { octets: 3, messages: 2 });
  assert.deepEqual(asked(), []);
  put('new/1790000000.c', 3);
  await usage();
  asked();
  assert.deepEqual(await usage(), { octets: 6, messages: 3 });
  // In the order of the directory, whatever that is.
  assert.deepEqual(asked().sort(), [
    'lstat new/1790000000.a',
    'lstat new/1790000000.b',
    'lstat new/1790000000.c',
    'readdir cur',
    'readdir new',
  ]);
});
