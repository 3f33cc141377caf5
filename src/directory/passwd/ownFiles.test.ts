/** Where one Unix user owns all mail. What a worker of one of many owners refuses is in test/system/ownerAttacks.test.ts. */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAddress } from '../../model/address.ts';
import { openHouse } from './fixture.test.ts';

const files = { 'kvt.dk/passwd': 'abc:{PLAIN}abcpasswd\ndef:{PLAIN}defpasswd\n', 'kvt.dk/accounts/def.toml': 'language = "da"\n' };

test("what the group can write is the host's business; what everybody can write is refused, once in the log for each change", async (t) => {
  const { root, login, events, directory } = openHouse(t, files);
  const passwd = join(root, 'kvt.dk/passwd');
  for (const mode of [0o600, 0o660, 0o664]) {
    chmodSync(passwd, mode);
    assert.equal(await login('abc', 'abcpasswd'), 'abc@kvt.dk', mode.toString(8));
  }
  const reason = 'others can write to it (mode 0666)';
  for (const round of [1, 2]) {
    chmodSync(passwd, 0o666);
    assert.equal(await login('abc', 'abcpasswd'), `auth: kvt.dk/passwd: ${reason}`);
    assert.equal(await login('nobody', 'abcpasswd'), `auth: kvt.dk/passwd: ${reason}`);
    const address = parseAddress('abc@kvt.dk');
    assert.ok(address);
    await assert.rejects(directory.account(address), { kind: 'temporary', text: 'accounts can not be looked up just now' });
    assert.deepEqual(events, Array(round).fill({ event: 'directory.unreadable', file: 'kvt.dk/passwd', reason }));
    chmodSync(passwd, 0o600);
    assert.equal(await login('abc', 'abcpasswd'), 'abc@kvt.dk');
  }
});

test('the same for the folders and the settings beside it', async (t) => {
  const { root, login, events } = openHouse(t, files);
  const folder = join(root, 'kvt.dk/accounts');
  chmodSync(folder, 0o777);
  const reason = `${folder}: others can write to it (mode 0777)`;
  assert.equal(await login('def', 'defpasswd'), `auth: kvt.dk/accounts/def.toml: ${reason.replace(`${root}/`, '')}`);
  assert.equal(await login('def', 'defpasswd'), `auth: kvt.dk/accounts/def.toml: ${reason.replace(`${root}/`, '')}`);
  assert.deepEqual(events, [{ event: 'directory.unreadable', file: 'kvt.dk/accounts/def.toml', reason }]);
  assert.equal(await login('abc', 'abcpasswd'), 'abc@kvt.dk');
  chmodSync(folder, 0o700);
  chmodSync(join(folder, 'def.toml'), 0o646);
  assert.equal(await login('def', 'defpasswd'), 'auth: kvt.dk/accounts/def.toml: others can write to it (mode 0646)');
  chmodSync(join(folder, 'def.toml'), 0o640);
  assert.equal(await login('def', 'defpasswd'), 'def@kvt.dk');
});

test('SCRAM learns nothing from a file that may not be used', async (t) => {
  const { root, directory } = openHouse(t, files);
  chmodSync(join(root, 'kvt.dk/passwd'), 0o666);
  const claim = (login: string) => ({ login, arrival: { localAddress: undefined, serverName: undefined } });
  const one = await directory.scramParameters(claim('abc@kvt.dk'), 'sha256');
  assert.deepEqual(await directory.scramParameters(claim('abc@kvt.dk'), 'sha256'), one);
  const nobody = await directory.scramParameters(claim('nobody@kvt.dk'), 'sha256');
  assert.deepEqual([nobody.iterations, nobody.salt.length], [one.iterations, one.salt.length]);
  assert.notDeepEqual(nobody.salt, one.salt);
});
