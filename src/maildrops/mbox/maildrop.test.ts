import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { whole } from '../../../test/support/mailOctets.ts';
import { MboxBench, served } from '../../../test/support/mboxBench.ts';
import { Fault } from '../../model/fault.ts';
import type { Maildrop } from '../../model/maildrop.ts';

const message = (n: number | string, body = `body ${n}\n`): string => `From a@b Thu Nov 24 18:22:48 1986\nSubject: ${n}\n\n${body}\n`;
const content = (n: number | string): string => `Subject: ${n}\n\nbody ${n}\n`;
const several = (count: number): string => Array.from({ length: count }, (_, n) => message(n + 1)).join('');
/** What was changed a minute ago is not about to change unseen. */
const later = (): number => Date.now() + 60_000;

async function fetch(maildrop: Maildrop, number: number): Promise<string> {
  const wanted = maildrop.messages[number - 1];
  assert.ok(wanted !== undefined);
  return (await whole(maildrop.retrieve(wanted))).toString('latin1');
}

function isFault(kind: string): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof Fault && thrown.kind === kind;
}

test('an unchanged mailbox costs one stat', async (t) => {
  const bench = new MboxBench(t, several(10));
  const backend = bench.backend({ now: later });
  await (await bench.open(backend))[Symbol.asyncDispose]();
  bench.forget();
  await using maildrop = await bench.open(backend);
  assert.equal(maildrop.messages.length, 10);
  assert.equal(maildrop.messages.map(({ octets }) => octets).join(' '), Array(9).fill('22').concat('24').join(' '));
  assert.deepEqual(bench.calls, ['stat']);
});

test('small messages come without a promise, in one piece', async (t) => {
  const bench = new MboxBench(t, several(2));
  await using maildrop = await bench.open(bench.backend());
  const [first] = maildrop.messages;
  assert.ok(first);
  const octets = maildrop.retrieve(first);
  assert.ok(Symbol.iterator in octets);
  assert.deepEqual(
    [...octets].map((piece) => Buffer.from(piece).toString()),
    [content(1)],
  );
});

test('mail that is appended during the session changes nothing for it', async (t) => {
  const bench = new MboxBench(t, several(3));
  await using maildrop = await bench.open(bench.backend());
  assert.equal(await fetch(maildrop, 1), content(1));
  fs.appendFileSync(bench.path, message('late'));
  assert.deepEqual(await served(maildrop), [1, 2, 3].map(content));
  assert.equal(maildrop.messages.length, 3);
  assert.deepEqual(
    bench.events.map(([name]) => name),
    ['mbox.scan'],
  );
});

test('another program rewrites the mailbox: each message is found by its unique-id, or is gone', async (t) => {
  for (const openedBefore of [false, true]) {
    for (const how of ['in place', 'new file'] as const) {
      const bench = new MboxBench(t, several(4));
      await using maildrop = await bench.open(bench.backend());
      if (openedBefore) assert.equal(await fetch(maildrop, 2), content(2));
      const rewritten = [4, 2, 1].map((n) => message(n).replace('\n\n', '\nStatus: RO\nX-Keywords: \n\n')).join('');
      if (how === 'in place') bench.put(rewritten);
      else bench.replace(rewritten);
      if (how === 'in place' || !openedBefore) {
        const changed = (n: number): string => content(n).replace('\n\n', '\nStatus: RO\nX-Keywords: \n\n');
        assert.equal(await fetch(maildrop, 4), changed(4));
        assert.equal(await fetch(maildrop, 1), changed(1));
        await assert.rejects(fetch(maildrop, 3), isFault('temporary'));
        assert.equal(await fetch(maildrop, 2), changed(2));
      } else {
        // The file that the session has open is still what it was.
        assert.deepEqual(await served(maildrop), [1, 2, 3, 4].map(content));
      }
    }
  }
});

test('a change of the same size within the same tick of the clock is not missed', async (t) => {
  const bench = new MboxBench(t, message(1) + message(22));
  const stamp = new Date();
  const backend = bench.backend();
  fs.utimesSync(bench.path, stamp, stamp);
  await (await bench.open(backend))[Symbol.asyncDispose]();
  bench.put(message(22) + message(1));
  fs.utimesSync(bench.path, stamp, stamp);
  await using maildrop = await bench.open(backend);
  assert.deepEqual(await served(maildrop), [content(22), content(1)]);
});

test('a large message comes in pieces, and stops when the file is changed under it', async (t) => {
  const line = `${'x'.repeat(69)}\n`;
  const bench = new MboxBench(t, message('large', line.repeat(20_000)) + message(2));
  await using maildrop = await bench.open(bench.backend());
  assert.equal(await fetch(maildrop, 1), `Subject: large\n\n${line.repeat(20_000)}`);
  const [large] = maildrop.messages;
  assert.ok(large);
  const pieces: number[] = [];
  await assert.rejects(async () => {
    for await (const piece of maildrop.retrieve(large)) {
      pieces.push(piece.length);
      if (pieces.length === 2) bench.put(message(3));
    }
  }, isFault('temporary'));
  assert.equal(pieces.length, 2);
});

test('quoted lines in a large message are unquoted across the pieces', async (t) => {
  const body = `${'>From the start\n'.repeat(9000)}${'y'.repeat(70_000)}\n>>From the end\n`;
  const bench = new MboxBench(t, message(1, body) + message(2));
  await using maildrop = await bench.open(bench.backend());
  const got = await fetch(maildrop, 1);
  assert.equal(got, `Subject: 1\n\n${body.replaceAll('>From', 'From')}`);
  assert.equal(maildrop.messages[0]?.octets, got.replaceAll('\n', '\r\n').length);
});

test('octets that were asked for before a change are not read from where they lay', async (t) => {
  const bench = new MboxBench(t, several(3));
  await using maildrop = await bench.open(bench.backend());
  const [first, second] = maildrop.messages;
  assert.ok(first && second);
  const before = maildrop.retrieve(second);
  assert.equal((await whole(before)).toString(), content(2));
  bench.put([3, 2, 1].map((n) => message(n)).join(''));
  await assert.rejects(whole(before), isFault('temporary'));
  assert.equal(await fetch(maildrop, 1), content(1));
  assert.equal((await whole(before)).toString(), content(2), 'since it has been found again');
});

test('a session that ends while a large message is on its way ends that, too', async (t) => {
  const bench = new MboxBench(t, message('large', 'x'.repeat(69).concat('\n').repeat(20_000)));
  const maildrop = await bench.open(bench.backend());
  const [large] = maildrop.messages;
  assert.ok(large);
  let pieces = 0;
  await assert.rejects(async () => {
    for await (const _ of maildrop.retrieve(large)) if (++pieces === 2) await maildrop[Symbol.asyncDispose]();
  }, isFault('temporary'));
  assert.equal(pieces, 2);
});

test('a message of another session is refused', async (t) => {
  const bench = new MboxBench(t, several(2));
  await using maildrop = await bench.open(bench.backend());
  await using other = await bench.open(bench.backend());
  const [foreign] = other.messages;
  assert.ok(foreign);
  assert.throws(() => maildrop.retrieve(foreign), isFault('not-found'));
});

test('what is no file is no mailbox', async (t) => {
  const bench = new MboxBench(t);
  fs.mkdirSync(bench.path);
  await assert.rejects(bench.open(bench.backend()), isFault('permanent'));
  fs.rmdirSync(bench.path);
  fs.symlinkSync('/dev/zero', bench.path);
  await assert.rejects(bench.open(bench.backend()), isFault('permanent'));
});

test('when a message arrived: from its From line, else when the file was changed', async (t) => {
  const bench = new MboxBench(t, 'From a@b Thu Nov 24 18:22:48 1986\nSubject: 1\n\nx\n\nFrom a@b\nSubject: 2\n\nx\n\n');
  fs.utimesSync(bench.path, 1_000_000_000, 1_000_000_000);
  await using maildrop = await bench.open(bench.backend());
  assert.deepEqual(
    maildrop.messages.map(({ receivedAtMs }) => receivedAtMs),
    [new Date(1986, 10, 24, 18, 22, 48).getTime(), 1_000_000_000_000],
  );
});

test('no descriptor is left open when the sessions are over', async (t) => {
  const bench = new MboxBench(t, several(3));
  const backend = bench.backend();
  const open = (): string[] =>
    fs.readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(bench.folder);
      } catch {
        return false;
      }
    });
  for (let n = 0; n < 3; n++) {
    await using maildrop = await bench.open(backend);
    await served(maildrop);
    await maildrop.update(new Set(maildrop.messages.slice(0, 1)), new Set());
    await bench.deliver(backend, 'Subject: x\n');
  }
  await backend.close();
  assert.deepEqual(open(), []);
});

test('no room for a lock file: mail can still be read, and removed', async (t) => {
  const bench = new MboxBench(t, several(3));
  const open = (path: string, flags: number, mode?: number): number => {
    if ((flags & fs.constants.O_CREAT) !== 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    return bench.disk.open(path, flags, mode);
  };
  const disk = new Proxy(bench.disk, { get: (target, name) => (name === 'open' ? open : Reflect.get(target, name)) });
  const backend = bench.backend({ disk });
  await using maildrop = await bench.open(backend);
  assert.deepEqual(await served(maildrop), [1, 2, 3].map(content));
  await assert.rejects(maildrop.update(new Set(maildrop.messages.slice(0, 1)), new Set()), isFault('temporary'));
  assert.equal(bench.content, several(3));
  await maildrop.update(new Set(maildrop.messages.slice(1)), new Set());
  assert.equal(bench.content, several(1));
  assert.deepEqual(fs.readdirSync(bench.folder).sort(), ['abc', 'state']);
});
