import assert from 'node:assert/strict';
import fs from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Fault } from '../model/fault.ts';
import { folder } from './children.test.ts';
import { loadLibrary } from './native.ts';
import { pamAuthenticate, readQuestion } from './pam.ts';

const skip = hasPam() ? false : 'needs libpam (apt-get install libpam0g libpam-modules)';
const { username } = userInfo();

function hasPam(): boolean {
  try {
    loadLibrary(['libpam.so.0']);
    return true;
  } catch {
    return false;
  }
}

/** A folder of PAM services in which pam_exec compares the password that the conversation gave with one in a file. */
function services(t: TestContext): string {
  const path = folder(t);
  fs.writeFileSync(join(path, 'secret'), 'rød grød');
  fs.writeFileSync(
    join(path, 'check'),
    `#!/bin/sh\n[ "$(tr -d '\\000')" = "$(cat ${path}/secret)" ] && [ "$PAM_USER" = "${username}" ]\n`,
    { mode: 0o755 },
  );
  const check = `auth [success=done default=ignore] pam_exec.so expose_authtok quiet ${path}/check\nauth requisite pam_deny.so\n`;
  fs.writeFileSync(join(path, 'postkasse'), `${check}account required pam_permit.so\n`);
  fs.writeFileSync(join(path, 'closed'), `${check}account required pam_deny.so\n`);
  return path;
}

test('PAM: the password reaches the modules as it was typed', { skip }, async (t) => {
  const path = services(t);
  const ask = (service: string, user: string, password: string) => pamAuthenticate(service, user, Buffer.from(password), path);
  assert.deepEqual(
    await Promise.all([
      ask('postkasse', username, 'rød grød'),
      ask('postkasse', username, 'rød grød '),
      ask('postkasse', username, ''),
      ask('postkasse', 'no-such-user-here', 'rød grød'),
      ask('closed', username, 'rød grød'),
    ]),
    [true, false, false, false, false],
  );
});

test('PAM: a service that is not there is trouble here, not a wrong password', { skip }, async (t) => {
  await assert.rejects(pamAuthenticate('nothing', username, Buffer.from('x'), services(t)), (thrown) => {
    assert.ok(thrown instanceof Fault && thrown.cause instanceof Error);
    assert.equal(thrown.kind, 'temporary');
    assert.match(thrown.cause.message, /^PAM: Error: pam_start: no service nothing\? \(status \d+\)/);
    return true;
  });
});

test('PAM: what C would cut short is never asked', async () => {
  assert.equal(await pamAuthenticate('postkasse', 'root\0x', Buffer.from('x')), false);
  assert.equal(await pamAuthenticate('postkasse', '', Buffer.from('x')), false);
  assert.equal(await pamAuthenticate('postkasse', 'root', Buffer.from('x\0y')), false);
  await assert.rejects(pamAuthenticate('../login', 'root', Buffer.from('x')), { message: 'not the name of a PAM service: ../login' });
});

test('PAM: the question as it crosses to the other process', () => {
  assert.deepEqual(readQuestion(Buffer.from('service\0user\0\0pass word')), {
    service: 'service',
    user: 'user',
    configDir: '',
    password: Buffer.from('pass word'),
  });
});
