/**
 * Users of the host itself, each in a process of their own: passwords by the shadow file and by PAM, and mailboxes in a folder of root and the
 * group mail, where a lock file takes a right that the process puts on for that alone.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadLibrary } from '../../src/os/native.ts';
import { nameOf } from './support/numberedMail.ts';
import {
  childrenOf,
  delivered,
  loggedIn,
  makeDomain,
  makeFile,
  makeOwnersTree,
  makeUser,
  needsRoot,
  rightsOf,
  type UnixUser,
  visit,
  whose,
  workersOf,
} from './support/owners.ts';
import { serving } from './support/processes.ts';
import { missing } from './support/programs.ts';
import { type Server, type Tree, writeSettings } from './support/server.ts';

const options = { skip: needsRoot, timeout: 180_000 };
const service = '/etc/pam.d/postkasse';
const mail = 8;
const password = 'lækker7';
/** Of it, by openssl passwd -6. */
const hash = '$6$saltstring$ls7AxXSIe9KVScQvO59U3NR01/TCj/6Bp2hgVOsEhjbYA3eJWkwvQ3H6ahnm2qPSLPzU8B/r.0ZnKRLAvU/yH0';
const refused = ['-ERR [AUTH] authentication failed'];

function missingPam(): string | false {
  try {
    loadLibrary(['libpam.so.0']);
  } catch {
    return 'needs libpam (apt-get install libpam0g libpam-modules)';
  }
  if (!existsSync('/usr/sbin/unix_chkpwd') && !existsSync('/sbin/unix_chkpwd')) return 'needs unix_chkpwd (libpam-modules-bin)';
  return existsSync(service) ? `the host has a ${service} of its own` : false;
}

interface House {
  readonly tree: Tree;
  readonly server: Server;
  readonly user: UnixUser;
  readonly mailbox: string;
}

/** The user has a password, a mailbox as useradd makes it, and a domain. */
async function house(t: TestContext, name: string, uid: number, systemUsers: string): Promise<House> {
  const tree = makeOwnersTree(t);
  const user = makeUser(t, tree, { name, uid, group: 'users' });
  execFileSync('chpasswd', ['-e'], { input: `${name}:${hash}\n` });
  const spool = join(tree.folder, 'mail');
  chownSync(spool, 0, mail);
  chmodSync(spool, 0o2775);
  const mailbox = join(spool, name);
  makeFile({ uid, gid: mail }, mailbox, '');
  chmodSync(mailbox, 0o660);
  // Which makes the folder its own.
  chownSync(spool, 0, mail);
  chmodSync(spool, 0o2775);
  makeDomain(tree, user, 'own.example', ['abc:{PLAIN}secret:UID:GID::.:']);
  const server = await serving(t, { tree, protocols: ['pop3', 'lmtp'], settings: settingsWith(systemUsers) });
  return { tree, server, user, mailbox };
}

function settingsWith(systemUsers: string): Record<string, readonly string[]> {
  return {
    directory: ['default_domain = "host.example"', `system_users = "${systemUsers}"`],
    mailboxes: ['system_spool = "mail"'],
    login: ['failure_delay_ms = 0'],
  };
}

/** Right and wrong passwords, and what has been done to the account in the meantime. */
async function comesAndGoes({ server, user, mailbox }: House): Promise<void> {
  const { name } = user;
  assert.equal(readFileSync(mailbox).length, 0);
  const there = ['+OK 0 messages (0 octets)', '+OK 0 0', '+OK goodbye (maildrop empty)'];
  for (const login of [name, `${name}@host.example`, `${name}%host.example`])
    assert.deepEqual(await visit(server, login, password), there, login);
  assert.deepEqual(await visit(server, name, 'wrong'), refused);
  assert.deepEqual(await visit(server, 'root', password), refused);
  assert.deepEqual(await visit(server, 'nobody-here', password), refused);
  assert.deepEqual(await visit(server, `${name}@own.example`, password), refused);

  for (const [change, back] of [
    [
      ['--expiredate', '2001-01-01'],
      ['--expiredate', ''],
    ],
    [['--lock'], ['--unlock']],
  ] as const) {
    execFileSync('usermod', [...change, name], { stdio: 'pipe' });
    assert.deepEqual(await visit(server, name, password), refused, change.join(' '));
    execFileSync('usermod', [...back, name], { stdio: 'pipe' });
    assert.deepEqual(await visit(server, name, password), there, back.join(' '));
  }
}

test('by the shadow file: the supervisor reads the one line, and the process of that user checks the password', options, async (t) => {
  const place = await house(t, 'pk_shadow', 6051, 'shadow');
  await comesAndGoes(place);
  const { server, user, mailbox } = place;
  assert.equal((await visit(server, 'abc@own.example')).length, 3);
  // One for the user, who has the group mail aside, and one for the domain that is theirs, which hasn't.
  const { uid, gid } = user;
  assert.deepEqual(
    workersOf(server)
      .map(({ title, pid }) => ({ title, ...rightsOf(pid) }))
      .sort((one, other) => one.gids.localeCompare(other.gids)),
    [
      { title: 'postkasse owner pk_shadow', uids: `${uid} ${uid} ${uid} ${uid}`, gids: `${gid} ${gid} ${gid} ${gid}`, groups: `${gid}` },
      { title: 'postkasse owner pk_shadow', uids: `${uid} ${uid} ${uid} ${uid}`, gids: `${gid} ${gid} ${mail} ${gid}`, groups: `${gid}` },
    ],
  );
  assert.match(await delivered(server, 'pk_shadow@host.example', 'to a user'), /^250 2\.0\.0 /);
  assert.equal(await delivered(server, 'root@host.example', 'to root'), '550 5.1.1 no such user here');
  const client = await loggedIn(server, 'pk_shadow', password);
  assert.equal(nameOf(await client.retrieve(1)), 'to a user');
  await client.ok('DELE 1');
  assert.equal(await client.command('QUIT'), '+OK goodbye (maildrop empty)');
  await client.drop();
  assert.equal(whose(mailbox), `${uid}:${mail} 660`);
});

test('by PAM, after a reload too: the process of that user asks', { ...options, skip: needsRoot || missingPam() }, async (t) => {
  copyFileSync(join(import.meta.dirname, '../../contrib/pam/postkasse'), service);
  t.after(() => rmSync(service));
  const place = await house(t, 'pk_pam', 6052, 'pam');
  await comesAndGoes(place);
  const { server, tree } = place;
  for (const [nth, kind] of ['shadow', 'pam'].entries()) {
    await writeSettings({ tree, protocols: ['pop3', 'lmtp'], settings: settingsWith(kind) }, server.ports);
    process.kill(server.pid, 'SIGHUP');
    await server.logged(/ supervisor\.reloaded /, nth + 1);
    assert.equal((await visit(server, 'pk_pam', password)).length, 3);
    assert.deepEqual(await visit(server, 'pk_pam', 'wrong'), refused);
  }
});

test('a lock file beside the mailbox takes a group that the process has on for nothing else', {
  ...options,
  skip: needsRoot || missing('strace', 'strace'),
}, async (t) => {
  const { server, user, mailbox, tree } = await house(t, 'pk_lock', 6053, 'shadow');
  assert.equal((await visit(server, 'pk_lock', password)).length, 3);
  const [worker] = workersOf(server);
  const trace = await traced(worker?.pid ?? 0, join(tree.folder, 'strace'));
  if (trace === undefined) return t.skip('the host lets nobody look at what another process does');
  assert.match(await delivered(server, 'pk_lock@host.example', 'one'), /^250 2\.0\.0 /);
  const calls = await trace();

  const lock = `${mailbox}.lock`;
  const withGroup: string[] = [];
  let on = false;
  for (const call of calls) {
    const [, group] = /^setfsgid\((-?\d+)\)/.exec(call) ?? [];
    // Asked with -1, it only says which one there is.
    if (group !== undefined) on = group === '-1' ? on : Number(group) === mail;
    else if (on) withGroup.push(call.replaceAll(lock, '<lock>'));
  }
  assert.deepEqual(
    withGroup.map((call) => /^(\w+)\(.*"<lock>"/.exec(call)?.[1] ?? call),
    ['openat', 'unlink'],
  );
  assert.equal(on, false);
  assert.match(withGroup[0] ?? '', /O_CREAT\|O_EXCL.* = \d+$/);
  assert.match(withGroup[1] ?? '', / = 0$/);
  assert.deepEqual(readdirSync(join(tree.folder, 'mail')), ['pk_lock']);
  assert.equal(rightsOf(worker?.pid ?? 0).gids, `${user.gid} ${user.gid} ${mail} ${user.gid}`);
  const client = await loggedIn(server, 'pk_lock', password);
  assert.equal(nameOf(await client.retrieve(1)), 'one');
  await client.drop();
  assert.equal(childrenOf(server).length, 3);
  return undefined;
});

const calls = 'setfsgid,setresgid,setgid,setregid,setgroups,open,openat,creat,unlink,unlinkat,rename,link,chmod,fchmod,fchown';

/** Resolves when every such call of the process is being written down, with a function that ends that and gives those of its first thread. */
async function traced(pid: number, file: string): Promise<(() => Promise<string[]>) | undefined> {
  const strace = spawn('strace', ['-f', '-e', `trace=${calls}`, '-o', file, '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  const [said] = (await once(strace.stderr, 'data')) as [Buffer];
  if (said.includes('not permitted')) return undefined;
  assert.match(said.toString(), /attached/);
  return async () => {
    strace.kill('SIGINT');
    await once(strace, 'exit');
    const lines = readFileSync(file, 'latin1').split('\n');
    return lines.flatMap((line) => (line.startsWith(`${pid} `) ? [line.slice(String(pid).length).trim()] : []));
  };
}
