/** What is particular to Maildirs; what they have in common with other stores is in test/contracts/. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { envelope, mailboxNamed, text } from '../../../test/support/mail.ts';
import { whole } from '../../../test/support/mailOctets.ts';
import { Fault } from '../../model/fault.ts';
import type { Log, LogFields } from '../../model/log.ts';
import type { Maildrop, MaildropMessage } from '../../model/maildrop.ts';
import { type Disk, disk as hostDisk } from '../../os/disk.ts';
import { createMaildirBackend, type MaildirBackend, type MaildirOptions } from './index.ts';

const mailbox = mailboxNamed('abc@kvt.dk');
const none: ReadonlySet<MaildropMessage> = new Set();

interface House {
  readonly path: string;
  readonly events: [string, LogFields][];
  /** Calls of the disc since the last `called()`. */
  called(): string[];
  backend(options?: Partial<MaildirOptions>): MaildirBackend;
  open(backend: MaildirBackend, noStatus?: boolean): Promise<Maildrop>;
  write(file: string, octets: string): void;
  /** Names in new/ and cur/, sorted. */
  names(): string[];
  /** Sets the folders' times back, as if nothing had changed in them for an hour. */
  settle(): void;
}

function house(t: TestContext): House {
  const folder = fs.mkdtempSync(join(tmpdir(), 'postkasse-maildir-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const path = join(folder, 'abc');
  for (const name of ['new', 'cur', 'tmp']) fs.mkdirSync(join(path, name), { recursive: true });
  const calls: string[] = [];
  const events: [string, LogFields][] = [];
  const note = (event: string, fields: LogFields = {}): void => void events.push([event, fields]);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const disk = new Proxy(hostDisk, {
    get(target, name: keyof Disk) {
      const call = target[name] as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        calls.push(`${name} ${String(args[0]).replace(path, '')}`);
        return call(...args);
      };
    },
  });
  return {
    path,
    events,
    called: () => calls.splice(0),
    // A clock that is ahead: no change was so lately that it could have been missed.
    backend: (options = {}) =>
      createMaildirBackend({ disk, log, now: () => Date.now() + 60_000, stateDir: folder, statusHeader: 'rewrite', ...options }),
    open: (backend, noStatus = false) => backend.open({ path, mailbox }, { noStatus }),
    write: (file, octets) => fs.writeFileSync(join(path, file), octets, 'latin1'),
    names: () =>
      ['new', 'cur'].flatMap((name) =>
        fs
          .readdirSync(join(path, name))
          .sort()
          .map((file) => `${name}/${file}`),
      ),
    settle() {
      for (const name of ['new', 'cur']) fs.utimesSync(join(path, name), 1e9, 1e9);
    },
  };
}

function listing(maildrop: Maildrop): [string, number][] {
  return maildrop.messages.map((message) => [message.uniqueId, message.octets]);
}

async function read(maildrop: Maildrop, n: number): Promise<string> {
  const message = maildrop.messages[n - 1];
  assert.ok(message);
  return (await whole(maildrop.retrieve(message))).toString('latin1');
}

test('a delivered file is named as Dovecot names it, has LF line ends and is for its owner alone', async (t) => {
  const { path, backend, names } = house(t);
  fs.rmSync(path, { recursive: true });
  await backend().deliver({ path: join(path, 'deep/er'), mailbox }, [text('x')], envelope);
  const below = (file: string): string => join(path, 'deep/er', file);
  const [name = ''] = fs.readdirSync(below('new'));
  assert.match(name, new RegExp(`^1772600767\\.M\\d+P${process.pid}_\\d+\\.${hostname()},S=19,W=22$`));
  assert.equal(fs.readFileSync(below(`new/${name}`), 'latin1'), 'Subject: x\n\nHello.\n');
  assert.equal(fs.statSync(below(`new/${name}`)).mode & 0o777, 0o600);
  for (const folder of ['', 'new', 'cur', 'tmp']) assert.equal(fs.statSync(below(folder)).mode & 0o777, 0o700, folder);
  assert.deepEqual(fs.readdirSync(below('tmp')), []);
  assert.throws(names);
});

test('messages in new/ and cur/ come in the order of their names’ times', async (t) => {
  const { backend, open, write } = house(t);
  write('cur/1700000002.a.mx,S=2,W=3:2,S', 'a\n');
  write('new/1700000001.b.mx,S=2,W=3', 'a\n');
  write('new/1700000003.M9P1_1.mx,S=2,W=3', 'a\n');
  write('new/1700000003.M10P1_0.mx,S=2,W=3', 'a\n');
  write('cur/.hidden', 'a\n');
  const maildrop = await open(backend());
  assert.deepEqual(listing(maildrop), [
    ['1700000001.b.mx', 3],
    ['1700000002.a.mx', 3],
    ['1700000003.M9P1_1.mx', 3],
    ['1700000003.M10P1_0.mx', 3],
  ]);
  assert.equal(maildrop.messages[2]?.receivedAtMs, 1_700_000_003_000);
});

test('sizes come from names without a look at the files, and an unchanged Maildir costs two calls', async (t) => {
  const { backend, open, write, called } = house(t);
  write('cur/1700000001.a.mx,S=20,W=23:2,S', 'not twenty octets');
  const one = backend();
  await open(one);
  assert.deepEqual(
    called().filter((call) => call.includes('1700000001')),
    [],
  );
  const maildrop = await open(one);
  assert.deepEqual(called(), ['stat /new', 'stat /cur']);
  assert.deepEqual(listing(maildrop), [['1700000001.a.mx', 23]]);
});

test('a folder that changed within a tick of the clock is read again, once', async (t) => {
  const { backend, open, write, called, events } = house(t);
  write('new/1700000001.a.mx,S=2,W=3', 'a\n');
  let ahead = 0;
  const one = backend({ now: () => Date.now() + ahead });
  await open(one);
  called();
  await open(one);
  assert.ok(called().includes('readdir /new'));
  ahead = 60_000;
  await open(one);
  assert.ok(called().includes('readdir /new'));
  await open(one);
  assert.deepEqual(called(), ['stat /new', 'stat /cur']);
  assert.deepEqual(events, []);
});

test('where names don’t tell, files are measured once, and the index remembers', async (t) => {
  const { backend, open, write, called } = house(t);
  write('cur/1700000001.a.mx,S=8:2,S', 'a\n\nb\r\nc\n');
  write('cur/no-time', 'x');
  write('cur/empty', '');
  write(`cur/1700000002.large`, 'y\n'.repeat(100_000));
  const first = await open(backend());
  const expected = new Map([
    ['1700000001.a.mx', 11],
    ['no-time', 3],
    ['empty', 0],
    ['1700000002.large', 300_000],
  ]);
  assert.deepEqual(new Map(listing(first)), expected);
  called();
  const second = await open(backend());
  assert.deepEqual(listing(second), listing(first));
  assert.deepEqual(
    second.messages.map((message) => message.receivedAtMs),
    first.messages.map((message) => message.receivedAtMs),
  );
  assert.deepEqual(
    called().filter((call) => call.startsWith('open /cur')),
    [],
  );
});

test('an index that isn’t one is measured over again', async (t) => {
  const { path, backend, open, write } = house(t);
  write('cur/1700000001.a.mx:2,S', 'a\nb\n');
  await open(backend());
  const indexes = join(path, '../maildir');
  const [index = ''] = fs.readdirSync(indexes);
  fs.writeFileSync(join(indexes, index), '1700000001.a.mx 4 x 1\n\0\0\0\n1700000001.a.mx 4 6');
  assert.deepEqual(listing(await open(backend())), [['1700000001.a.mx', 6]]);
  assert.deepEqual(listing(await open(backend())), [['1700000001.a.mx', 6]]);
});

test('an index that can’t be written is only a line in the log', async (t) => {
  const { path, backend, open, write, events } = house(t);
  write('cur/1700000001.a.mx:2,S', 'a\nb\n');
  fs.writeFileSync(join(path, '../maildir'), 'in the way');
  assert.deepEqual(listing(await open(backend())), [['1700000001.a.mx', 6]]);
  assert.deepEqual(
    events.map(([event]) => event),
    ['maildir.index'],
  );
});

test('a file that isn’t as long as its name says is sent whole, and listed right from the next session on', async (t) => {
  const { backend, open, write, events } = house(t);
  write('cur/1700000001.a.mx,S=2,W=3:2,S', 'a\nb\nc\n');
  const one = backend();
  const maildrop = await open(one);
  assert.deepEqual(listing(maildrop), [['1700000001.a.mx', 3]]);
  assert.equal(await read(maildrop, 1), 'a\nb\nc\n');
  assert.deepEqual(
    events.map(([event, { expected, found }]) => [event, expected, found]),
    [['maildir.size', 2, 6]],
  );
  for (const next of [one, one, backend()]) assert.deepEqual(listing(await open(next)), [['1700000001.a.mx', 9]]);
});

test('a message is followed when another program moves it or changes its flags', async (t) => {
  const { path, backend, open, write, names } = house(t);
  for (const n of [1, 2, 3]) write(`new/170000000${n}.a.mx,S=2,W=3`, `${n}\n`);
  const maildrop = await open(backend());
  fs.renameSync(join(path, 'new/1700000001.a.mx,S=2,W=3'), join(path, 'cur/1700000001.a.mx,S=2,W=3:2,F'));
  assert.equal(await read(maildrop, 1), '1\n');
  fs.renameSync(join(path, 'cur/1700000001.a.mx,S=2,W=3:2,F'), join(path, 'cur/1700000001.a.mx:2,FS'));
  fs.renameSync(join(path, 'new/1700000002.a.mx,S=2,W=3'), join(path, 'cur/1700000002.a.mx,S=2,W=3:2,'));
  await maildrop.update(new Set(maildrop.messages.slice(0, 2)), none);
  assert.deepEqual(names(), ['new/1700000003.a.mx,S=2,W=3']);
});

for (const [statusHeader, noStatus, removes, expected] of [
  ['rewrite', false, false, ['new/1700000002.a.mx', 'cur/1700000003.a.mx:2,F']],
  ['rewrite', false, true, ['cur/1700000002.a.mx:2,S', 'cur/1700000003.a.mx:2,FS']],
  ['rewrite', true, true, ['new/1700000002.a.mx', 'cur/1700000003.a.mx:2,F']],
  ['always', false, false, ['cur/1700000002.a.mx:2,S', 'cur/1700000003.a.mx:2,FS']],
  ['always', true, false, ['new/1700000002.a.mx', 'cur/1700000003.a.mx:2,F']],
  ['never', false, true, ['new/1700000002.a.mx', 'cur/1700000003.a.mx:2,F']],
] as const) {
  test(`status_header ${statusHeader}${noStatus ? ', not in this session' : ''}${removes ? ', something is removed' : ''}`, async (t) => {
    const { backend, open, write, names } = house(t);
    write('new/1700000001.a.mx', 'a\n');
    write('new/1700000002.a.mx', 'a\n');
    write('cur/1700000003.a.mx:2,F', 'a\n');
    const maildrop = await open(backend({ statusHeader }), noStatus);
    const [one] = maildrop.messages;
    await maildrop.update(new Set(removes && one ? [one] : []), new Set(maildrop.messages.slice(removes ? 0 : 1)));
    assert.deepEqual(
      names().filter((name) => !name.includes('1700000001')),
      expected,
    );
    assert.equal(names().length, removes ? 2 : 3);
    assert.deepEqual(
      (await open(backend())).messages.map((message) => message.uniqueId),
      [...(removes ? [] : ['1700000001.a.mx']), '1700000002.a.mx', '1700000003.a.mx'],
    );
  });
}

test('two files with one base name are two messages; two links to one file are one', async (t) => {
  const { path, backend, open, write, names } = house(t);
  write('new/1700000001.a.mx,S=2,W=3', 'a\n');
  write('cur/1700000001.a.mx,S=4,W=6:2,S', 'b\nc\n');
  write('cur/1700000002.a.mx:2,', 'd\n');
  fs.linkSync(join(path, 'cur/1700000002.a.mx:2,'), join(path, 'cur/1700000002.a.mx:2,S'));
  const maildrop = await open(backend());
  assert.equal(maildrop.messages.length, 3);
  assert.equal(new Set(maildrop.messages.map((message) => message.uniqueId)).size, 3);
  assert.deepEqual((await Promise.all([1, 2, 3].map((n) => read(maildrop, n)))).toSorted(), ['a\n', 'b\nc\n', 'd\n']);
  const b = maildrop.messages.find((message) => message.octets === 6);
  assert.ok(b);
  await maildrop.update(new Set([b]), new Set(maildrop.messages));
  assert.deepEqual(
    names().filter((name) => name.includes('1700000001')),
    ['new/1700000001.a.mx,S=2,W=3'],
  );
});

test('links, directories and FIFOs are no messages', async (t) => {
  const { path, backend, open, write } = house(t);
  write('../secret', 'not yours\n');
  fs.symlinkSync(join(path, '../secret'), join(path, 'new/1700000001.a.mx'));
  fs.symlinkSync(join(path, '../secret'), join(path, 'new/1700000002.a.mx,S=10,W=11'));
  fs.mkdirSync(join(path, 'cur/1700000003.a.mx'));
  const maildrop = await open(backend());
  // One that has sizes in its name isn't looked at before it is retrieved.
  assert.deepEqual(listing(maildrop), [['1700000002.a.mx', 11]]);
  await assert.rejects(read(maildrop, 1), (thrown) => thrown instanceof Fault && thrown.kind === 'temporary');
});

test('a journal that is not whole removes nothing', async (t) => {
  const { path, backend, open, write, names, events } = house(t);
  write('new/1700000001.a.mx,S=2,W=3', 'a\n');
  write('cur/.postkasse-removal', 'postkasse: messages being removed\n1700000001.a.mx\n');
  assert.equal((await open(backend())).messages.length, 1);
  assert.deepEqual(names(), ['new/1700000001.a.mx,S=2,W=3']);
  assert.ok(events.some(([event, fields]) => event === 'maildir.journal' && fields.path === path));
});

test('what another process began to remove is finished, even where the listing was known', async (t) => {
  const { backend, open, write, names, settle } = house(t);
  for (const n of [1, 2, 3]) write(`new/170000000${n}.a.mx,S=2,W=3`, 'a\n');
  settle();
  const one = backend();
  await open(one);
  write('cur/.postkasse-removal', 'postkasse: messages being removed\n1700000001.a.mx\n1700000003.a.mx\nend\n');
  assert.deepEqual(listing(await open(one)), [['1700000002.a.mx', 3]]);
  assert.deepEqual(names(), ['new/1700000002.a.mx,S=2,W=3']);
});

test('leftovers in tmp/ go after 36 hours', async (t) => {
  const { path, backend, open, write, events } = house(t);
  write('tmp/1.old.mx', 'half');
  const hours = (n: number) => () => Date.now() + n * 3_600_000;
  await open(backend({ now: hours(35) }));
  assert.deepEqual(fs.readdirSync(join(path, 'tmp')), ['1.old.mx']);
  await open(backend({ now: hours(37) }));
  assert.deepEqual(fs.readdirSync(join(path, 'tmp')), []);
  assert.deepEqual(
    events.map(([event]) => event),
    ['maildir.leftovers'],
  );
});

test('no more is remembered than allowed, what was used last the longest', async (t) => {
  const { path, backend } = house(t);
  const one = backend({ cachedMessages: 20 });
  const places = ['a', 'b', 'c'].map((name) => ({ path: join(path, '..', name), mailbox: mailboxNamed(`${name}@kvt.dk`) }));
  for (const place of places) for (let n = 0; n < 4; n++) await one.deliver(place, [text('x')], envelope);
  for (const place of places) await one.open(place, {});
  assert.deepEqual(one.counts(), { maildirs: 2, messages: 8 });
});

test('a Maildir without new/, cur/ or tmp/ is empty, and gets them', async (t) => {
  const { path, backend, open, write } = house(t);
  for (const name of ['new', 'cur', 'tmp']) fs.rmdirSync(join(path, name));
  assert.deepEqual(listing(await open(backend())), []);
  await backend().deliver({ path, mailbox }, [text('x')], envelope);
  assert.equal((await open(backend())).messages.length, 1);

  fs.rmdirSync(join(path, 'cur'));
  write('new/1700000001.a.mx,S=2,W=3', 'a\n');
  const maildrop = await open(backend());
  await maildrop.update(new Set(maildrop.messages), none);
  assert.deepEqual(listing(await open(backend())), []);
});
