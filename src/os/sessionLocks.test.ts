import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { folder, nodeChild } from './children.test.ts';
import { createSessionLocks } from './sessionLocks.ts';

test('one session for each name, in one process', (t) => {
  const path = join(folder(t), 'sessions');
  const locks = createSessionLocks(path);
  const first = locks.take('abc@kvt.dk');
  assert.notEqual(first, undefined);
  assert.equal(locks.take('abc@kvt.dk'), undefined);
  assert.notEqual(locks.take('kvt@kvt.dk'), undefined);
  first?.release();
  const second = locks.take('abc@kvt.dk');
  assert.notEqual(second, undefined);
  first?.release();
  assert.equal(locks.take('abc@kvt.dk'), undefined);
  assert.equal(fs.statSync(path).size, 0);
  locks.close();
});

test('one session for each name, between processes; a dead one leaves nothing', async (t) => {
  const path = join(folder(t), 'sessions');
  const child = nodeChild(
    t,
    `import { createSessionLocks } from './sessionLocks.ts';
     const locks = createSessionLocks(process.argv[1] ?? '');
     console.log(locks.take('abc@kvt.dk') !== undefined);
     process.stdin.resume();`,
    path,
  );
  assert.equal(await child.line(), 'true');
  const locks = createSessionLocks(path);
  assert.equal(locks.take('abc@kvt.dk'), undefined);
  assert.notEqual(locks.take('kvt@kvt.dk'), undefined);
  await child.kill();
  assert.notEqual(locks.take('abc@kvt.dk'), undefined);
  locks.close();
});

test('close ends every lock, and nothing can be taken or given back afterwards', (t) => {
  const path = join(folder(t), 'sessions');
  const [locks, others] = [createSessionLocks(path), createSessionLocks(path)];
  const lock = locks.take('abc@kvt.dk');
  assert.equal(others.take('abc@kvt.dk'), undefined);
  locks.close();
  assert.notEqual(others.take('abc@kvt.dk'), undefined);
  lock?.release();
  assert.throws(() => locks.take('abc@kvt.dk'), { code: 'EBADF' });
  others.close();
});
