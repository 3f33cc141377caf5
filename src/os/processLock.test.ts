import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { folder, nodeChild } from './children.test.ts';
import { takeProcessLock } from './processLock.ts';

test('the second instance is told who the first one is, and a dead one is no hindrance', async (t) => {
  const path = join(folder(t), 'postkasse.pid');
  const child = nodeChild(
    t,
    `import { takeProcessLock } from './processLock.ts';
     takeProcessLock(process.argv[1] ?? '');
     console.log('running');
     process.stdin.resume();`,
    path,
  );
  assert.equal(await child.line(), 'running');
  assert.throws(() => takeProcessLock(path), { message: `${path}: already running, process ${child.pid}`, exitCode: 69 });
  await child.kill();
  const lock = takeProcessLock(path);
  assert.equal(lock.killed, child.pid);
  assert.equal(fs.readFileSync(path, 'latin1'), `${process.pid}\n`);
  lock.release();
  assert.equal(fs.readFileSync(path, 'latin1'), '');
  const again = takeProcessLock(path);
  assert.equal(again.killed, undefined);
  again.release();
});

test('a link to a file of somebody else is not written to', (t) => {
  const place = folder(t);
  const victim = join(place, 'victim');
  fs.writeFileSync(victim, 'precious');
  const path = join(place, 'postkasse.pid');
  fs.symlinkSync(victim, path);
  assert.throws(() => takeProcessLock(path), { code: 'ELOOP' });
  fs.unlinkSync(path);
  fs.linkSync(victim, path);
  assert.throws(() => takeProcessLock(path), { message: `${path}: should be a file of its own; remove it` });
  assert.equal(fs.readFileSync(victim, 'latin1'), 'precious');
});
