import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Fault } from '../model/fault.ts';
import { silent } from '../model/log.ts';
import { folder, pythonChild, withoutPython } from './children.test.ts';
import { disk } from './disk.ts';
import { tryLock, unlock } from './locks.ts';
import { lockMailbox, type MailboxLockOptions, tryLockMailbox } from './mailboxLock.ts';

const options: MailboxLockOptions = { disk, log: silent, now: Date.now };

function mailboxIn(t: TestContext): { path: string; open(): number } {
  const path = join(folder(t), 'abc');
  fs.writeFileSync(path, '');
  return {
    path,
    open() {
      const fd = fs.openSync(path, 'r+');
      t.after(() => fs.closeSync(fd));
      return fd;
    },
  };
}

test('holds both locks, gives back both, once', (t) => {
  const { path, open } = mailboxIn(t);
  const [ours, other] = [open(), open()];
  const lock = tryLockMailbox(path, ours, options);
  assert.equal(lock?.dotlock, true);
  assert.equal(fs.existsSync(`${path}.lock`), true);
  assert.equal(tryLock(other, 'write'), false);
  lock.release();
  assert.equal(fs.existsSync(`${path}.lock`), false);
  const next = tryLockMailbox(path, other, options);
  assert.notEqual(next, undefined);
  lock.release();
  assert.equal(fs.existsSync(`${path}.lock`), true);
  assert.equal(tryLock(ours, 'write'), false);
});

test('either lock in other hands keeps us out, and nothing of ours stays behind', (t) => {
  const { path, open } = mailboxIn(t);
  const [ours, other] = [open(), open()];
  assert.equal(tryLock(other, 'write'), true);
  assert.equal(tryLockMailbox(path, ours, options), undefined);
  assert.equal(fs.existsSync(`${path}.lock`), false);
  unlock(other);
  fs.writeFileSync(`${path}.lock`, '');
  assert.equal(tryLockMailbox(path, ours, options), undefined);
  assert.equal(tryLock(other, 'write'), true);
});

test('waits until both are free', async (t) => {
  const { path, open } = mailboxIn(t);
  const other = open();
  const first = tryLockMailbox(path, other, options);
  assert.notEqual(first, undefined);
  let got = false;
  const waiting = lockMailbox(path, open(), options).then((lock) => {
    got = true;
    return lock;
  });
  await new Promise(setImmediate);
  assert.equal(got, false);
  first?.release();
  (await waiting).release();
});

test('gives up after the time-out with a fault that names no path', async (t) => {
  const { path, open } = mailboxIn(t);
  tryLockMailbox(path, open(), options);
  await assert.rejects(lockMailbox(path, open(), { ...options, timeoutMs: 20 }), (thrown) => {
    assert.ok(thrown instanceof Fault);
    assert.equal(thrown.kind, 'temporary');
    assert.equal(thrown.message, 'another program has locked the mailbox; try again later');
    assert.ok(thrown.cause instanceof Error);
    assert.equal(thrown.cause.message, `${path}: not free after 20 ms`);
    return true;
  });
});

test('a stale dotlock goes, unless its maker is alive and has the kernel lock', (t) => {
  const { path, open } = mailboxIn(t);
  const [ours, maker] = [open(), open()];
  const later = { ...options, now: () => Date.now() + 501_000 };
  fs.writeFileSync(`${path}.lock`, '');
  assert.equal(tryLock(maker, 'write'), true);
  assert.equal(tryLockMailbox(path, ours, later), undefined);
  assert.equal(fs.existsSync(`${path}.lock`), true);
  unlock(maker);
  const lock = tryLockMailbox(path, ours, later);
  assert.equal(lock?.dotlock, true);
  assert.equal(tryLock(maker, 'write'), false);
});

test('where no lock file may be made the kernel lock does alone', (t) => {
  const { path, open } = mailboxIn(t);
  const [ours, other] = [open(), open()];
  const noEntry = (): never => {
    throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
  };
  const lock = tryLockMailbox(path, ours, { ...options, disk: { ...disk, open: noEntry } });
  assert.equal(lock?.dotlock, false);
  assert.equal(fs.existsSync(`${path}.lock`), false);
  assert.equal(tryLock(other, 'write'), false);
  lock.release();
  assert.equal(tryLock(other, 'write'), true);
});

test('release never throws: a lock file that is gone is nothing, one that stays is a warning', (t) => {
  const { path, open } = mailboxIn(t);
  const warned: string[] = [];
  const log = { ...silent, warn: (event: string) => void warned.push(event) };
  const gone = tryLockMailbox(path, open(), { ...options, log });
  fs.unlinkSync(`${path}.lock`);
  gone?.release();
  assert.deepEqual(warned, []);
  const unlink = (): never => {
    throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  tryLockMailbox(path, open(), { ...options, log, disk: { ...disk, unlink } })?.release();
  assert.deepEqual(warned, ['mailbox.unlock-failed']);
});

/** dot_lockfile() and then myflock(), as Postfix's mbox_open(); adds a line for each that it holds both. */
const postfix = `
import fcntl, os, sys, time
path, times = sys.argv[1], int(sys.argv[2])
for n in range(times):
    while True:
        try:
            os.close(os.open(path + '.lock', os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0))
            break
        except FileExistsError:
            time.sleep(0.001)
    with open(path, 'r+') as mailbox:
        fcntl.lockf(mailbox, fcntl.LOCK_EX)
        count = int(mailbox.read() or '0')
        mailbox.seek(0)
        mailbox.write(str(count + 1))
        mailbox.flush()
    os.unlink(path + '.lock')
print('done')
`;

test('counting up in turns with a program that locks as Postfix does: no count is lost', { skip: withoutPython }, async (t) => {
  const { path, open } = mailboxIn(t);
  const other = pythonChild(t, postfix, path, '50');
  const fd = open();
  for (let turn = 0; turn < 50; turn += 1) {
    const lock = await lockMailbox(path, fd, options);
    const count = Number(fs.readFileSync(path, 'latin1') || '0');
    fs.writeSync(fd, String(count + 1), 0);
    lock.release();
    await new Promise(setImmediate);
  }
  assert.equal(await other.line(), 'done');
  assert.equal(fs.readFileSync(path, 'latin1'), '100');
});
