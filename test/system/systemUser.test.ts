/**
 * Users of the host in a process that is that very user: their password by PAM and from their line of the shadow file, and their mailbox in
 * a folder of root's. Makes a user, and removes it afterwards.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { loadLibrary } from '../../src/os/native.ts';
import { getpwnam, getspnam, type ShadowEntry, type SystemUser } from '../../src/os/users.ts';

const noRoot = process.getuid?.() === 0 ? false : 'needs root';
const options = { skip: noRoot || missingPam() };

function missingPam(): string | false {
  try {
    loadLibrary(['libpam.so.0']);
    return fs.existsSync('/usr/sbin/unix_chkpwd') || fs.existsSync('/sbin/unix_chkpwd') ? false : 'needs unix_chkpwd (libpam-modules-bin)';
  } catch {
    return 'needs libpam (apt-get install libpam0g libpam-modules)';
  }
}

let made = 0;

/** Of a name that no other run has, with the password `lækker7`. */
function makeUser(t: TestContext): SystemUser {
  made += 1;
  const name = `pkuser${process.pid}n${made}`;
  // `lækker7`, by openssl passwd -6.
  const hash = '$6$saltstring$ls7AxXSIe9KVScQvO59U3NR01/TCj/6Bp2hgVOsEhjbYA3eJWkwvQ3H6ahnm2qPSLPzU8B/r.0ZnKRLAvU/yH0';
  execFileSync('useradd', ['--no-create-home', '--user-group', '--home-dir', '/nonexistent', '--shell', '/bin/false', '-p', hash, name], {
    stdio: 'pipe',
  });
  t.after(() => execFileSync('userdel', [name], { stdio: 'pipe' }));
  const user = getpwnam(name);
  assert.ok(user);
  return user;
}

/** What `check` says to each pair of name and password, in a process that is that user. @param entry its line of the shadow file; left out: PAM */
async function checks(
  user: Pick<SystemUser, 'name' | 'uid' | 'gid'>,
  pairs: readonly (readonly [string, string])[],
  how: { entry?: ShadowEntry | undefined; noNewPrivileges?: boolean } = {},
): Promise<unknown> {
  const { name, uid, gid } = user;
  const source = join(import.meta.dirname, '../../src');
  // A service of its own: the host's folder of services may not have ours.
  const services = fs.mkdtempSync(join(tmpdir(), 'postkasse-pam-'));
  try {
    fs.chmodSync(services, 0o755);
    fs.copyFileSync(join(import.meta.dirname, '../../contrib/pam/postkasse'), join(services, 'postkasse'));
    const module = `
      import { ownUser } from '${source}/directory/passwd/hostUsers.ts';
      import { becomeUser } from '${source}/os/becomeUser.ts';
      import { pamAuthenticate } from '${source}/os/pam.ts';
      const { identity, pairs, entry, byPam, services } = JSON.parse(process.argv[1] ?? '');
      becomeUser(identity);
      const pam = (user: string, password: Buffer) => pamAuthenticate('postkasse', user, password, services);
      const users = ownUser(identity.name, byPam ? undefined : async () => entry, { pam });
      const said: unknown[] = [];
      const reason = (error: { kind: string; cause: Error }) => error.kind + ': ' + error.cause.message;
      for (const [name, password] of pairs) said.push([name, users.find(name)?.uid ?? 'nobody', await users.check(name, Buffer.from(password)).catch(reason)]);
      process.stdout.write(JSON.stringify(said));`;
    const job = { identity: { name, uid, gid }, pairs, entry: how.entry, byPam: !('entry' in how), services };
    const command = [process.execPath, '--input-type=module-typescript', '--eval', module, '--', JSON.stringify(job)];
    const [program = '', ...args] = how.noNewPrivileges === true ? ['setpriv', '--no-new-privs', ...command] : command;
    const { stdout } = await promisify(execFile)(program, args, { timeout: 120_000 });
    return JSON.parse(stdout);
  } finally {
    fs.rmSync(services, { recursive: true });
  }
}

test('PAM lets a process ask for its own user, and for nobody else', options, async (t) => {
  const [user, other] = [makeUser(t), makeUser(t)];
  const { name, uid } = user;
  const pairs = [
    [name, 'lækker7'],
    [name, 'lækker8'],
    [name, ''],
    [other.name, 'lækker7'],
    ['root', 'lækker7'],
    ['no-such-user-here', 'lækker7'],
  ] as const;
  assert.deepEqual(await checks(user, pairs), [
    [name, uid, true],
    [name, uid, false],
    [name, uid, false],
    [other.name, 'nobody', false],
    ['root', 'nobody', false],
    ['no-such-user-here', 'nobody', false],
  ]);
});

test('PAM refuses an account that has expired or is locked', options, async (t) => {
  const user = makeUser(t);
  const { name, uid } = user;
  const pairs = [[name, 'lækker7']] as const;
  execFileSync('usermod', ['--expiredate', '2001-01-01', name], { stdio: 'pipe' });
  assert.deepEqual(await checks(user, pairs), [[name, uid, false]]);
  execFileSync('usermod', ['--expiredate', '', name], { stdio: 'pipe' });
  assert.deepEqual(await checks(user, pairs), [[name, uid, true]]);
  execFileSync('usermod', ['--lock', name], { stdio: 'pipe' });
  assert.deepEqual(await checks(user, pairs), [[name, uid, false]]);
});

test('without the right to new privileges PAM can read no shadow file: trouble of ours, and no wrong password', options, async (t) => {
  const { name, uid, gid } = makeUser(t);
  assert.deepEqual(await checks({ name, uid, gid }, [[name, 'lækker7']], { noNewPrivileges: true }), [
    [name, uid, 'temporary: PAM: Error: Authentication service cannot retrieve authentication info (9) (status 1, signal null)'],
  ]);
});

test('the line of the shadow file that was handed over, where PAM is not asked', options, async (t) => {
  const [user, other] = [makeUser(t), makeUser(t)];
  const { name, uid } = user;
  const pairs = [
    [name, 'lækker7'],
    [name, 'lækker8'],
    [other.name, 'lækker7'],
  ] as const;
  const said = (own: boolean) => [
    [name, uid, own],
    [name, uid, false],
    [other.name, 'nobody', false],
  ];
  // It needs no help of a program with rights of its own.
  assert.deepEqual(await checks(user, pairs, { entry: getspnam(name), noNewPrivileges: true }), said(true));
  execFileSync('usermod', ['--expiredate', '2001-01-01', name], { stdio: 'pipe' });
  assert.deepEqual(await checks(user, pairs, { entry: getspnam(name) }), said(false));
  execFileSync('usermod', ['--expiredate', '', '--lock', name], { stdio: 'pipe' });
  assert.deepEqual(await checks(user, pairs, { entry: getspnam(name) }), said(false));
  assert.deepEqual(await checks(user, pairs, { entry: undefined }), said(false));
});
