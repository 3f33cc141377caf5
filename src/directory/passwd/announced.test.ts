/** What may be announced is what every account can honour. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { domain } from '../../../test/contracts/directory.ts';
import type { Arrival, Directory } from '../../model/directory.ts';
import { nowhere, openHouse } from './fixture.test.ts';
import type { PasswdDirectoryOptions } from './index.ts';

const every = ['apop', 'cram-md5', 'password', 'scram-sha-1', 'scram-sha-256'];
const scram =
  '{SCRAM-SHA-256}4096,+7rci83x5LcgqL2d9PJxIw==,NSkHPeRTP9bLvaiV++roZ3hQzVvZ21U1JlsIavrN2dQ=,x+l6HwdG7OXNkliH8H0LLSzZsXsV1OMH6uJIdw7oxfg=';

function kinds(directory: Directory, arrival: Arrival = nowhere): string[] {
  return [...directory.proofKinds(arrival)].sort();
}

test('what the forms of the passwords in a house amount to', (t: TestContext) => {
  const table: [Partial<PasswdDirectoryOptions>, Record<string, string>, string[]][] = [
    [{ passwordKind: 'plain' }, {}, every],
    [{ passwordKind: 'auto' }, {}, ['password']],
    [{ passwordKind: 'plain', root: '/nonexistent' }, {}, every],
    [{ passwordKind: 'plain' }, { 'a.dk/passwd': 'a:one\nb:two:601:100:::\n' }, every],
    [{ passwordKind: 'plain' }, { 'a.dk/passwd': 'a:one\n', 'b.dk/passwd': 'a:$6$x$y\n' }, ['password']],
    [{ passwordKind: 'plain' }, { 'a.dk/passwd': 'a:one\nb:*\nc:!two\nd:\n# e:$6$x$y\nf:$6\n' }, every],
    [{ passwordKind: 'plain' }, { 'a.dk/passwd': 'a:one\nb:{SHA256}x\n' }, ['password']],
    [{ passwordKind: 'plain' }, { 'a.dk/passwd': 'a:one\nb:{CRAM-MD5}x\n' }, ['cram-md5', 'password']],
    [{ passwordKind: 'plain' }, { 'a.dk/passwd': `a:one\nb:${scram}\n` }, ['password', 'scram-sha-256']],
    [{ passwordKind: 'plain' }, { 'a.dk/passwd': 'a:one\nb:{NOSUCH}x\n' }, every],
    [{ passwordKind: 'plain' }, { 'a.dk/passwd': 'a:abRnsN4GFr.3w\n' }, ['password']],
    [{ passwordKind: 'plain' }, { 'a.dk/passwd': 'a:abRnsN4GFr.3w\n', 'a.dk/domain.toml': 'password_kind = "plain"' }, every],
    [{ passwordKind: 'plain' }, { 'a.dk/passwd': 'a:one\n', 'a.dk/domain.toml': 'password_kind = "crypt"' }, ['password']],
    [{ passwordKind: 'auto' }, { 'a.dk/passwd': 'a:{PLAIN}one\nb:clear text that nobody can log in with\n' }, every],
    [{ passwordKind: 'auto' }, { 'a.dk/passwd': `a:${scram}\n` }, ['password', 'scram-sha-256']],
    [{ passwordKind: 'auto' }, { 'a.dk/passwd': 'a:one\n', 'a.dk/domain.toml': 'password_kind = "plain"' }, every],
    [{ mechanisms: ['PLAIN', 'SCRAM-SHA-256-PLUS'] }, { 'a.dk/passwd': 'a:$6$x$y\n' }, ['password', 'scram-sha-256']],
    [{ mechanisms: ['PLAIN'] }, { 'a.dk/passwd': 'a:{PLAIN}x\n' }, ['apop', 'password']],
  ];
  for (const [changes, files, expected] of table) {
    assert.deepEqual([changes, files, kinds(openHouse(t, files, changes).directory)], [changes, files, expected]);
  }
});

test('the domain that address or TLS name decide counts alone', (t) => {
  const files = { 'clear.dk/passwd': 'a:{PLAIN}x\n', 'hashed.dk/passwd': 'a:$6$x$y\n' };
  const addresses = new Map([
    ['192.0.2.1', domain('clear.dk')],
    ['2001:DB8:0::1', domain('clear.dk')],
  ]);
  const { directory } = openHouse(t, files, { addresses });
  assert.deepEqual(kinds(directory), ['password']);
  assert.deepEqual(kinds(directory, { localAddress: '192.0.2.1', serverName: 'hashed.dk' }), every);
  assert.deepEqual(kinds(directory, { localAddress: '2001:db8::1', serverName: undefined }), every);
  assert.deepEqual(kinds(directory, { localAddress: '192.0.2.2', serverName: 'CLEAR.dk' }), every);
  assert.deepEqual(kinds(directory, { localAddress: '192.0.2.2', serverName: 'hashed.dk' }), ['password']);
  assert.deepEqual(kinds(directory, { localAddress: '192.0.2.2', serverName: 'unknown.dk' }), ['password']);
});

test('a domain that changes is noticed: at once when somebody logs in there, else when the survey is due', async (t) => {
  let nowMs = Date.now() + 60_000;
  const { directory, write, login } = openHouse(t, { 'a.dk/passwd': 'a:{PLAIN}x\n' }, { now: () => nowMs });
  assert.deepEqual(kinds(directory), every);
  write('b.dk/passwd', 'b:$6$x$y\n');
  assert.deepEqual(kinds(directory), every);
  nowMs += 5000;
  kinds(directory);
  await setImmediate();
  assert.deepEqual(kinds(directory), ['password']);
  write('b.dk/passwd', 'b:{PLAIN}y\n');
  assert.equal(await login('b@b.dk', 'y'), 'b@b.dk');
  kinds(directory);
  await setImmediate();
  assert.deepEqual(kinds(directory), every);
});

test('a large file on its way into memory counts as one that can only do passwords', async (t) => {
  const large = Array.from({ length: 30_000 }, (_, i) => `user${i}:{PLAIN}x\n`).join('');
  const { directory, login } = openHouse(t, { 'a.dk/passwd': large }, { now: () => Date.now() + 60_000 });
  assert.deepEqual(kinds(directory), ['password']);
  assert.equal(await login('user29999@a.dk', 'x'), 'user29999@a.dk');
  kinds(directory);
  await setImmediate();
  assert.deepEqual(kinds(directory), every);
});
