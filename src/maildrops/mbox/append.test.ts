import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { envelope, mailboxNamed } from '../../../test/support/mail.ts';
import { MboxBench, served } from '../../../test/support/mboxBench.ts';
import { Fault } from '../../model/fault.ts';
import type { Disk } from '../../os/disk.ts';
import { tryLock } from '../../os/locks.ts';

/** 2026-03-04T05:06:07Z as local time, the way mbox has it. */
const at = envelope.receivedAt;
const two = (n: number): string => String(n).padStart(2, '0');
const date = `${'SunMonTueWedThuFriSat'.slice(at.getDay() * 3, at.getDay() * 3 + 3)} Mar ${String(at.getDate()).padStart(2)} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} 2026`;
const fromAda = `From ada@example.org  ${date}\n`;
const isTemporary = (thrown: unknown): boolean => thrown instanceof Fault && thrown.kind === 'temporary';

test('a message is stored as Postfix stores it, with lines that begin with From quoted', async (t) => {
  const bench = new MboxBench(t);
  const backend = bench.backend();
  await bench.deliver(backend, 'Subject: 1\r\n\r\nFrom here on\r\n>From\r\n>From there\r\nFromage\r\n');
  assert.equal(bench.content, `${fromAda}Subject: 1\n\n>From here on\n>From\n>>From there\nFromage\n\n`);
  await bench.deliver(backend, 'Subject: 2\n\nx', '');
  assert.equal(
    bench.content.slice(-`From MAILER-DAEMON  ${date}\nSubject: 2\n\nx\n\n`.length),
    `From MAILER-DAEMON  ${date}\nSubject: 2\n\nx\n\n`,
  );
});

test('a sender can not put a line into the mailbox', async (t) => {
  const bench = new MboxBench(t);
  await bench.deliver(bench.backend(), 'Subject: 1\n\n', 'a\n\nFrom b\r\u2028@c');
  assert.equal(bench.content, `From a??From b??@c  ${date}\nSubject: 1\n\n\n`);
});

test('a new mailbox is for its owner only, and so are the folders made for it', async (t) => {
  const bench = new MboxBench(t);
  const path = join(bench.folder, 'a/b/mailbox');
  await bench.backend().deliver({ path, mailbox: mailboxNamed('abc@kvt.dk') }, [Buffer.from('x\n')], envelope);
  const modes = ['a', 'a/b', 'a/b/mailbox'].map((name) => fs.statSync(join(bench.folder, name)).mode & 0o777);
  assert.deepEqual(modes, [0o700, 0o700, 0o600]);
  assert.deepEqual(fs.readdirSync(join(bench.folder, 'a/b')), ['mailbox']);
});

test('an end that is missing is put in, so that the new message is one of its own', async (t) => {
  for (const [end, parting] of [
    ['', '\n\n'],
    ['\n', '\n'],
    ['\n\n', ''],
    ['\r\n', '\n'],
    ['\r\n\r\n', ''],
    ['\n\r\n', ''],
  ] as const) {
    const bench = new MboxBench(t, `From a\nSubject: 1\n\none${end}`);
    const backend = bench.backend();
    await (await bench.open(backend))[Symbol.asyncDispose]();
    await bench.deliver(backend, 'Subject: 2\n\ntwo\n');
    assert.equal(bench.content, `From a\nSubject: 1\n\none${end}${parting}${fromAda}Subject: 2\n\ntwo\n\n`);
    for (const one of [backend, bench.backend({ stateDir: undefined })]) {
      await using maildrop = await bench.open(one);
      assert.equal((await served(maildrop)).at(-1), 'Subject: 2\n\ntwo\n');
      assert.equal(maildrop.messages.length, 2);
    }
  }
});

test('an empty file and one with a blank line are mailboxes', async (t) => {
  for (const before of ['', '\n', '\r\n']) {
    const bench = new MboxBench(t, before);
    await bench.deliver(bench.backend(), 'x: y\n');
    assert.equal(bench.content, `${before}${before === '\r\n' ? '' : ''}${fromAda}x: y\n\n`);
    await using maildrop = await bench.open(bench.backend());
    assert.deepEqual(await served(maildrop), ['x: y\n']);
  }
});

test('many that come at once share the locks and the fsync, and keep their order', async (t) => {
  const bench = new MboxBench(t, '');
  const backend = bench.backend();
  bench.forget();
  const subjects = Array.from({ length: 50 }, (_, n) => `Subject: ${n}\n`);
  await Promise.all(subjects.map((subject) => bench.deliver(backend, subject)));
  await using maildrop = await bench.open(backend);
  assert.deepEqual(await served(maildrop), subjects);
  const syncs = bench.calls.filter((call) => call === 'sync').length;
  assert.ok(syncs <= 2, `${syncs} times fsync`);
});

test('one whose source fails takes nothing with it: the others are delivered', async (t) => {
  const bench = new MboxBench(t, '');
  const backend = bench.backend();
  // Larger than what is read before the mailbox is locked.
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < 30; n++) yield Buffer.alloc(65_536, 'x\n');
    throw new Error('connection lost');
  };
  const place = { path: bench.path, mailbox: mailboxNamed('abc@kvt.dk') };
  const results = await Promise.allSettled([
    bench.deliver(backend, 'Subject: 1\n'),
    backend.deliver(place, broken(), envelope),
    bench.deliver(backend, 'Subject: 2\n'),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  assert.ok(results[1].status === 'rejected' && isTemporary(results[1].reason));
  await using maildrop = await bench.open(backend);
  assert.deepEqual((await served(maildrop)).sort(), ['Subject: 1\n', 'Subject: 2\n']);
});

test('the next session finds the new message ready: one stat, no lock, nothing read', async (t) => {
  const bench = new MboxBench(t, '');
  const backend = bench.backend({ now: () => Date.now() + 60_000 });
  await bench.deliver(backend, 'Subject: 1\n');
  await (await bench.open(backend))[Symbol.asyncDispose]();
  await bench.deliver(backend, 'Subject: 2\n');
  bench.forget();
  await using maildrop = await bench.open(backend);
  assert.equal(maildrop.messages.length, 2);
  assert.deepEqual(bench.calls, ['stat']);
});

test('another program makes the mailbox at the same moment: the message goes into that', async (t) => {
  // After each look that finds nothing, before the next call.
  for (const look of [1, 2]) {
    const bench = new MboxBench(t);
    let looks = 0;
    const disk: Disk = {
      ...bench.disk,
      lstat(path) {
        const there = bench.disk.lstat(path);
        if (path === bench.path && ++looks === look) bench.put('From a\n\ntheirs\n\n');
        return there;
      },
    };
    await bench.deliver(bench.backend({ disk }), 'Subject: ours\n\n');
    assert.match(bench.content, /^From a\n\ntheirs\n\nFrom .*\nSubject: ours\n\n\n$/, `after look ${look}`);
  }
});

test('what is no mailbox file is left alone, and the mail waits', async (t) => {
  const bench = new MboxBench(t);
  const backend = bench.backend();
  fs.mkdirSync(bench.path);
  await assert.rejects(bench.deliver(backend, 'x'), isTemporary);
  fs.rmdirSync(bench.path);
  fs.symlinkSync('nowhere', bench.path);
  await assert.rejects(bench.deliver(backend, 'x'), isTemporary);
  assert.deepEqual(fs.readdirSync(bench.folder).sort(), ['abc', 'state']);
  fs.unlinkSync(bench.path);
  bench.put('From a\n\n');
  fs.linkSync(bench.path, join(bench.folder, 'other'));
  await assert.rejects(bench.deliver(backend, 'x'), isTemporary);
  assert.equal(bench.content, 'From a\n\n');
  fs.unlinkSync(bench.path);
  fs.symlinkSync('/dev/null', bench.path);
  await assert.rejects(bench.deliver(backend, 'x'), isTemporary);
});

test('a link that somebody else made is not followed', {
  skip: process.getuid?.() !== 0 && 'needs root to make files of two users',
}, async (t) => {
  const bench = new MboxBench(t);
  fs.writeFileSync(join(bench.folder, 'victim'), 'From a\n\n');
  fs.chownSync(join(bench.folder, 'victim'), 1234, 1234);
  fs.symlinkSync('victim', bench.path);
  fs.lchownSync(bench.path, 4321, 4321);
  await assert.rejects(bench.deliver(bench.backend(), 'x'), isTemporary);
  await assert.rejects(bench.open(bench.backend()), (thrown) => thrown instanceof Fault && thrown.kind === 'permanent');
  fs.lchownSync(bench.path, 1234, 1234);
  await using maildrop = await bench.open(bench.backend());
  assert.equal(maildrop.messages.length, 1);
});

test('both locks of Postfix are respected: by its lock file, and by fcntl', async (t) => {
  const bench = new MboxBench(t, 'From a\n\n');
  const backend = bench.backend({ lockTimeoutMs: 0 });
  fs.writeFileSync(`${bench.path}.lock`, '');
  await assert.rejects(bench.deliver(backend, 'x'), isTemporary);
  fs.unlinkSync(`${bench.path}.lock`);
  const fd = fs.openSync(bench.path, 'r+');
  assert.ok(tryLock(fd, 'write'));
  await assert.rejects(bench.deliver(backend, 'x'), isTemporary);
  fs.closeSync(fd);
  assert.equal(bench.content, 'From a\n\n');
  await bench.deliver(backend, 'x: y\n');
  assert.equal(bench.content, `From a\n\n${fromAda}x: y\n\n`);
  assert.equal(fs.existsSync(`${bench.path}.lock`), false);
});
