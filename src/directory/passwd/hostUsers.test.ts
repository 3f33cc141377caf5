import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUserName } from '../../model/address.ts';
import { cryptAvailable } from '../../os/crypt.ts';
import type { ShadowEntry } from '../../os/users.ts';
import { ownUser, shadowUsers } from './hostUsers.ts';

/** `lækker7`, by openssl passwd -6. */
const hash = '$6$saltstring$ls7AxXSIe9KVScQvO59U3NR01/TCj/6Bp2hgVOsEhjbYA3eJWkwvQ3H6ahnm2qPSLPzU8B/r.0ZnKRLAvU/yH0';
const today = 20_000;

const skip = cryptAvailable() ? false : 'this host has no libcrypt';

test('passwords against the shadow file', { skip }, async () => {
  const fresh: ShadowEntry = {
    name: 'jens',
    hash,
    lastChangeDay: today - 10,
    maxDays: undefined,
    inactiveDays: undefined,
    expireDay: undefined,
  };
  const table: [ShadowEntry | undefined, string, boolean][] = [
    [fresh, 'lækker7', true],
    [fresh, 'lækker8', false],
    [fresh, '', false],
    [undefined, 'lækker7', false],
    [{ ...fresh, hash: '' }, '', false],
    [{ ...fresh, hash: '*' }, 'lækker7', false],
    [{ ...fresh, hash: `!${hash}` }, 'lækker7', false],
    [{ ...fresh, expireDay: today }, 'lækker7', false],
    [{ ...fresh, expireDay: today + 1 }, 'lækker7', true],
    [{ ...fresh, maxDays: 5, inactiveDays: 4 }, 'lækker7', false],
    [{ ...fresh, maxDays: 5, inactiveDays: 6 }, 'lækker7', true],
    [{ ...fresh, maxDays: 5 }, 'lækker7', true],
  ];
  const jens = parseUserName('jens');
  assert.ok(jens);
  for (const [entry, password, expected] of table) {
    const users = shadowUsers(() => today * 86_400_000, { getpwnam: () => undefined, getspnam: () => entry });
    assert.deepEqual([entry, password, await users.check(jens, Buffer.from(password))], [entry, password, expected]);
  }
});

test('a shadow file that may not be read is a temporary fault', async () => {
  const getspnam = () => {
    throw Object.assign(new Error('EACCES: getspnam'), { code: 'EACCES' });
  };
  const users = shadowUsers(() => 0, { getpwnam: () => undefined, getspnam });
  const jens = parseUserName('jens');
  assert.ok(jens);
  await assert.rejects(users.check(jens, Buffer.from('x')), { kind: 'temporary', text: 'accounts can not be looked up just now' });
});

test('in a process of a user of the host nobody else exists', { skip }, async () => {
  const user = { name: 'jens', uid: 601, gid: 100, gecos: '', home: '/home/jens', shell: '' };
  const [jens, other] = [parseUserName('jens'), parseUserName('other')];
  assert.ok(jens && other);
  const getpwnam = (name: string) => ({ ...user, name });
  const entry = { name: 'jens', hash, lastChangeDay: today, maxDays: undefined, inactiveDays: undefined, expireDay: undefined };
  let asked = 0;
  const byShadow = ownUser(
    'jens',
    async () => {
      asked += 1;
      return entry;
    },
    { now: () => today * 86_400_000, getpwnam },
  );
  assert.deepEqual(byShadow.find(jens), user);
  assert.equal(byShadow.find(other), undefined);
  assert.equal(await byShadow.check(jens, Buffer.from('lækker7')), true);
  assert.equal(await byShadow.check(jens, Buffer.from('lækker8')), false);
  assert.equal(await byShadow.check(other, Buffer.from('lækker7')), false);
  assert.equal(asked, 3, 'the same work, whoever it is');

  const seen: string[] = [];
  const byPam = ownUser('jens', undefined, {
    getpwnam,
    pam: async (name, password) => {
      seen.push(name);
      return password.toString() === 'lækker7';
    },
  });
  assert.equal(await byPam.check(jens, Buffer.from('lækker7')), true);
  assert.equal(await byPam.check(jens, Buffer.from('lækker8')), false);
  assert.equal(await byPam.check(other, Buffer.from('lækker7')), false);
  assert.deepEqual(seen, ['jens', 'jens', 'jens']);

  const expired = ownUser('jens', async () => ({ ...entry, expireDay: today }), { now: () => today * 86_400_000, getpwnam });
  assert.equal(await expired.check(jens, Buffer.from('lækker7')), false);
  const unknown = ownUser('jens', async () => undefined, { getpwnam });
  assert.equal(await unknown.check(jens, Buffer.from('lækker7')), false);
});
