/**
 * One process of a server for many owners is killed or stops: its sessions are told, nobody else notices, and whoever comes next is served as ever.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadLibrary } from '../../src/os/native.ts';
import {
  childrenOf,
  delivered,
  loggedIn,
  makeFile,
  makeNumberedOwner,
  makeOwnersTree,
  makeUser,
  type NumberedOwner,
  needsRoot as skip,
  titleOf,
  visit,
  workersOf,
} from './support/owners.ts';
import { ConnectionLost, type Pop3Client } from './support/pop3Client.ts';
import { endedAfter, serving } from './support/processes.ts';
import type { Server, ServerOptions, Tree } from './support/server.ts';

const options = { skip, timeout: 180_000 };
const mail = 'From ada@example.org Thu Nov 24 18:22:48 1986\nSubject: one\n\nHello.\n\n';
const message = 'Subject: one\r\n\r\nHello.\r\n';
const listed = ['+OK 1 message (24 octets)', '+OK 1 24', '+OK goodbye (1 message left)'];
const unreadable = '-ERR [SYS/TEMP] the mailbox can not be read just now';

interface House {
  readonly tree: Tree;
  readonly server: Server;
  /** Each with eight mailboxes of one message: `abc`, `user1` to `user7`. */
  readonly one: NumberedOwner;
  readonly other: NumberedOwner;
}

async function open(t: TestContext, uid: number, settings: ServerOptions['settings'] = {}): Promise<House> {
  const tree = makeOwnersTree(t);
  const users = Array.from({ length: 7 }, (_, n) => `user${n + 1}`);
  const owner = (ofUid: number, domain: string) => {
    const made = makeNumberedOwner(
      tree,
      ofUid,
      domain,
      users.map((user) => `${user}:{PLAIN}secret`),
    );
    for (const user of ['abc', ...users]) makeFile(made, join(tree.folder, 'spool', domain, user), mail);
    return made;
  };
  const [one, other] = [owner(uid, 'one.example'), owner(uid + 1, 'other.example')];
  const server = await serving(t, { tree, protocols: ['pop3', 'lmtp'], settings: { login: ['failure_delay_ms = 0'], ...settings } });
  return { tree, server, one, other };
}

/** Sessions of all mailboxes of an owner. The kernel deals them out: that one of two fronts gets none of eight happens once in 128 times. */
function sessionsOf(server: Server, { domain }: NumberedOwner): Promise<Pop3Client[]> {
  return Promise.all(Array.from({ length: 8 }, (_, n) => loggedIn(server, `${n === 0 ? 'abc' : `user${n}`}@${domain}`)));
}

function workerOf(server: Server, { uid, name = String(uid) }: { readonly uid: number; readonly name?: string }): number {
  return workersOf(server).find(({ title }) => title === `postkasse owner ${name}`)?.pid ?? assert.fail(`no worker of ${name}`);
}

async function retrieved(client: Pop3Client | undefined): Promise<string | undefined> {
  return (await client?.retrieve(1))?.toString();
}

const told = (clients: readonly Pop3Client[], command: string) => Promise.all(clients.map((client) => client.command(command)));

async function dropAll(...clients: readonly Pop3Client[]): Promise<void> {
  for (const client of clients) await client.drop();
}

test('a worker is killed: each of its sessions is told, and nobody else notices', options, async (t) => {
  const { server, one, other } = await open(t, 64251);
  const fronts = childrenOf(server).filter(({ title }) => title.startsWith('postkasse front'));
  const [killed, spared] = [await sessionsOf(server, one), await sessionsOf(server, other)];
  const othersWorker = workerOf(server, other);
  const [waiting, marking, ...reading] = killed;
  assert.equal(await marking?.command('DELE 1'), '+OK message 1 deleted');
  const died = server.logged(/ worker\.died owner=64251:64251 /);
  process.kill(workerOf(server, one), 'SIGKILL');
  assert.match(await died, / signal=SIGKILL$/);

  assert.deepEqual(
    await told(reading, 'RETR 1'),
    reading.map(() => unreadable),
  );
  // Then the connection ends: nothing can be had of this maildrop any more.
  for (const client of reading) await assert.rejects(client.command('NOOP'), ConnectionLost);
  assert.equal(await marking?.command('QUIT'), '-ERR [SYS/TEMP] the messages could not be deleted, all of them are still there');
  // What is known without the worker is still told.
  assert.equal(await waiting?.command('STAT'), '+OK 1 24');
  assert.equal(await waiting?.command('TOP 1 0'), unreadable);

  for (const session of spared) assert.equal(await retrieved(session), message);
  await dropAll(...killed, ...spared);
  assert.deepEqual(await visit(server, other.address), listed);
  assert.equal(workerOf(server, other), othersWorker);
  // A dead process holds no maildrop, and one that dies at once is only tried again after a pause.
  let again = await visit(server, one.address);
  while (again[0] === '-ERR [SYS/TEMP] accounts can not be looked up just now') again = await visit(server, one.address);
  assert.deepEqual(again, listed);
  assert.deepEqual(
    childrenOf(server).filter(({ title }) => title.startsWith('postkasse front')),
    fronts,
  );
});

test('a front is killed: its maildrops are free at once, and the workers go on', options, async (t) => {
  const { server, one, other } = await open(t, 64253);
  const sessions = [...(await sessionsOf(server, one)), ...(await sessionsOf(server, other))];
  const workers = workersOf(server);
  const [killed] = childrenOf(server);
  const restarted = server.logged(/ front\.restarted /);
  process.kill(killed?.pid ?? 0, 'SIGKILL');
  await restarted;
  const lost: boolean[] = [];
  for (const session of sessions) {
    const mailOf = await retrieved(session).catch((error: unknown) => assert.ok(error instanceof ConnectionLost));
    lost.push(mailOf === undefined);
    if (mailOf !== undefined) assert.equal(mailOf, message);
  }
  assert.deepEqual(new Set(lost), new Set([true, false]));
  await dropAll(...sessions);
  for (const { domain } of [one, other])
    for (const user of ['abc', 'user1', 'user7']) assert.deepEqual(await visit(server, `${user}@${domain}`), listed);
  assert.deepEqual(workersOf(server), workers);
});

test('the supervisor is killed: all others end by themselves, and a new one serves at once', options, async (t) => {
  const { server, one, other } = await open(t, 64255);
  const session = await loggedIn(server, one.address);
  assert.deepEqual(await visit(server, other.address), listed);
  const orphans = childrenOf(server).map(({ pid }) => pid);
  assert.equal(orphans.length, 4);
  await server.stop('SIGKILL');
  const next = endedAfter(t, await server.restart());
  assert.deepEqual(await visit(next, other.address), listed);
  assert.match(await delivered(next, one.address, 'meanwhile'), /^250 /);
  // Who was in the middle of a session has the time to end it.
  assert.equal(await retrieved(session), message);
  assert.deepEqual(await visit(next, one.address), ['-ERR [IN-USE] another session has this maildrop']);
  assert.equal(await session.command('DELE 1'), '+OK message 1 deleted');
  assert.equal(await session.command('QUIT'), '+OK goodbye (maildrop empty)');
  await session.drop();
  await server.gone();
  assert.deepEqual(
    orphans.filter((pid) => (titleOf(pid) ?? '') !== ''),
    [],
  );
  const client = await loggedIn(next, one.address);
  assert.match((await client.retrieve(1)).toString(), /^Subject: meanwhile\r$/m);
  await client.drop();
});

test('a worker that is stopped: its clients are answered in time, the others at once, and it is replaced', options, async (t) => {
  const { server, one, other } = await open(t, 64257, { owners: ['answer_s = 3'] });
  const [session, ...others] = await sessionsOf(server, one);
  const [neighbour] = await sessionsOf(server, other);
  const stopped = workerOf(server, one);
  process.kill(stopped, 'SIGSTOP');
  const replies = Promise.all([
    session?.command('RETR 1'),
    visit(server, 'nobody@one.example'),
    delivered(server, one.address, 'to the stopped one'),
  ]);
  for (let n = 0; n < 20; n += 1) {
    assert.equal(await retrieved(neighbour), message);
    assert.match(await delivered(server, other.address, `meanwhile ${n}`), /^250 /);
  }
  const [reply, login, delivery] = await replies;
  assert.equal(reply, unreadable);
  // By another worker, once this one was found to be deaf: to the supervisor as well.
  assert.deepEqual(login, ['-ERR [AUTH] authentication failed']);
  assert.match(delivery, /^(?:250 |451 4\.3\.0 )/);
  await server.logged(new RegExp(` error +worker\\.deaf owner=64257:64257 pid=${stopped}$`));
  assert.match(await server.logged(/ worker\.died owner=64257:64257 /), / signal=SIGKILL$/);
  // Its other sessions find out as well.
  assert.deepEqual(
    await told(others, 'RETR 1'),
    others.map(() => unreadable),
  );
  assert.deepEqual(await visit(server, 'user7@one.example'), listed);
  await dropAll(...others, ...(neighbour ? [neighbour] : []));
});

test('the process that asks PAM is killed: its login is told, and the next one is not', {
  skip: skip || missingPam(),
  timeout: 180_000,
}, async (t) => {
  const tree = makeOwnersTree(t);
  const user = makeUser(t, tree, { name: 'pk_killed', uid: 64259, group: 'users' });
  execFileSync('chpasswd', { input: `${user.name}:secret\n` });
  const directory = ['default_domain = "host.example"', 'system_users = "pam"'];
  const server = await serving(t, {
    tree,
    protocols: ['pop3'],
    settings: { directory, mailboxes: ['system_spool = "mail"'], login: ['failure_delay_ms = 0'] },
  });
  const empty = ['+OK 0 messages (0 octets)', '+OK 0 0', '+OK goodbye (maildrop empty)'];
  assert.deepEqual(await visit(server, user.name), empty);
  const worker = workerOf(server, user);
  for (const password of ['secret', 'wrong']) {
    const login = visit(server, user.name, password);
    process.kill(await childOf(worker), 'SIGKILL');
    assert.deepEqual(await login, ['-ERR [SYS/TEMP] internal error']);
  }
  assert.deepEqual(await visit(server, user.name), empty);
  assert.equal(workerOf(server, user), worker);
});

/** As soon as there is one. */
async function childOf(pid: number): Promise<number> {
  for (;;) {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean);
    if (child !== undefined) return Number(child);
    await sleep(1);
  }
}

function missingPam(): string | false {
  try {
    loadLibrary(['libpam.so.0']);
    return existsSync('/usr/sbin/unix_chkpwd') || existsSync('/sbin/unix_chkpwd') ? false : 'needs unix_chkpwd (libpam-modules-bin)';
  } catch {
    return 'needs libpam (apt-get install libpam0g libpam-modules)';
  }
}
