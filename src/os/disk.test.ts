import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { folder } from './children.test.ts';
import { codeOf, disk } from './disk.ts';

const { O_RDWR, O_CREAT, O_APPEND } = fs.constants;

test('what stat says, and what it says of nothing', (t) => {
  const path = join(folder(t), 'abc');
  fs.writeFileSync(path, '12345', { mode: 0o640 });
  fs.symlinkSync('abc', `${path}.link`);
  const raw = fs.statSync(path, { bigint: true });
  const found = disk.stat(`${path}.link`);
  assert.ok(found);
  const { dev, ino, size, nlink, uid, gid, mtimeNs, ctimeNs } = found;
  assert.deepEqual(
    { dev, ino, size, nlink, uid, gid, mtimeNs, ctimeNs },
    {
      dev: raw.dev,
      ino: raw.ino,
      size: 5,
      nlink: 1,
      uid: process.getuid?.(),
      gid: Number(raw.gid),
      mtimeNs: raw.mtimeNs,
      ctimeNs: raw.ctimeNs,
    },
  );
  assert.deepEqual([found.isFile(), found.isDirectory(), found.isSymbolicLink()], [true, false, false]);
  assert.equal(disk.lstat(`${path}.link`)?.isSymbolicLink(), true);
  assert.equal(disk.stat(join(path, '..'))?.isDirectory(), true);
  assert.equal(disk.stat(`${path}.none`), undefined);
  assert.equal(disk.stat(`${path}/below`), undefined);
  assert.equal(disk.lstat(`${path}/below`), undefined);
});

test('write and writeLater: at a position, where the descriptor stands, at the end', async (t) => {
  const path = join(folder(t), 'abc');
  const fd = disk.open(path, O_RDWR | O_CREAT, 0o600);
  disk.write(fd, Buffer.from('0123456789'));
  disk.write(fd, Buffer.from('ab'), 0);
  await disk.writeLater(fd, Buffer.from('cd'), 4);
  await disk.writeLater(fd, Buffer.from('X'));
  assert.equal(fs.readFileSync(path, 'latin1'), 'ab23cd6789X');
  const end = disk.open(path, O_RDWR | O_APPEND);
  disk.write(end, Buffer.from('Y'));
  const into = Buffer.alloc(8);
  assert.equal(disk.read(fd, into, 1, 4, 9), 3);
  assert.equal(into.toString('latin1'), '\x009XY\0\0\0\0');
  assert.equal(await disk.readLater(fd, into, 0, 8, 12), 0);
  disk.truncate(fd, 2);
  assert.equal(disk.fstat(fd).size, 2);
  await disk.sync(fd);
  await disk.syncDirectory(join(path, '..'));
  disk.close(fd);
  disk.close(end);
});

test('a full disc shows, from whichever call it is', { skip: fs.existsSync('/dev/full') ? false : 'needs /dev/full' }, async () => {
  const fd = disk.open('/dev/full', O_RDWR);
  assert.throws(() => disk.write(fd, Buffer.from('x')), { code: 'ENOSPC' });
  await assert.rejects(disk.writeLater(fd, Buffer.from('x')), { code: 'ENOSPC' });
  disk.close(fd);
});

test('codeOf', () => {
  assert.equal(codeOf(Object.assign(new Error('x'), { code: 'ENOSPC' })), 'ENOSPC');
  assert.equal(codeOf(new Error('x')), undefined);
  assert.equal(codeOf({ code: 'ENOSPC' }), undefined);
});
