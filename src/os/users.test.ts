import assert from 'node:assert/strict';
import fs from 'node:fs';
import { userInfo } from 'node:os';
import { test } from 'node:test';
import { findGroup, findUser, getgrgid, getgrnam, getgrouplist, getpwnam, getpwuid, getspnam } from './users.ts';

const root = { name: 'root', uid: 0, gid: 0 };

/** A number that no line of the host's files has. */
function freeId(): number {
  for (let id = 3_000_000_000; ; id += 1) if (getpwuid(id) === undefined && getgrgid(id) === undefined) return id;
}

test('root, by name and by number', () => {
  const byName = getpwnam('root');
  assert.deepEqual(byName && { name: byName.name, uid: byName.uid, gid: byName.gid }, root);
  assert.deepEqual(getpwuid(0), byName);
  assert.deepEqual(getgrnam('root'), { name: 'root', gid: 0 });
  assert.deepEqual(getgrgid(0), { name: 'root', gid: 0 });
});

test('the user of this process, as Node knows it', () => {
  const { username, uid, gid, homedir, shell } = userInfo();
  const user = getpwnam(username);
  assert.deepEqual(user && [user.name, user.uid, user.gid, user.home, user.shell], [username, uid, gid, homedir, shell ?? '']);
});

test('every field of a passwd line', () => {
  const line = fs
    .readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((text) => text.startsWith('mail:'));
  assert.ok(line);
  const [name = '', , uid, gid, gecos, home, shell] = line.split(':');
  assert.deepEqual(getpwnam(name), { name, uid: Number(uid), gid: Number(gid), gecos, home, shell });
});

test('who does not exist', () => {
  for (const name of ['', 'no-such-user-here', 'root\0x', '../root', 'r'.repeat(10_000)]) {
    assert.equal(getpwnam(name), undefined);
    assert.equal(getgrnam(name), undefined);
  }
  assert.equal(getpwuid(freeId()), undefined);
});

test('the groups of a user: its own and those whose lines name it', () => {
  const groups = fs
    .readFileSync('/etc/group', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const users = fs
    .readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const [name = '', , , gid] of users) {
    if (name === '') continue;
    const named = groups.filter(([, , , members = '']) => members.split(',').includes(name)).map(([, , number]) => Number(number));
    assert.deepEqual([name, getgrouplist(name, Number(gid)).sort()], [name, [...new Set([Number(gid), ...named])].sort()]);
  }
  const free = freeId();
  assert.deepEqual(getgrouplist('no-such-user-here', free), [free]);
  assert.deepEqual(getgrouplist('root\0x', free), [free]);
});

test('a setting gives names or numbers', () => {
  const mail = getpwnam('mail');
  assert.ok(mail);
  const found = { name: 'mail', uid: mail.uid, gid: mail.gid };
  assert.deepEqual(findUser('mail'), found);
  assert.deepEqual(findUser(String(mail.uid)), found);
  const free = freeId();
  assert.deepEqual(findUser(String(free)), { name: undefined, uid: free, gid: free });
  assert.equal(findGroup('root'), 0);
  assert.equal(findGroup(String(free)), free);
  for (const wrong of ['', 'no-such-user-here', '-1', '1.5', '0x10', '4294967295', '99999999999', ' 8']) {
    assert.equal(findUser(wrong), undefined, wrong);
    assert.equal(findGroup(wrong), undefined, wrong);
  }
});

test('the shadow file is read by root', { skip: process.getuid?.() === 0 ? false : 'only root may read it' }, () => {
  const line = fs
    .readFileSync('/etc/shadow', 'utf8')
    .split('\n')
    .find((text) => text.startsWith('root:'));
  assert.ok(line);
  const [name, hash, lastChange, , max, , inactive, expire] = line.split(':');
  const days = (field: string | undefined) => (field ? Number(field) : undefined);
  assert.deepEqual(getspnam('root'), {
    name,
    hash,
    lastChangeDay: days(lastChange),
    maxDays: days(max),
    inactiveDays: days(inactive),
    expireDay: days(expire),
  });
  assert.equal(getspnam('no-such-user-here'), undefined);
});

test('the shadow file is closed to others', { skip: process.getuid?.() === 0 ? 'runs as root' : false }, () => {
  assert.throws(() => getspnam('root'), { code: 'EACCES' });
});
