/** Trees as hosts have them: the predecessor's example (A46-A55), vm-pop3d's two fields (A9), htpasswd (B38), in one run. */
import assert from 'node:assert/strict';
import { renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cryptAvailable } from '../../os/crypt.ts';
import { openHouse } from './fixture.test.ts';

const skip = cryptAvailable() ? false : 'this host has no libcrypt';

/** Hashes of `lækker7`, by perl, Python, openssl and Dovecot. */
const tree = {
  'kvt.dk/passwd': 'kvt:kvtpasswd:601:100:kvtname:/home/kvt_dk/:\nabc:abcpasswd:601:100:abcname:.:\n',
  'vm.example/passwd': [
    '# made by hand in 1999',
    '',
    'des:abRnsN4GFr.3w',
    'md5:$1$r31abcdN$.AaqXLsuH0X7pcS9hVkGu1',
    'a line without a colon',
    'last:ZxpVHqESfcq9U',
  ].join('\n'),
  'htpasswd.example/passwd': [
    'bcrypt:$2y$05$2//19sxcVWQf4oru.qlyWup8Oy/P1DSZpMocm6TFS2QGDF9m3uDBq',
    'apr1:$apr1$r31....N$lafoJrQQc9Ju6ZoiRc6kd/',
    'sha:{SHA}qXjln9DCVGK3XJkAep/J8CyHpAM=',
  ].join('\r\n'),
  'today.example/passwd':
    'abc:$6$saltstring$ls7AxXSIe9KVScQvO59U3NR01/TCj/6Bp2hgVOsEhjbYA3eJWkwvQ3H6ahnm2qPSLPzU8B/r.0ZnKRLAvU/yH0:601:100::.:\n',
};

test('one tree with clear text, vm-pop3d, htpasswd and a file that is a link', { skip }, async (t) => {
  const { root, login, directory, events, write } = openHouse(t, tree, { passwordKind: 'plain' });
  // A52: the owner keeps the file at home.
  write('home/kvt_dk/passwd', '');
  renameSync(join(root, 'kvt.dk/passwd'), join(root, 'home/kvt_dk/passwd'));
  symlinkSync('../home/kvt_dk/passwd', join(root, 'kvt.dk/passwd'));

  const logins = [
    ['kvt@kvt.dk', 'kvtpasswd'],
    ['abc%kvt.dk', 'abcpasswd'],
    ['des@vm.example', 'lækker7'],
    ['md5@vm.example', 'lækker7'],
    ['last@vm.example', 'lækker7'],
    ['bcrypt@htpasswd.example', 'lækker7'],
    ['apr1@htpasswd.example', 'lækker7'],
    ['sha@htpasswd.example', 'lækker7'],
    ['abc@today.example', 'lækker7'],
  ] as const;
  for (const [name, password] of logins) assert.equal(await login(name, password), name.replace('%', '@'));
  for (const [name] of logins) assert.equal(await login(name, 'wrong'), 'auth: wrong password');
  // A hash is never taken for clear text.
  assert.equal(await login('des@vm.example', 'abRnsN4GFr.3w'), 'auth: wrong password');
  assert.deepEqual(events, [{ event: 'directory.skipped-line', file: 'vm.example/passwd', line: 5, reason: 'no colon' }]);

  const kvt = await directory.authenticate(
    { login: 'kvt', arrival: { localAddress: undefined, serverName: undefined } },
    { kind: 'password', password: Buffer.from('kvtpasswd') },
    'pop3',
  );
  assert.deepEqual(kvt.account.mailbox, {
    name: 'kvt@kvt.dk',
    user: 'kvt',
    domain: 'kvt.dk',
    home: '/home/kvt_dk',
    owner: { uid: 601, gid: 100 },
  });
  // Not every account can do APOP, so it isn't announced.
  assert.deepEqual([...directory.proofKinds({ localAddress: undefined, serverName: undefined })], ['password']);
});

test('under auto, clear text and a lone DES hash in seven fields are told of, and refused', { skip }, async (t) => {
  const { login, events } = openHouse(t, { ...tree, 'kvt.dk/passwd': 'kvt:kvtpasswd:601:100:::\nold:abRnsN4GFr.3w:601:100:::\n' });
  assert.equal(await login('kvt', 'kvtpasswd'), 'auth: password not understood');
  assert.equal(await login('kvt', 'kvtpasswd'), 'auth: password not understood');
  assert.equal(await login('old', 'lækker7'), 'auth: password not understood');
  assert.equal(await login('des@vm.example', 'lækker7'), 'des@vm.example');
  const event = 'directory.password-not-understood';
  const hint = 'neither {SCHEME} nor $…$; password_kind = "plain" or "crypt" in domain.toml says what it is';
  assert.deepEqual(
    events.filter((one) => one.event === event),
    [
      { event, account: 'kvt@kvt.dk', file: 'kvt.dk/passwd', line: 1, hint },
      { event, account: 'old@kvt.dk', file: 'kvt.dk/passwd', line: 2, hint },
    ],
  );
});

test('a domain says itself what its passwords are', { skip }, async (t) => {
  const { login, write, root } = openHouse(t, {
    'kvt.dk/passwd': 'kvt:kvtpasswd:601:100:::\n',
    'kvt.dk/domain.toml': 'password_kind = "plain"\nsomething_newer = 1\n',
    'seven.example/passwd': 'old:abRnsN4GFr.3w:601:100:::\n',
    'seven.example/domain.toml': 'password_kind = "crypt"\n',
  });
  assert.equal(await login('kvt', 'kvtpasswd'), 'kvt@kvt.dk');
  assert.equal(await login('old@seven.example', 'lækker7'), 'old@seven.example');
  write('seven.example/domain.toml', 'password_kind = "plain"\n');
  assert.equal(await login('old@seven.example', 'lækker7'), 'auth: wrong password', 'not remembered from when it was a hash');
  assert.equal(await login('old@seven.example', 'abRnsN4GFr.3w'), 'old@seven.example');
  rmSync(join(root, 'kvt.dk/domain.toml'));
  assert.equal(await login('kvt', 'kvtpasswd'), 'auth: password not understood');
});
