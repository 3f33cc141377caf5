import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseSettings, type Settings } from '../config/index.ts';
import {
  clearSockets,
  frontIdentityOf,
  frontSettings,
  makeManyOwnersFolders,
  makeOwnerFolders,
  ownerSettings,
  takeBack,
} from './ownerGrounds.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const front = { uid: 65534, gid: 65534, name: 'nobody' };
const kvt = { uid: 60001, gid: 60001 };
const mail = { uid: 8, gid: 8 };

function house(t: TestContext, lines = ''): Settings {
  const folder = mkdtempSync(join(tmpdir(), 'grounds-'));
  chmodSync(folder, 0o755);
  t.after(() => rmSync(folder, { recursive: true }));
  const text = `state_dir = "state"\nrun_dir = "run"\n${lines}`;
  const { settings } = parseSettings(join(folder, 'postkasse.toml'), Buffer.from(text));
  return settings ?? assert.fail();
}

function rights(path: string): string {
  const { uid, gid, mode } = statSync(path);
  return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
}

test('each owner, and the fronts, have folders that nobody else can write or read', { skip }, (t) => {
  const settings = house(t);
  for (const times of [1, 2]) {
    makeManyOwnersFolders(settings, front);
    makeOwnerFolders(settings, kvt);
    assert.deepEqual(
      ['state', 'state/fronts', 'state/owners', 'state/owners/60001', 'run', 'run/owners', 'run/locks', 'run/locks/60001'].map(
        (name) => `${name} ${rights(join(settings.stateDir, '..', name))}`,
      ),
      [
        'state 0:0 711',
        'state/fronts 65534:65534 700',
        'state/owners 0:0 711',
        'state/owners/60001 60001:60001 700',
        'run 0:0 755',
        'run/owners 0:65534 750',
        'run/locks 0:0 711',
        'run/locks/60001 60001:60001 700',
      ],
      `time ${times}`,
    );
  }
  assert.equal(frontSettings(settings).stateDir, join(settings.stateDir, 'fronts'));
  assert.deepEqual(
    [ownerSettings(settings, kvt).stateDir, ownerSettings(settings, kvt).runDir],
    [join(settings.stateDir, 'owners', '60001'), join(settings.runDir, 'locks', '60001')],
  );
});

test('what one owner of all mail has in state_dir goes with him, there and back', { skip }, (t) => {
  const settings = house(t);
  const { stateDir } = settings;
  for (const name of ['taken-over', 'trace']) mkdirSync(join(stateDir, name), { recursive: true, mode: 0o700 });
  const files = ['secret', 'self-signed.pem', 'throttle', 'taken-over/abc', 'trace/2026-11-29.jsonl'];
  for (const name of files) writeFileSync(join(stateDir, name), `the ${name}`);
  for (const name of ['.', 'taken-over', 'trace', ...files]) chownSync(join(stateDir, name), mail.uid, mail.gid);
  // Made by a front before it became anybody.
  chownSync(join(stateDir, 'self-signed.pem'), 0, 0);
  chmodSync(stateDir, 0o700);

  makeManyOwnersFolders(settings, front);
  assert.deepEqual(readdirSync(stateDir).sort(), ['fronts', 'owners']);
  const fronts = join(stateDir, 'fronts');
  assert.deepEqual(readdirSync(fronts).sort(), ['self-signed.pem', 'throttle', 'trace']);
  assert.equal(rights(join(fronts, 'trace')), '65534:65534 700');
  assert.equal(rights(join(fronts, 'trace', '2026-11-29.jsonl')), '65534:65534 644');
  assert.equal(rights(join(fronts, 'throttle')), '65534:65534 644');
  assert.equal(rights(join(fronts, 'self-signed.pem')), '0:0 644');
  assert.equal(readFileSync(join(stateDir, 'owners', '8', 'taken-over', 'abc'), 'latin1'), 'the taken-over/abc');
  assert.equal(rights(join(stateDir, 'owners', '8')), '8:8 700');

  takeBack(settings, mail);
  assert.equal(readFileSync(join(stateDir, 'taken-over', 'abc'), 'latin1'), 'the taken-over/abc');
  for (const name of ['secret', 'throttle', 'self-signed.pem']) {
    assert.equal(readFileSync(join(stateDir, name), 'latin1'), `the ${name}`);
    assert.equal(rights(join(stateDir, name)), name === 'self-signed.pem' ? '0:0 644' : '8:8 644');
  }
  assert.match(rights(join(stateDir, 'throttle')), /^8:8 /);
  assert.equal(rights(join(stateDir, 'trace')), '8:8 700');
  assert.equal(rights(join(stateDir, 'trace', '2026-11-29.jsonl')), '8:8 644');
  assert.equal(rights(stateDir), '8:8 700');
  takeBack(settings, mail);
  assert.equal(rights(stateDir), '8:8 700');
});

test('a folder that an owner has prepared is refused, and nothing is moved', { skip }, (t) => {
  const settings = house(t);
  const { stateDir } = settings;
  mkdirSync(stateDir);
  const elsewhere = join(stateDir, '..', 'elsewhere');
  mkdirSync(elsewhere);
  writeFileSync(join(stateDir, 'secret'), 'the secret');
  symlinkSync(elsewhere, join(stateDir, 'owners'));
  chownSync(stateDir, mail.uid, mail.gid);
  assert.throws(() => makeManyOwnersFolders(settings, front), {
    message: `state_dir: ${stateDir} can not be made (${join(stateDir, 'owners')} is no folder)`,
    exitCode: 73,
  });
  assert.deepEqual(readdirSync(elsewhere), []);
  rmSync(join(stateDir, 'owners'));
  mkdirSync(join(stateDir, 'owners'));
  chownSync(join(stateDir, 'owners'), mail.uid, mail.gid);
  assert.throws(() => makeManyOwnersFolders(settings, front), {
    message: `state_dir: ${stateDir} can not be made (${join(stateDir, 'owners')} belongs to uid 8, not 0)`,
  });
  assert.ok(existsSync(join(stateDir, 'secret')));
});

test('a file with a second name is given to nobody: it may be anything', { skip }, (t) => {
  const settings = house(t);
  const { stateDir } = settings;
  mkdirSync(stateDir);
  writeFileSync(join(stateDir, 'throttle'), '');
  linkSync(join(stateDir, 'throttle'), join(stateDir, '..', 'of root'));
  chownSync(stateDir, mail.uid, mail.gid);
  makeManyOwnersFolders(settings, front);
  assert.equal(rights(join(stateDir, '..', 'of root')), '0:0 644');
});

test('sockets of a killed supervisor are removed', { skip }, (t) => {
  const settings = house(t);
  makeManyOwnersFolders(settings, front);
  writeFileSync(join(settings.runDir, 'owners', '601-100-1.sock'), '');
  clearSockets(settings);
  assert.deepEqual(readdirSync(join(settings.runDir, 'owners')), []);
});

test('whom the fronts become: somebody on the host, not root and not who owns mail', (t) => {
  const nobody = frontIdentityOf(house(t), mail);
  assert.ok(['postkasse', 'nobody'].includes(nobody.name ?? ''));
  assert.deepEqual(frontIdentityOf(house(t, '[owners]\nfront_user = "60001"\n'), mail), { name: undefined, uid: 60001, gid: 60001 });
  const refused = (user: string, message: string) =>
    assert.throws(() => frontIdentityOf(house(t, `[owners]\nfront_user = "${user}"\n`), mail), { message, exitCode: 78 });
  refused('8', 'owners.front_user must not be mail, who owns mail');
  refused('root', 'mail is never handled as root');
  refused('no-such-user', 'the host has no user no-such-user');
});
