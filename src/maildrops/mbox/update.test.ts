import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { whole } from '../../../test/support/mailOctets.ts';
import { mailboxes, readMbox } from '../../../test/support/mbox.ts';
import { MboxBench, served } from '../../../test/support/mboxBench.ts';
import { Fault } from '../../model/fault.ts';
import type { Maildrop, MaildropMessage } from '../../model/maildrop.ts';
import { tryLock, unlock } from '../../os/locks.ts';

const none: ReadonlySet<MaildropMessage> = new Set();
const message = (n: number | string, body = `body ${n}\n`): string => `From a@b Thu Nov 24 18:22:48 1986\nSubject: ${n}\n\n${body}\n`;
const several = (count: number): string => Array.from({ length: count }, (_, n) => message(n + 1)).join('');

function numbered(maildrop: Maildrop, ...numbers: number[]): Set<MaildropMessage> {
  return new Set(maildrop.messages.filter((_, index) => numbers.includes(index + 1)));
}

test('any subset removed from any file leaves the rest as it was, octet by octet', async (t) => {
  const bench = new MboxBench(t);
  const chosen = fc.array(fc.boolean(), { minLength: 60, maxLength: 60, size: 'max' });
  await fc.assert(
    fc.asyncProperty(mailboxes, chosen, fc.boolean(), async (text, marks, linked) => {
      bench.put(text);
      // A second name: it can only be changed in place.
      fs.rmSync(join(bench.folder, 'other'), { force: true });
      if (linked) fs.linkSync(bench.path, join(bench.folder, 'other'));
      const before = readMbox(text);
      const backend = bench.backend({ statusHeader: 'never' });
      await using maildrop = await bench.open(backend);
      assert.deepEqual(
        await served(maildrop),
        before.messages.map(({ content }) => content),
      );
      await maildrop.update(new Set(maildrop.messages.filter((_, n) => marks[n])), none);

      const kept = before.messages.filter((_, n) => !marks[n]);
      const expected = before.preamble + kept.map(({ raw }) => raw).join('');
      const after = bench.content;
      // The last message may have been given the end that it lacked.
      assert.ok(
        after === expected || (after.startsWith(expected) && /^\n{1,2}$/.test(after.slice(expected.length))),
        JSON.stringify(after),
      );
      if (kept.length === before.messages.length) assert.equal(after, text, 'nothing to do, nothing written');

      await using known = await bench.open(backend);
      await using afresh = await bench.open(bench.backend({ stateDir: undefined }));
      const read = readMbox(after).messages;
      for (const one of [known, afresh]) {
        assert.deepEqual(
          one.messages.map(({ octets }) => octets),
          read.map(({ octets }) => octets),
        );
        assert.deepEqual(
          await served(one),
          read.map(({ content }) => content),
        );
      }
      const ids = maildrop.messages.map(({ uniqueId }) => uniqueId).filter((_, n) => !marks[n]);
      assert.deepEqual(
        known.messages.map(({ uniqueId }) => uniqueId),
        ids,
      );
    }),
    { numRuns: 250 },
  );
});

test('to remove the last of 10,000 messages nothing is written to the mailbox', async (t) => {
  const bench = new MboxBench(t, several(10_000));
  const backend = bench.backend();
  await using maildrop = await bench.open(backend);
  bench.forget();
  await maildrop.update(numbered(maildrop, 10_000), none);
  assert.equal(bench.content, several(9999));
  assert.ok(bench.calls.includes('truncate') && !bench.calls.includes('rename') === !fs.existsSync(join(bench.stateDir, 'mbox')));
  assert.ok(!bench.calls.includes('writeLater'));
});

test('nothing marked: nothing is touched, whatever was read', async (t) => {
  const bench = new MboxBench(t, several(3));
  const backend = bench.backend();
  await using maildrop = await bench.open(backend);
  await served(maildrop);
  bench.forget();
  await maildrop.update(none, new Set(maildrop.messages));
  assert.deepEqual(bench.calls, []);
});

test('a file without a recognised message is never emptied', async (t) => {
  for (const text of ['not a mailbox\n', '\0\0\0\0', '\n\n\n', 'x\nFrom a\n\nmore\n']) {
    const bench = new MboxBench(t, text);
    await using maildrop = await bench.open(bench.backend({ statusHeader: 'always' }));
    assert.deepEqual(maildrop.messages, []);
    await maildrop.update(new Set(maildrop.messages), none);
    assert.equal(bench.content, text);
  }
});

test('what comes before the first message stays when all messages go', async (t) => {
  const bench = new MboxBench(t, `nonsense\n\n${several(2)}`);
  await using maildrop = await bench.open(bench.backend());
  assert.equal(maildrop.messages.length, 2);
  await maildrop.update(new Set(maildrop.messages), none);
  assert.equal(bench.content, 'nonsense\n\n');
});

test('owner, mode and the name of the file stay, and nothing else is left beside it', async (t) => {
  const bench = new MboxBench(t, several(3));
  fs.chmodSync(bench.path, 0o640);
  if (process.getuid?.() === 0) fs.chownSync(bench.path, 1234, 4321);
  const before = fs.statSync(bench.path);
  fs.writeFileSync(join(bench.folder, '.abc.new'), 'left over from a killed process');
  await using maildrop = await bench.open(bench.backend());
  await maildrop.update(numbered(maildrop, 1), none);
  const after = fs.statSync(bench.path);
  assert.deepEqual([after.mode, after.uid, after.gid, after.nlink], [before.mode, before.uid, before.gid, 1]);
  assert.notEqual(after.ino, before.ino);
  assert.deepEqual(fs.readdirSync(bench.folder).sort(), ['abc', 'state']);
});

test('what a killed process left beside it goes with the next removal, also where that only cuts off the end', async (t) => {
  const bench = new MboxBench(t, several(3));
  fs.writeFileSync(join(bench.folder, '.abc.new'), 'left over from a killed process');
  await using maildrop = await bench.open(bench.backend());
  await maildrop.update(numbered(maildrop, 3), none);
  assert.equal(bench.content, several(2));
  assert.deepEqual(fs.readdirSync(bench.folder).sort(), ['abc', 'state']);
});

test('a link stays a link, and its target the same file', async (t) => {
  const bench = new MboxBench(t);
  const target = join(bench.folder, 'target');
  fs.writeFileSync(target, several(4));
  fs.symlinkSync('target', bench.path);
  const { ino } = fs.statSync(target);
  await using maildrop = await bench.open(bench.backend());
  await maildrop.update(numbered(maildrop, 1, 3), new Set(maildrop.messages));
  assert.equal(fs.readFileSync(target, 'latin1'), message(2) + message(4));
  assert.equal(fs.statSync(target).ino, ino);
  assert.equal(fs.readlinkSync(bench.path), 'target');
});

test('mail that came during the session stays when all listed messages go', async (t) => {
  const bench = new MboxBench(t, several(3));
  await using maildrop = await bench.open(bench.backend());
  fs.appendFileSync(bench.path, message('late'));
  await maildrop.update(new Set(maildrop.messages), none);
  assert.equal(bench.content, message('late'));
});

test('what was added to a torn last message without parting it is not removed with it', async (t) => {
  const torn = 'From a@b Thu Nov 24 18:22:48 1986\nSubject: torn\n\nhalf';
  const bench = new MboxBench(t, several(2) + torn);
  await using maildrop = await bench.open(bench.backend({ statusHeader: 'never' }));
  fs.appendFileSync(bench.path, message('late'));
  await maildrop.update(numbered(maildrop, 3), none);
  assert.equal(bench.content, several(2) + message('late'));
  await using next = await bench.open(bench.backend());
  assert.equal(next.messages.length, 3);
});

test('another program has rewritten the mailbox meanwhile: exactly the marked messages go', async (t) => {
  const bench = new MboxBench(t, several(5));
  const backend = bench.backend();
  await using maildrop = await bench.open(backend);
  const seen = [3, 1, 2, 5].map((n) => message(n).replace('\n\n', '\nX-Status: A\nStatus: O\n\n'));
  bench.replace(seen.join(''));
  await maildrop.update(numbered(maildrop, 1, 4, 5), none);
  assert.equal(bench.content, [seen[0], seen[2]].join(''));
});

test('equal headers and bodies of one length: the one that is left is not taken for the one that went', async (t) => {
  const twins = ['one', 'two', 'six'].map((body) => message('same', `${body}\n`));
  const bench = new MboxBench(t, twins.join(''));
  const backend = bench.backend();
  await using maildrop = await bench.open(backend);
  assert.equal(new Set(maildrop.messages.map(({ uniqueId }) => uniqueId)).size, 3);
  const ids = maildrop.messages.map(({ uniqueId }) => uniqueId);
  bench.replace(twins.slice(1).join(''));
  await maildrop.update(numbered(maildrop, 1), none);
  assert.equal(bench.content, twins.slice(1).join(''));
  await using next = await bench.open(bench.backend());
  assert.deepEqual(
    next.messages.map(({ uniqueId }) => uniqueId),
    ids.slice(1),
  );
});

test('Status: O for what was listed and RO for what was read, when the mailbox is rewritten anyway', async (t) => {
  const bench = new MboxBench(t, several(5).replace('Subject: 5\n', 'Subject: 5\nStatus: R\nTo: x\n'));
  const backend = bench.backend();
  await using maildrop = await bench.open(backend);
  fs.appendFileSync(bench.path, message('late'));
  await maildrop.update(numbered(maildrop, 2), numbered(maildrop, 3));
  const withStatus = (n: number, status: string): string => message(n).replace('\n\n', `\nStatus: ${status}\n\n`);
  const five = message(5).replace('Subject: 5\n', 'Subject: 5\nStatus: RO\nTo: x\n');
  assert.equal(bench.content, withStatus(1, 'O') + withStatus(3, 'RO') + withStatus(4, 'O') + five + message('late'));
  await using next = await bench.open(backend);
  assert.deepEqual(
    next.messages.slice(0, 4).map(({ uniqueId }) => uniqueId),
    maildrop.messages.filter((_, n) => n !== 1).map(({ uniqueId }) => uniqueId),
  );
  for (const one of next.messages) assert.equal((await whole(next.retrieve(one))).toString().replaceAll('\n', '\r\n').length, one.octets);
});

test('Status: never, always, and not in a session that asked for none', async (t) => {
  const cases = [
    { statusHeader: 'never', noStatus: false, removed: [2], expected: message(1) + message(3) },
    { statusHeader: 'rewrite', noStatus: true, removed: [2], expected: message(1) + message(3) },
    { statusHeader: 'rewrite', noStatus: false, removed: [3], expected: message(1) + message(2) },
    { statusHeader: 'always', noStatus: true, removed: [], expected: several(3) },
    {
      statusHeader: 'always',
      noStatus: false,
      removed: [3],
      expected: message(1).replace('\n\n', '\nStatus: RO\n\n') + message(2).replace('\n\n', '\nStatus: O\n\n'),
    },
  ] as const;
  for (const { statusHeader, noStatus, removed, expected } of cases) {
    const bench = new MboxBench(t, several(3));
    const backend = bench.backend({ statusHeader });
    await using maildrop = await bench.open(backend, noStatus);
    await maildrop.update(numbered(maildrop, ...removed), numbered(maildrop, 1));
    assert.equal(bench.content, expected, statusHeader);
    await using next = await bench.open(backend, noStatus);
    bench.forget();
    await next.update(none, numbered(next, 1));
    assert.equal(bench.content, expected, `${statusHeader}, the second time`);
    if (statusHeader === 'always' && !noStatus) assert.deepEqual(bench.calls, [], 'it says so already');
  }
});

test('CRLF mailboxes keep their line ends, in Status: too', async (t) => {
  const crlf = (text: string): string => text.replaceAll('\n', '\r\n');
  const bench = new MboxBench(t, crlf(several(3)));
  await using maildrop = await bench.open(bench.backend());
  assert.deepEqual(
    await served(maildrop),
    [1, 2, 3].map((n) => crlf(`Subject: ${n}\n\nbody ${n}\n`)),
  );
  await maildrop.update(numbered(maildrop, 1), none);
  assert.equal(bench.content, crlf([2, 3].map((n) => message(n).replace('\n\n', '\nStatus: O\n\n')).join('')));
});

test('a last message without a line end gets one when the mailbox is rewritten, and not before', async (t) => {
  const text = several(2) + message(3).slice(0, -2);
  const bench = new MboxBench(t, text);
  const backend = bench.backend({ statusHeader: 'never' });
  {
    await using maildrop = await bench.open(backend);
    assert.deepEqual((await served(maildrop)).at(-1), 'Subject: 3\n\nbody 3');
    await maildrop.update(none, new Set(maildrop.messages));
    assert.equal(bench.content, text);
  }
  await using maildrop = await bench.open(backend);
  await maildrop.update(numbered(maildrop, 1), none);
  assert.equal(bench.content, message(2) + message(3));
});

test('a writer that ignored the lock file and waited on the old file is carried over', async (t) => {
  const bench = new MboxBench(t, several(3));
  const backend = bench.backend({ statusHeader: 'never' });
  const fd = fs.openSync(bench.path, 'r+');
  t.after(() => fs.closeSync(fd));
  await using maildrop = await bench.open(backend);
  await maildrop.update(numbered(maildrop, 1), none);
  assert.equal(fs.fstatSync(fd).nlink, 0);
  assert.ok(tryLock(fd, 'write'));
  fs.writeSync(fd, message('late'), fs.fstatSync(fd).size);
  unlock(fd);
  await using next = await bench.open(backend);
  assert.equal(bench.content, message(2) + message(3) + message('late'));
  assert.equal(next.messages.length, 3);
  assert.deepEqual(
    bench.events.filter(([name]) => name === 'mbox.latecomer').map(([, fields]) => fields),
    [{ path: bench.path, octets: message('late').length }],
  );
});

test('a mailbox that is gone has nothing to remove', async (t) => {
  const bench = new MboxBench(t, several(2));
  await using maildrop = await bench.open(bench.backend());
  fs.unlinkSync(bench.path);
  await maildrop.update(new Set(maildrop.messages), none);
  assert.equal(fs.existsSync(bench.path), false);
});

test('locked by another program for too long: temporary, and nothing is removed', async (t) => {
  const bench = new MboxBench(t, several(2));
  await using maildrop = await bench.open(bench.backend({ lockTimeoutMs: 0 }));
  fs.writeFileSync(`${bench.path}.lock`, '');
  await assert.rejects(maildrop.update(numbered(maildrop, 1), none), (thrown) => thrown instanceof Fault && thrown.kind === 'temporary');
  assert.equal(bench.content, several(2));
});

test('without a state folder a mailbox that can only be changed in place is refused, and stays', async (t) => {
  const bench = new MboxBench(t, several(3));
  fs.linkSync(bench.path, join(bench.folder, 'other'));
  await using maildrop = await bench.open(bench.backend({ stateDir: undefined }));
  await assert.rejects(maildrop.update(numbered(maildrop, 1), none), (thrown) => thrown instanceof Fault && thrown.kind === 'temporary');
  assert.equal(bench.content, several(3));
});
