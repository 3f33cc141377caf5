/** The everyday life of a server for many owners: their processes come and go, and so do owners and domains, while everybody is served. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { postkasse } from './support/cli.ts';
import {
  childrenOf,
  delivered,
  give,
  loggedIn,
  makeFolder,
  makeNumberedOwner,
  makeOwnersTree,
  rightsOf,
  needsRoot as skip,
  visit,
  whose,
  workersOf,
} from './support/owners.ts';
import { serving } from './support/processes.ts';
import type { Server, ServerOptions, Tree } from './support/server.ts';

const options = { skip, timeout: 180_000 };
const empty = ['+OK 0 messages (0 octets)', '+OK 0 0', '+OK goodbye (maildrop empty)'];
const refused = ['-ERR [AUTH] authentication failed'];

interface House {
  readonly tree: Tree;
  start(settings?: ServerOptions['settings']): Promise<Server>;
}

function houseOf(t: TestContext): House {
  const tree = makeOwnersTree(t);
  const login = ['failure_delay_ms = 0'];
  return { tree, start: (settings = {}) => serving(t, { tree, protocols: ['pop3', 'lmtp'], settings: { login, ...settings } }) };
}

async function idsOf(server: Server, address: string): Promise<readonly string[]> {
  const client = await loggedIn(server, address);
  const ids = await client.uniqueIds();
  await client.ok('QUIT');
  await client.drop();
  return ids;
}

function titles(server: Server): string[] {
  return workersOf(server).map(({ title }) => title);
}

test("an owner's process is there when it is needed, ends when it has been idle, and comes again", options, async (t) => {
  const { tree, start } = houseOf(t);
  const [one, other] = [makeNumberedOwner(tree, 61001, 'one.example'), makeNumberedOwner(tree, 61002, 'other.example')];
  const server = await start({ owners: ['idle_s = 1'] });
  assert.deepEqual(titles(server), []);
  const client = await loggedIn(server, one.address);
  assert.deepEqual(titles(server), ['postkasse owner 61001']);
  const [{ pid = 0 } = {}] = workersOf(server);
  assert.deepEqual(await visit(server, other.address), empty);
  await server.logged(/ worker\.ended owner=61002:61002 /);

  // That one had been idle for its second; this one, though silent for longer, serves a session.
  assert.deepEqual(titles(server), ['postkasse owner 61001']);
  assert.equal(await client.command('STAT'), '+OK 0 0');
  assert.equal(await client.command('QUIT'), '+OK goodbye (maildrop empty)');
  await client.drop();
  await server.logged(/ worker\.ended owner=61001:61001 /);
  assert.deepEqual(
    childrenOf(server).map(({ title }) => title),
    ['postkasse front 0', 'postkasse front 1'],
  );

  assert.match(await delivered(server, one.address, 'later'), /^250 2\.0\.0 /);
  const again = workersOf(server);
  assert.deepEqual(
    again.map(({ title }) => title),
    ['postkasse owner 61001'],
  );
  assert.notEqual(again[0]?.pid, pid);
  assert.equal(whose(one.mailbox), '61001:61001 600');
});

test('more owners than places are all served, in turn', options, async (t) => {
  const { tree, start } = houseOf(t);
  const owners = [1, 2, 3, 4, 5, 6].map((n) => makeNumberedOwner(tree, 61010 + n, `d${n}.example`));
  const server = await start({ owners: ['max_workers = 2'] });
  const most: number[] = [];
  const visits = owners.map(async ({ address }) => {
    const replies = await visit(server, address);
    most.push(workersOf(server).length);
    return replies;
  });
  assert.deepEqual(
    await Promise.all(visits),
    owners.map(() => empty),
  );
  assert.ok(Math.max(...most) <= 2, most.join());

  // Who serves a session is not sent away for another's sake.
  const [first, second, third] = owners as [(typeof owners)[0], (typeof owners)[0], (typeof owners)[0]];
  const clients = [await loggedIn(server, first.address), await loggedIn(server, second.address)];
  const waiting = visit(server, third.address);
  assert.equal(await clients[0]?.command('NOOP'), '+OK');
  assert.equal(await clients[1]?.command('STAT'), '+OK 0 0');
  assert.deepEqual(titles(server), [`postkasse owner ${first.uid}`, `postkasse owner ${second.uid}`]);
  await clients[0]?.ok('QUIT');
  assert.deepEqual(await waiting, empty);
  assert.equal(await clients[1]?.command('QUIT'), '+OK goodbye (maildrop empty)');
  assert.deepEqual(titles(server), [`postkasse owner ${second.uid}`, `postkasse owner ${third.uid}`]);
  for (const client of clients) await client.drop();
});

test('a domain that is added is served at once, and refused when it is removed', options, async (t) => {
  const { tree, start } = houseOf(t);
  makeNumberedOwner(tree, 61021, 'old.example');
  const server = await start();
  assert.deepEqual(await visit(server, 'abc@new.example'), refused);
  assert.equal(await delivered(server, 'abc@new.example', 'too early'), '550 5.7.1 we do not take mail for that domain');

  const { address, passwd, mailbox } = makeNumberedOwner(tree, 61022, 'new.example');
  assert.deepEqual(await visit(server, address), empty);
  assert.match(await delivered(server, address, 'hello'), /^250 2\.0\.0 /);
  const client = await loggedIn(server, address);
  assert.equal((await client.rows('LIST')).length, 1);

  renameSync(passwd, `${passwd}.gone`);
  assert.deepEqual(await visit(server, address), refused);
  assert.equal(await delivered(server, address, 'too late'), '550 5.7.1 we do not take mail for that domain');
  // Whoever is in goes on to the end.
  assert.equal(await client.command('DELE 1'), '+OK message 1 deleted');
  assert.equal(await client.command('QUIT'), '+OK goodbye (maildrop empty)');
  await client.drop();
  assert.equal(readFileSync(mailbox, 'latin1'), '');

  renameSync(`${passwd}.gone`, passwd);
  assert.deepEqual(await visit(server, address), empty);
  rmSync(join(tree.folder, 'virtual', 'new.example'), { recursive: true });
  assert.deepEqual(await visit(server, address), refused);
  assert.deepEqual(await visit(server, 'abc@old.example'), empty);
});

test('a domain that is given to another user is served by a process of that user from then on', options, async (t) => {
  const { tree, start } = houseOf(t);
  const { address, passwd, mailbox } = makeNumberedOwner(tree, 61031, 'moving.example', ['def:{PLAIN}secret']);
  // One front, which remembers where it was.
  const server = await start({ '': ['fronts = 1'] });
  assert.match(await delivered(server, address, 'before'), /^250 2\.0\.0 /);
  const ids = await idsOf(server, address);
  assert.deepEqual(titles(server), ['postkasse owner 61031']);
  for (const name of ['one', 'two']) assert.match(await delivered(server, 'def@moving.example', name), /^250 2\.0\.0 /);
  const convert = ['mailbox', 'convert', 'def@moving.example', '--to', 'maildir', '--config', server.settingsFile];
  const idsBefore = await idsOf(server, 'def@moving.example');
  assert.equal((await postkasse(convert)).status, 0);
  assert.deepEqual(await idsOf(server, 'def@moving.example'), idsBefore);

  const next = { uid: 61032, gid: 61032 };
  // Ids that were taken over are written down with the owner.
  const state = join(tree.folder, 'state', 'owners');
  makeFolder(next, join(state, '61032'));
  makeFolder(next, join(state, '61032', 'taken-over'));
  renameSync(join(state, '61031', 'taken-over', 'moving.example'), join(state, '61032', 'taken-over', 'moving.example'));
  give(join(state, '61032'), next);
  give(join(tree.folder, 'spool', 'moving.example'), next);
  give(join(passwd, '..'), next);
  const after = await loggedIn(server, address);
  assert.deepEqual(await after.uniqueIds(), ids);
  assert.equal(
    rightsOf(workersOf(server).find(({ title }) => title === 'postkasse owner 61032')?.pid ?? 0).uids,
    '61032 61032 61032 61032',
  );
  await after.ok('QUIT');
  await after.drop();
  assert.match(await delivered(server, address, 'after'), /^250 2\.0\.0 /);
  assert.deepEqual(await idsOf(server, 'def@moving.example'), idsBefore);
  assert.equal(whose(mailbox), '61032:61032 600');
});

test("a passwd file of root's goes to whom domain.toml names, and from one to the other when that changes", options, async (t) => {
  const { tree, start } = houseOf(t);
  makeNumberedOwner(tree, 61041, 'other.example');
  const folder = join(tree.folder, 'virtual', 'given.example');
  const spool = join(tree.folder, 'spool', 'given.example');
  for (const each of [folder, spool]) mkdirSync(each, { mode: 0o755 });
  writeFileSync(join(folder, 'passwd'), 'abc:{PLAIN}secret\n', { mode: 0o644 });
  const server = await start({ '': ['fronts = 1'] });
  for (const uid of [61042, 61043]) {
    writeFileSync(join(folder, 'domain.toml'), `owner = "${uid}:${uid}"\n`);
    chmodSync(join(folder, 'domain.toml'), 0o644);
    give(spool, { uid, gid: uid });
    assert.match(await delivered(server, 'abc@given.example', String(uid)), /^250 2\.0\.0 /);
    assert.equal(whose(join(spool, 'abc')), `${uid}:${uid} 600`);
    assert.equal((await visit(server, 'abc@given.example'))[1], `+OK ${uid - 61041} ${octetsIn(join(spool, 'abc'))}`);
  }
});

/** Of all messages as they are on the wire: without the separators of the mbox, and with CRLF. */
function octetsIn(mbox: string): number {
  const messages = readFileSync(mbox, 'latin1')
    .split(/^From ada@example\.org .*\n/m)
    .slice(1);
  return messages.reduce(
    (sum, message) =>
      sum +
      message
        .slice(0, -1)
        .replace(/^>(>*From )/gm, '$1')
        .replaceAll('\n', '\r\n').length,
    0,
  );
}
