/** The store in front of the formats: places, owners, session locks. What each format does is tested in its folder and in test/contracts/. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { contents } from '../../test/contracts/maildropStore.ts';
import { envelope, mailboxNamed, text } from '../../test/support/mail.ts';
import { Fault, type FaultKind } from '../model/fault.ts';
import type { Log, LogFields } from '../model/log.ts';
import type { Mailbox } from '../model/mailbox.ts';
import { disk } from '../os/disk.ts';
import { createFileStore, type FileStore } from './index.ts';

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;

interface House {
  readonly folder: string;
  readonly store: FileStore;
  readonly events: [string, string, LogFields][];
}

function house(t: TestContext): House {
  const folder = fs.mkdtempSync(join(tmpdir(), 'postkasse-files-'));
  const events: [string, string, LogFields][] = [];
  const note =
    (level: string) =>
    (event: string, fields: LogFields = {}): void =>
      void events.push([level, event, fields]);
  const log: Log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
  for (const name of ['state', 'run']) fs.mkdirSync(join(folder, name));
  const store = createFileStore({
    root: join(folder, 'virtual'),
    home: 'Mail/mailbox',
    systemSpool: join(folder, 'mail'),
    format: 'maildir',
    statusHeader: 'rewrite',
    stateDir: join(folder, 'state'),
    runDir: join(folder, 'run'),
    disk,
    log,
    now: Date.now,
  });
  t.after(() => {
    store.close();
    fs.rmSync(folder, { recursive: true });
  });
  return { folder, store, events };
}

function isFault(kind: FaultKind, sentence: string): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof Fault && thrown.kind === kind && thrown.text === sentence;
}

test('mail for kvt@kvt.dk lands below its home, mail for abc@kvt.dk in the spool, in folders for their owner alone', async (t) => {
  const { folder, store } = house(t);
  fs.mkdirSync(join(folder, 'home/kvt_dk'), { recursive: true });
  const kvt: Mailbox = { ...mailboxNamed('kvt@kvt.dk'), home: join(folder, 'home/kvt_dk/'), owner: { uid, gid } };
  const abc: Mailbox = { ...mailboxNamed('abc@kvt.dk'), owner: { uid, gid } };
  for (const [mailbox, path] of [
    [kvt, join(folder, 'home/kvt_dk/Mail/mailbox')],
    [abc, join(folder, 'virtual/kvt.dk/abc')],
  ] as const) {
    assert.equal((await store.locate(mailbox)).path, path);
    await store.deliver(mailbox, [text('x')], envelope);
    assert.deepEqual(await contents(store, mailbox), [text('x').toString()]);
    assert.equal(fs.readdirSync(join(path, 'new')).length, 1);
    assert.equal((await store.locate(mailbox)).path, path);
    for (const at of [path, join(path, '..')]) assert.equal(fs.statSync(at).mode & 0o777, 0o700);
  }
});

test('an empty maildrop for a mailbox that is nowhere is a line in the log', async (t) => {
  const { folder, store, events } = house(t);
  assert.deepEqual(await contents(store, mailboxNamed('abc@kvt.dk')), []);
  assert.deepEqual(events, [['info', 'maildrop.none', { mailbox: 'abc@kvt.dk', wouldBe: join(folder, 'virtual/kvt.dk/abc') }]]);
  assert.deepEqual(fs.readdirSync(folder).sort(), ['run', 'state']);
});

test('a mailbox of another user is refused: for good to the client, for now to the sender', async (t) => {
  const { folder, store, events } = house(t);
  const mailbox = mailboxNamed('abc@kvt.dk');
  await store.deliver(mailbox, [text('x')], envelope);
  const foreign: Mailbox = { ...mailbox, owner: { uid: uid + 1, gid } };
  await assert.rejects(store.open(foreign), isFault('permanent', 'the mailbox can not be used'));
  await assert.rejects(store.deliver(foreign, [text('y')], envelope), isFault('temporary', 'the mailbox can not be used'));
  const reason = `belongs to uid ${uid}, not ${uid + 1}`;
  const line = { mailbox: 'abc@kvt.dk', path: join(folder, 'virtual/kvt.dk/abc'), reason };
  assert.deepEqual(events, [
    ['error', 'maildrop.refused', line],
    ['error', 'maildrop.refused', line],
  ]);
  assert.deepEqual(await contents(store, mailbox), [text('x').toString()]);
  assert.equal((await store.locate(foreign)).tried.at(-1)?.found, `maildir, refused: ${reason}`);
});

test('a process that isn’t the owner makes no mailbox', { skip: uid === 0 ? 'root may' : false }, async (t) => {
  const { folder, store } = house(t);
  const foreign: Mailbox = { ...mailboxNamed('abc@kvt.dk'), owner: { uid: uid + 1, gid } };
  await assert.rejects(store.deliver(foreign, [text('y')], envelope), isFault('temporary', 'the mailbox can not be used'));
  assert.deepEqual(fs.readdirSync(folder).sort(), ['run', 'state']);
});

test('what root makes belongs to the owner', { skip: uid === 0 ? false : 'needs root' }, async (t) => {
  const { folder, store } = house(t);
  const mailbox: Mailbox = { ...mailboxNamed('abc@kvt.dk'), owner: { uid: 12345, gid: 12346 } };
  await store.deliver(mailbox, [text('x')], envelope);
  const path = join(folder, 'virtual/kvt.dk/abc');
  const [name = ''] = fs.readdirSync(join(path, 'new'));
  for (const at of [join(path, '..'), path, join(path, 'cur'), join(path, 'new', name)]) {
    const { uid: owner, gid: group } = fs.statSync(at);
    assert.deepEqual([owner, group], [12345, 12346], at);
  }
  assert.equal((await contents(store, mailbox)).length, 1);
});

test('two accounts with one home have one mailbox, and one session at a time', async (t) => {
  const { folder, store } = house(t);
  fs.mkdirSync(join(folder, 'home'));
  const kvt: Mailbox = { ...mailboxNamed('kvt@kvt.dk'), home: join(folder, 'home') };
  const postmaster: Mailbox = { ...mailboxNamed('postmaster@kvt.dk'), home: join(folder, 'home/') };
  await store.deliver(postmaster, [text('x')], envelope);
  const maildrop = await store.open(kvt);
  assert.equal(maildrop.messages.length, 1);
  await assert.rejects(store.open(postmaster), isFault('in-use', 'another session has this maildrop'));
  await maildrop[Symbol.asyncDispose]();
  assert.equal((await contents(store, postmaster)).length, 1);
});

test('an mbox and a Maildir are served side by side, whatever new mailboxes are to be', async (t) => {
  const { folder, store } = house(t);
  fs.mkdirSync(join(folder, 'virtual/kvt.dk'), { recursive: true });
  const file = join(folder, 'virtual/kvt.dk/abc');
  fs.writeFileSync(file, 'From ada Thu Jan  1 00:00:00 1970\nSubject: old\n\nHello.\n\n');
  const abc = mailboxNamed('abc@kvt.dk');
  await store.deliver(abc, [text('new')], envelope);
  assert.deepEqual(await contents(store, abc), [text('old').toString(), text('new').toString()]);
  assert.ok(fs.statSync(file).isFile());
});

test('a failure to open gives the session lock back', async (t) => {
  const { folder, store } = house(t);
  const abc = mailboxNamed('abc@kvt.dk');
  await store.deliver(abc, [text('x')], envelope);
  const path = join(folder, 'virtual/kvt.dk/abc');
  fs.renameSync(join(path, 'cur'), join(path, 'cur.away'));
  fs.writeFileSync(join(path, 'cur'), '');
  await assert.rejects(store.open(abc), isFault('temporary', 'the mailbox can not be read just now'));
  fs.rmSync(join(path, 'cur'));
  assert.equal((await contents(store, abc)).length, 1);
});

test('open maildrops and what is remembered are counted', async (t) => {
  const { store } = house(t);
  const abc = mailboxNamed('abc@kvt.dk');
  await store.deliver(abc, [text('x')], envelope);
  const maildrop = await store.open(abc);
  assert.deepEqual(store.counts(), { open: 1, maildirs: 1, maildirMessages: 1 });
  await maildrop[Symbol.asyncDispose]();
  assert.deepEqual(store.counts(), { open: 0, maildirs: 1, maildirMessages: 1 });
});
