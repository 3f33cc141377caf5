import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUserName } from '../../model/address.ts';
import { cryptAvailable } from '../../os/crypt.ts';
import type { ShadowEntry } from '../../os/users.ts';
import { shadowUsers } from './hostUsers.ts';

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
