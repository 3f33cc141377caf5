/** A mailbox in another format: to its client it is the same one. Crashes are in test/system/convertCrash.test.ts. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { fetched } from '../../test/contracts/maildropStore.ts';
import { envelope, mailboxNamed, text } from '../../test/support/mail.ts';
import { Fault, type FaultKind } from '../model/fault.ts';
import { silent } from '../model/log.ts';
import type { Maildrop } from '../model/maildrop.ts';
import { type Disk, disk as hostDisk } from '../os/disk.ts';
import { createFileStore, type FileStore } from './index.ts';
import type { Format } from './locate.ts';

const abc = mailboxNamed('abc@kvt.dk');

interface Bench {
  readonly folder: string;
  /** Of abc@kvt.dk. */
  readonly path: string;
  readonly store: FileStore;
  /** One that remembers nothing, as in another process. */
  another(disk?: Disk): FileStore;
}

function bench(t: TestContext, format: Format): Bench {
  const folder = fs.mkdtempSync(join(tmpdir(), 'postkasse-convert-'));
  const stores: FileStore[] = [];
  for (const name of ['state', 'run']) fs.mkdirSync(join(folder, name));
  t.after(async () => {
    for (const store of stores) await store.close();
    fs.rmSync(folder, { recursive: true });
  });
  const another = (disk = hostDisk): FileStore => {
    const store = createFileStore({
      root: join(folder, 'virtual'),
      home: '',
      systemSpool: join(folder, 'mail'),
      format,
      statusHeader: 'rewrite',
      stateDir: join(folder, 'state'),
      runDir: join(folder, 'run'),
      disk,
      log: silent,
      now: Date.now,
    });
    stores.push(store);
    return store;
  };
  return { folder, path: join(folder, 'virtual/kvt.dk/abc'), store: another(), another };
}

interface Seen {
  readonly uniqueId: string;
  readonly receivedAtMs: number;
  readonly text: string;
}

/** What a client sees; without the fields that tell flags in an mbox. */
async function seen(store: FileStore): Promise<Seen[]> {
  await using maildrop = await store.open(abc);
  return await seenIn(maildrop);
}

async function seenIn(maildrop: Maildrop): Promise<Seen[]> {
  const all: Seen[] = [];
  for (const message of maildrop.messages) {
    const octets = await fetched(maildrop, message);
    assert.equal(octets.length, message.octets);
    const { uniqueId, receivedAtMs } = message;
    all.push({ uniqueId, receivedAtMs, text: withoutFlags(octets.toString('latin1')) });
  }
  return all;
}

/** Fields that tell flags belong to the mailbox rather than to the message. */
function withoutFlags(text: string): string {
  const blank = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n') + 2;
  const end = blank === 1 ? text.length : blank;
  return text.slice(0, end).replace(/^(?:X-)?Status:.*\r\n(?:[ \t].*\r\n)*/gm, '') + text.slice(end);
}

async function deliverAll(store: FileStore, ...messages: Buffer[]): Promise<void> {
  for (const [n, message] of messages.entries()) {
    // Whole seconds: an mbox knows no others. Not in order, as clocks aren't.
    await store.deliver(abc, [message], { ...envelope, receivedAt: new Date(Date.UTC(2026, 2, 4, 5, n % 2 === 0 ? 30 + n : n)) });
  }
}

async function remove(store: FileStore, ...numbers: number[]): Promise<void> {
  await using maildrop = await store.open(abc);
  await maildrop.update(new Set(maildrop.messages.filter((_, at) => numbers.includes(at + 1))), new Set());
}

function isFault(kind: FaultKind, sentence: string): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof Fault && thrown.kind === kind && thrown.text === sentence;
}

const other: Record<Format, Format> = { mbox: 'maildir', maildir: 'mbox' };

for (const from of ['mbox', 'maildir'] as const) {
  const to = other[from];

  test(`${from} to ${to} and back: the same messages in the same order under the same unique-ids`, async (t) => {
    const { store, another, path } = bench(t, from);
    await deliverAll(store, text('one'), text('two'), text('copy'), text('copy'), text('five', 'From here\r\n>From there\r\n.\r\nno end'));
    const before = await seen(store);
    assert.equal(new Set(before.map(({ uniqueId }) => uniqueId)).size, 5);

    const there = await another().convert(abc, to);
    assert.deepEqual(there, { messages: 5, kept: `${path}.old-${from}` });
    assert.equal(fs.statSync(path).isDirectory(), to === 'maildir');
    assert.equal(fs.statSync(there.kept).isDirectory(), from === 'maildir');
    for (const one of [store, another()]) assert.deepEqual(await seen(one), before);

    // Life goes on: some go, one of the copies among them, others come, equal ones too.
    await remove(store, 1, 3);
    await deliverAll(store, text('six'), text('copy'), text('one'));
    const later = await seen(store);
    assert.deepEqual(later.slice(0, 3), [before[1], before[3], before[4]]);
    assert.equal(new Set([...before, ...later].map(({ uniqueId }) => uniqueId)).size, 8);

    const back = await another().convert(abc, from);
    assert.deepEqual(back, { messages: 6, kept: `${path}.old-${to}` });
    for (const one of [store, another()]) assert.deepEqual(await seen(one), later);
    await remove(store, 1, 2, 3);
    await deliverAll(store, text('two'), text('copy'));
    const last = await seen(another());
    assert.deepEqual(last.slice(0, 3), later.slice(3));
    assert.equal(new Set([...before, ...later, ...last].map(({ uniqueId }) => uniqueId)).size, 10);

    // A third time: what is kept from before is not written over.
    assert.deepEqual(await another().convert(abc, to), { messages: 5, kept: `${path}.old-${from}-2` });
    assert.deepEqual(await seen(another()), last);
    assert.deepEqual(fs.readdirSync(join(path, '..')).sort(), ['abc', `abc.old-${from}`, `abc.old-${from}-2`, `abc.old-${to}`].sort());
  });

  test(`${from} to ${to}: the old one put back is what it was, to clients too`, async (t) => {
    const { store, another, path } = bench(t, from);
    await deliverAll(store, text('one'), text('two'));
    const before = await seen(store);
    const { kept } = await store.convert(abc, to);
    fs.rmSync(path, { recursive: true });
    fs.renameSync(kept, path);
    assert.deepEqual(await seen(another()), before);
  });

  test(`${from} to ${to}: refused while a session is open, for the format it has, for nobody's mailbox and over something in the way`, async (t) => {
    const { store, another, path } = bench(t, from);
    await assert.rejects(store.convert(abc, to), isFault('not-found', 'no such mailbox: {name}'));
    await deliverAll(store, text('one'));
    {
      await using _ = await store.open(abc);
      for (const one of [store, another()])
        await assert.rejects(one.convert(abc, to), isFault('in-use', 'another session has this maildrop'));
    }
    await assert.rejects(store.convert(abc, from), isFault('exists', '{path} is {format} already'));
    fs.writeFileSync(`${path}.converting`, 'somebody else’s');
    await assert.rejects(store.convert(abc, to), isFault('exists', '{path} is in the way'));
    assert.equal(fs.readFileSync(`${path}.converting`, 'utf8'), 'somebody else’s');
    fs.unlinkSync(`${path}.converting`);
    assert.deepEqual(await store.convert(abc, to), { messages: 1, kept: `${path}.old-${from}` });
  });

  test(`${from} to ${to}: an empty one`, async (t) => {
    const { store, another } = bench(t, from);
    await deliverAll(store, text('one'));
    await remove(store, 1);
    assert.equal((await store.convert(abc, to)).messages, 0);
    assert.deepEqual(await seen(another()), []);
    await deliverAll(another(), text('two'));
    assert.equal((await seen(store)).length, 1);
  });
}

test('flags and dates come along: Status and X-Status become file names, and again Status and X-Status', async (t) => {
  const { store, path } = bench(t, 'mbox');
  const message = (day: number, flags: string) => `From a@b.example  Mon Mar  ${day} 12:00:00 2026\nSubject: ${day}\n${flags}\nHello.\n\n`;
  fs.mkdirSync(join(path, '..'), { recursive: true });
  const all = ['', 'Status: O\n', 'Status: RO\n', 'Status: RO\nX-Status: AF\n', 'X-Status: TD\n'].map((flags, n) => message(n + 2, flags));
  fs.writeFileSync(path, all.join(''));
  await store.convert(abc, 'maildir');
  const files = ['new', 'cur'].flatMap((folder) => fs.readdirSync(join(path, folder)).map((name) => `${folder}/${name}`)).sort();
  const days = [2, 3, 4, 5, 6].map((day) => new Date(2026, 2, day, 12).getTime());
  const ofDay = (n: number) => files.find((file) => file.includes(`/${(days[n] ?? 0) / 1000}.`)) ?? 'none';
  assert.equal(files.length, 5);
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((n) => ofDay(n).replace(/\/.*?(?=:|$)/, '/')),
    ['new/', 'cur/:2,', 'cur/:2,S', 'cur/:2,FRS', 'cur/:2,DT'],
  );
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((n) => fs.statSync(join(path, ofDay(n))).mtimeMs),
    days,
  );
  assert.deepEqual(
    (await seen(store)).map(({ receivedAtMs }) => receivedAtMs),
    days,
  );

  fs.renameSync(join(path, ofDay(0)), join(path, `cur/${ofDay(0).slice(4)}:2,RS`));
  await store.convert(abc, 'mbox');
  const found = fs.readFileSync(path, 'latin1').split(/(?<=\n\n)(?=From )/);
  const wanted = ['Status: RO\nX-Status: A\n', 'Status: O\n', 'Status: RO\n', 'Status: RO\nX-Status: AF\n', 'Status: O\nX-Status: TD\n'];
  assert.deepEqual(
    found,
    wanted.map((flags, n) => `From MAILER-DAEMON  ${weekday(n)} Mar  ${n + 2} 12:00:00 2026\n${flags}Subject: ${n + 2}\n\nHello.\n\n`),
  );
});

function weekday(n: number): string {
  return new Date(2026, 2, n + 2).toDateString().slice(0, 3);
}

test('the envelope sender of a message is that of its Return-Path', async (t) => {
  const { store, path } = bench(t, 'maildir');
  await deliverAll(store, Buffer.from('Return-Path: <jens@jth.example>\r\nSubject: one\r\n\r\n'), Buffer.from('Return-Path: <>\r\n\r\n'));
  await store.convert(abc, 'mbox');
  const lines = fs
    .readFileSync(path, 'latin1')
    .split('\n')
    .filter((line) => line.startsWith('From '));
  assert.deepEqual(
    lines.map((line) => line.split('  ')[0]),
    ['From MAILER-DAEMON', 'From jens@jth.example'],
  );
});

test('a mailbox that is reached by a link: the link stays', async (t) => {
  const { store, another, path, folder } = bench(t, 'mbox');
  await deliverAll(store, text('one'));
  const before = await seen(store);
  const home = join(folder, 'mailbox');
  fs.renameSync(path, home);
  fs.symlinkSync('../../mailbox', path);
  assert.deepEqual(await another().convert(abc, 'maildir'), { messages: 1, kept: `${home}.old-mbox` });
  assert.equal(fs.readlinkSync(path), '../../mailbox');
  assert.deepEqual(await seen(another()), before);
  assert.deepEqual(await another().convert(abc, 'mbox'), { messages: 1, kept: `${home}.old-maildir` });
  assert.deepEqual(await seen(another()), before);
});

test('what is no mbox stays what it is', async (t) => {
  const { store, path } = bench(t, 'mbox');
  fs.mkdirSync(join(path, '..'), { recursive: true });
  fs.writeFileSync(path, '\u0000\u0001 a picture');
  await assert.rejects(store.convert(abc, 'maildir'), isFault('permanent', 'the mailbox can not be used'));
  assert.deepEqual(fs.readdirSync(join(path, '..')), ['abc']);
  assert.equal(fs.readFileSync(path, 'latin1'), '\u0000\u0001 a picture');
});

/** Something else happens right before and right after the two mailboxes exchange their names. */
function meddling(before: () => void, after: () => void): Disk {
  return {
    ...hostDisk,
    exchange(one, two) {
      before();
      hostDisk.exchange(one, two);
      after();
    },
  };
}

test('what is delivered to the Maildir while it is converted is carried over, and so is what a slow deliverer ends up with', async (t) => {
  const { store, another, path } = bench(t, 'maildir');
  await deliverAll(store, text('one'), text('two'));
  const before = await seen(store);
  const put = (place: string, subject: string) =>
    fs.writeFileSync(join(place, `1772600000.M1P1_${subject}.other`), `Subject: ${subject}\n\nHello.\n`);
  const kept = `${path}.old-maildir`;
  let moved: NodeJS.Timeout | undefined;
  const disk = meddling(
    () => {
      put(join(path, 'new'), 'late');
      put(join(path, 'tmp'), 'slow');
    },
    () => {
      // It is in the folder, whatever that is called by now.
      moved = setTimeout(
        () => fs.renameSync(join(kept, 'tmp/1772600000.M1P1_slow.other'), join(kept, 'new/1772600000.M1P1_slow.other')),
        900,
      );
    },
  );
  assert.deepEqual(await another(disk).convert(abc, 'mbox'), { messages: 2, kept });
  clearTimeout(moved);
  const after = await seen(another());
  assert.deepEqual(after.slice(0, 2), before);
  assert.deepEqual(
    after.slice(2).map((one) => one.text),
    ['late', 'slow'].map((subject) => text(subject).toString('latin1')),
  );
  assert.equal(fs.readdirSync(join(kept, 'new')).length, 2);
});

test('a program that ignores the lock file and adds to the old mbox too late: carried over', async (t) => {
  const { store, another, path } = bench(t, 'mbox');
  await deliverAll(store, text('one'), text('two'));
  const before = await seen(store);
  const old = fs.readFileSync(path);
  const fd = fs.openSync(path, 'a');
  t.after(() => fs.closeSync(fd));
  const disk = meddling(
    () => {},
    () => fs.writeSync(fd, 'From a@b.example  Wed Mar  4 05:06:07 2026\nSubject: late\n\nHello.\n\n'),
  );
  const { kept } = await another(disk).convert(abc, 'maildir');
  const after = await seen(another());
  assert.deepEqual(after.slice(0, 2), before);
  assert.deepEqual(
    after.slice(2).map((one) => one.text),
    [text('late').toString('latin1')],
  );
  assert.deepEqual(fs.readFileSync(kept), old);
});

test('a deliverer that waits for the lock of the mbox finds a Maildir, and is told to come again', async (t) => {
  const { store, another } = bench(t, 'mbox');
  await deliverAll(store, text('one'));
  let delivered: Promise<unknown> = Promise.resolve();
  const disk = meddling(
    () => {
      delivered = store.deliver(abc, [text('waiting')], envelope).catch((thrown: unknown) => thrown);
    },
    () => {},
  );
  await another(disk).convert(abc, 'maildir');
  assert.ok(isFault('temporary', 'the mailbox can not be used')(await delivered), String(await delivered));
  await store.deliver(abc, [text('waiting')], envelope);
  assert.equal((await seen(another())).length, 2);
});

test('a file system that can not exchange names: refused, and nothing is changed', async (t) => {
  const { store, another, path } = bench(t, 'mbox');
  await deliverAll(store, text('one'));
  const before = await seen(store);
  const disk: Disk = {
    ...hostDisk,
    exchange() {
      throw Object.assign(new Error('EINVAL'), { code: 'EINVAL' });
    },
  };
  await assert.rejects(another(disk).convert(abc, 'maildir'), isFault('permanent', 'the mailbox can not be used'));
  assert.deepEqual(fs.readdirSync(join(path, '..')), ['abc']);
  assert.deepEqual(await seen(another()), before);
});

test('any octets come through both ways', async (t) => {
  const line = fc.oneof(
    fc.constantFrom(
      '',
      'From a',
      '>From b',
      '>>From c',
      'from d',
      '.',
      '..',
      'Status: RO',
      'X-Status: A',
      'Subject: e',
      ' folded',
      '\t',
      '\r',
      'f\rg',
      '\u0000',
      '\u00ff\u00fe',
    ),
    fc.uint8Array({ maxLength: 20 }).map((some) => Buffer.from(some).toString('latin1')),
  );
  const lineEnd = fc.constantFrom('\r\n', '\r\n', '\n');
  const message = fc
    .tuple(fc.array(fc.tuple(line, lineEnd), { maxLength: 8 }), fc.constantFrom('', '', 'no line end', '\r'))
    .map(([lines, last]) => Buffer.from(`${lines.flat().join('')}${last}`, 'latin1'));
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 40, size: 'max' }),
      fc.constantFrom<Format>('mbox', 'maildir'),
      async (messages, from) => {
        const { store, another } = bench(t, from);
        await deliverAll(store, ...messages);
        const before = await seen(store);
        await store.convert(abc, other[from]);
        assert.deepEqual(await seen(another()), before);
        await store.convert(abc, from);
        assert.deepEqual(await seen(another()), before);
      },
    ),
    { numRuns: 5 },
  );
});
