import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { folder, nodeChild, pythonChild, withoutPython } from './children.test.ts';
import { tryLock, unlock } from './locks.ts';

function opened(t: TestContext, path: string, flags = fs.constants.O_RDWR | fs.constants.O_CREAT): number {
  const fd = fs.openSync(path, flags, 0o600);
  t.after(() => fs.closeSync(fd));
  return fd;
}

test('two openings in one process exclude each other', (t) => {
  const path = join(folder(t), 'mailbox');
  const first = opened(t, path);
  const second = opened(t, path);
  assert.equal(tryLock(first, 'write'), true);
  assert.equal(tryLock(second, 'write'), false);
  assert.equal(tryLock(second, 'read'), false);
  unlock(first);
  assert.equal(tryLock(second, 'write'), true);
});

test('readers share, a writer waits for the last of them', (t) => {
  const path = join(folder(t), 'mailbox');
  const [first, second, third] = [opened(t, path), opened(t, path), opened(t, path)];
  assert.equal(tryLock(first, 'read'), true);
  assert.equal(tryLock(second, 'read'), true);
  assert.equal(tryLock(third, 'write'), false);
  unlock(first);
  assert.equal(tryLock(third, 'write'), false);
  unlock(second);
  assert.equal(tryLock(third, 'write'), true);
});

test('ranges are locked apart, up to the last octet a file can have', (t) => {
  const path = join(folder(t), 'locks');
  const first = opened(t, path);
  const second = opened(t, path);
  const last = 2n ** 63n - 2n;
  assert.equal(tryLock(first, 'write', 7n, 1n), true);
  assert.equal(tryLock(second, 'write', 8n, 1n), true);
  assert.equal(tryLock(second, 'write', 7n, 1n), false);
  assert.equal(tryLock(first, 'write', last, 1n), true);
  assert.equal(tryLock(second, 'write', last, 1n), false);
});

test('closing another descriptor of the file leaves the lock alone', (t) => {
  const path = join(folder(t), 'mailbox');
  const first = opened(t, path);
  assert.equal(tryLock(first, 'write'), true);
  fs.closeSync(fs.openSync(path, 'r+'));
  assert.equal(tryLock(opened(t, path), 'write'), false);
});

test('what is no lock conflict is thrown', (t) => {
  const path = join(folder(t), 'mailbox');
  const reading = opened(t, path, fs.constants.O_RDONLY | fs.constants.O_CREAT);
  assert.throws(() => tryLock(reading, 'write'), { code: 'EBADF', syscall: 'fcntl' });
  assert.throws(() => tryLock(opened(t, path), 'write', -1n, 1n), { code: 'EINVAL' });
});

test('another process of ours is excluded, and its death frees the lock', async (t) => {
  const path = join(folder(t), 'mailbox');
  const child = nodeChild(
    t,
    `import fs from 'node:fs';
     import { tryLock } from './locks.ts';
     console.log(tryLock(fs.openSync(process.argv[1] ?? '', fs.constants.O_RDWR | fs.constants.O_CREAT), 'write'));
     process.stdin.resume();`,
    path,
  );
  assert.equal(await child.line(), 'true');
  const fd = opened(t, path);
  assert.equal(tryLock(fd, 'write'), false);
  await child.kill();
  assert.equal(tryLock(fd, 'write'), true);
});

/** fcntl.lockf is fcntl(2) F_SETLK, as Postfix's `fcntl` lock. */
const classicLocker = `
import fcntl, sys
mailbox = open(sys.argv[1], 'r+')
for line in sys.stdin:
    try:
        fcntl.lockf(mailbox, fcntl.LOCK_UN if line == 'unlock\\n' else fcntl.LOCK_EX | fcntl.LOCK_NB)
        print('done')
    except OSError as error:
        print(type(error).__name__)
`;

test('the classic fcntl lock of another program and ours exclude each other', { skip: withoutPython }, async (t) => {
  const path = join(folder(t), 'mailbox');
  const fd = opened(t, path);
  const postfix = pythonChild(t, classicLocker, path);
  postfix.say('lock');
  assert.equal(await postfix.line(), 'done');
  assert.equal(tryLock(fd, 'write'), false);
  postfix.say('unlock');
  assert.equal(await postfix.line(), 'done');
  assert.equal(tryLock(fd, 'write'), true);
  postfix.say('lock');
  assert.equal(await postfix.line(), 'BlockingIOError');
  unlock(fd);
  postfix.say('lock');
  assert.equal(await postfix.line(), 'done');
});
