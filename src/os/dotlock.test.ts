import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { folder, nodeChild } from './children.test.ts';
import { type Disk, disk } from './disk.ts';
import { type DotlockOptions, tryDotlock } from './dotlock.ts';

const minute = 60_000;

function options(more: Partial<DotlockOptions> = {}): DotlockOptions {
  return { disk, staleMs: 500_000, now: Date.now, mayBreak: () => true, ...more };
}

function mailboxIn(t: TestContext): string {
  return join(folder(t), 'abc');
}

test('whoever makes the file has the mailbox', (t) => {
  const mailbox = mailboxIn(t);
  const first = tryDotlock(mailbox, options());
  assert.equal(first.outcome, 'held');
  assert.equal(fs.readFileSync(`${mailbox}.lock`, 'latin1').split('\n')[0], String(process.pid));
  assert.equal(tryDotlock(mailbox, options()).outcome, 'busy');
  first.lock.release();
  assert.deepEqual(fs.readdirSync(join(mailbox, '..')), []);
  assert.equal(tryDotlock(mailbox, options()).outcome, 'held');
});

test('release removes only the file that this lock made', (t) => {
  const mailbox = mailboxIn(t);
  const first = tryDotlock(mailbox, options());
  assert.equal(first.outcome, 'held');
  fs.renameSync(`${mailbox}.lock`, `${mailbox}.away`);
  fs.writeFileSync(`${mailbox}.lock`, '');
  first.lock.release();
  assert.equal(fs.existsSync(`${mailbox}.lock`), true);
  fs.unlinkSync(`${mailbox}.lock`);
  first.lock.release();
});

test('an empty lock file, such as Postfix makes, is stale at the documented age and not before', (t) => {
  const mailbox = mailboxIn(t);
  fs.writeFileSync(`${mailbox}.lock`, '', { mode: 0 });
  const made = Date.now();
  assert.equal(tryDotlock(mailbox, options({ now: () => made + 8 * minute })).outcome, 'busy');
  assert.equal(tryDotlock(mailbox, options({ now: () => made + 9 * minute })).outcome, 'held');
});

test('a modification time set back makes no lock file older', (t) => {
  const mailbox = mailboxIn(t);
  fs.writeFileSync(`${mailbox}.lock`, '');
  fs.utimesSync(`${mailbox}.lock`, 0, 0);
  assert.equal(tryDotlock(mailbox, options()).outcome, 'busy');
});

test('a stale lock file stays while the caller may not remove it', (t) => {
  const mailbox = mailboxIn(t);
  fs.writeFileSync(`${mailbox}.lock`, '');
  const later = Date.now() + 9 * minute;
  assert.equal(tryDotlock(mailbox, options({ now: () => later, mayBreak: () => false })).outcome, 'busy');
  assert.equal(fs.existsSync(`${mailbox}.lock`), true);
});

test('two that find the same stale file: the second leaves the first one’s new file', (t) => {
  const mailbox = mailboxIn(t);
  fs.writeFileSync(`${mailbox}.lock`, '');
  const later = Date.now() + 9 * minute;
  let first: string | undefined;
  const second = tryDotlock(mailbox, {
    ...options({ now: () => later }),
    // Between the look and the removal another process does all of it.
    mayBreak() {
      fs.unlinkSync(`${mailbox}.lock`);
      first = tryDotlock(mailbox, options()).outcome;
      return true;
    },
    // By the clock of the second the new file is as young as it is.
    now: () => (first === undefined ? later : Date.now()),
  });
  assert.equal(first, 'held');
  assert.equal(second.outcome, 'busy');
  assert.equal(fs.readFileSync(`${mailbox}.lock`, 'latin1').split('\n')[0], String(process.pid));
});

test('the file of another living process of ours is respected; once it is dead the mailbox is free at once', async (t) => {
  const mailbox = mailboxIn(t);
  const child = nodeChild(
    t,
    `import { disk } from './disk.ts';
     import { tryDotlock } from './dotlock.ts';
     console.log(tryDotlock(process.argv[1] ?? '', { disk, staleMs: 500_000, now: Date.now, mayBreak: () => true }).outcome);
     process.stdin.resume();`,
    mailbox,
  );
  assert.equal(await child.line(), 'held');
  assert.equal(tryDotlock(mailbox, options()).outcome, 'busy');
  await child.kill();
  assert.equal(tryDotlock(mailbox, options()).outcome, 'held');
});

test('a process id alone, or one of another boot, frees nothing before the age', (t) => {
  const mailbox = mailboxIn(t);
  const gone = spawnSync(process.execPath, ['--version']).pid;
  for (const text of [`${gone}\n`, `${gone}\npostkasse 00000000-0000-0000-0000-000000000000 pid:[4026531836]\n`, 'x\n', '\0'.repeat(300)]) {
    fs.writeFileSync(`${mailbox}.lock`, text);
    assert.equal(tryDotlock(mailbox, options()).outcome, 'busy', JSON.stringify(text));
  }
});

test('one of ours that was never signed, its maker killed, is free after two seconds; one of another program is not', (t) => {
  const mailbox = mailboxIn(t);
  const stopped = failing({
    write() {
      throw new Error('killed');
    },
  });
  // What lies there before the first octet is written is all that a process killed by then leaves.
  const left = tryDotlock(mailbox, options({ disk: stopped }));
  assert.equal(left.outcome, 'held');
  const { mode } = fs.statSync(`${mailbox}.lock`);
  const made = Date.now();
  assert.equal(tryDotlock(mailbox, options({ now: () => made + 1_000 })).outcome, 'busy');
  assert.equal(tryDotlock(mailbox, options({ now: () => made + 3_000, mayBreak: () => false })).outcome, 'busy');
  const ours = tryDotlock(mailbox, options({ now: () => made + 3_000 }));
  assert.equal(ours.outcome, 'held');
  assert.notEqual(fs.statSync(`${mailbox}.lock`).mode, mode);
  assert.equal(tryDotlock(mailbox, options({ now: () => made + 8 * minute })).outcome, 'busy');
  ours.lock.release();
  for (const others of [0o000, 0o400, 0o444, 0o600, 0o644, 0o666]) {
    fs.writeFileSync(`${mailbox}.lock`, '');
    fs.chmodSync(`${mailbox}.lock`, others);
    assert.equal(tryDotlock(mailbox, options({ now: () => made + 3_000 })).outcome, 'busy', others.toString(8));
    fs.unlinkSync(`${mailbox}.lock`);
  }
});

test('a link in the place of the lock file is not followed', (t) => {
  const mailbox = mailboxIn(t);
  fs.symlinkSync('elsewhere', `${mailbox}.lock`);
  assert.equal(tryDotlock(mailbox, options()).outcome, 'busy');
  assert.deepEqual(fs.readdirSync(join(mailbox, '..')), ['abc.lock']);
});

/** The disc as it is, but for what a test replaces. */
function failing(more: Partial<Disk>): Disk {
  return { ...disk, ...more };
}

function thrower(code: string): () => never {
  return () => {
    throw Object.assign(new Error(code), { code });
  };
}

test('a directory that takes no lock file is told apart from one that is full', (t) => {
  const mailbox = mailboxIn(t);
  for (const code of ['EACCES', 'EPERM', 'EROFS']) {
    assert.equal(tryDotlock(mailbox, options({ disk: failing({ open: thrower(code) }) })).outcome, 'not-permitted');
  }
  assert.throws(() => tryDotlock(mailbox, options({ disk: failing({ open: thrower('ENOSPC') }) })), { code: 'ENOSPC' });
});

test('no room for the process id: the empty file locks all the same', (t) => {
  const mailbox = mailboxIn(t);
  const attempt = tryDotlock(mailbox, options({ disk: failing({ write: thrower('ENOSPC') }) }));
  assert.equal(attempt.outcome, 'held');
  assert.equal(fs.statSync(`${mailbox}.lock`).size, 0);
  attempt.lock.release();
  assert.equal(fs.existsSync(`${mailbox}.lock`), false);
});

test('an error half-way leaves no lock file behind', (t) => {
  const mailbox = mailboxIn(t);
  assert.throws(() => tryDotlock(mailbox, options({ disk: failing({ fstat: thrower('EIO') }) })), { code: 'EIO' });
  assert.equal(fs.existsSync(`${mailbox}.lock`), false);
});
