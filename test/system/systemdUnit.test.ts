/** The units in contrib/systemd: what systemd says of them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { program } from './support/cli.ts';
import { needsRoot } from './support/owners.ts';
import { missing } from './support/programs.ts';

const units = join(import.meta.dirname, '..', '..', 'contrib', 'systemd');
const noAnalyze = missing('systemd-analyze', 'systemd');

/** The units with the program where it is here, in a folder of their own. */
function placed(t: TestContext, dropIn?: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of readdirSync(units)) {
    if (!statSync(join(units, name)).isFile()) continue;
    writeFileSync(join(folder, name), readFileSync(join(units, name), 'utf8').replaceAll('/usr/bin/postkasse', program));
  }
  if (dropIn !== undefined) {
    mkdirSync(join(folder, 'postkasse.service.d'));
    copyFileSync(join(units, dropIn), join(folder, 'postkasse.service.d', dropIn));
  }
  return folder;
}

function analyze(...args: readonly string[]): { readonly status: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['--no-pager', ...args], { encoding: 'utf8' });
  return { status, said: stdout + stderr };
}

for (const dropIn of [undefined, 'one-owner.conf']) {
  const name = dropIn === undefined ? 'the service for many owners' : 'the service for one owner';

  test(`${name}: systemd finds no mistake in it`, { skip: noAnalyze }, (t) => {
    const folder = placed(t, dropIn);
    for (const file of readdirSync(folder).filter((each) => /\.(service|socket)$/.test(each))) {
      assert.deepEqual(analyze('verify', join(folder, file)), { status: 0, said: '' }, file);
    }
  });

  test(`${name}: its exposure is "OK" or better`, { skip: noAnalyze }, (t) => {
    const file = join(placed(t, dropIn), 'postkasse.service');
    // In tenths of what systemd prints; up to 50 is "OK".
    const [most, least] = dropIn === undefined ? [30, 25] : [15, 10];
    const { status, said } = analyze('security', '--offline=true', `--threshold=${most}`, file);
    assert.equal(status, 0, said.split('\n').at(-2));
    assert.match(said, /Overall exposure level for postkasse\.service: \d\.\d OK/);
    assert.notEqual(analyze('security', '--offline=true', `--threshold=${least}`, file).status, 0);
  });
}

test('sysusers.d and tmpfiles.d are understood', { skip: needsRoot || missing('systemd-sysusers', 'systemd') }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'etc'));
  const users = spawnSync('systemd-sysusers', [`--root=${folder}`, join(units, 'sysusers.d', 'postkasse.conf')], { encoding: 'utf8' });
  assert.equal(users.status, 0, users.stderr);
  assert.match(readFileSync(join(folder, 'etc', 'passwd'), 'utf8'), /^postkasse:[^:]*:[1-9]\d*:[1-9]\d*:[^:]*:\/:\/usr\/sbin\/nologin$/m);
  const made = spawnSync('systemd-tmpfiles', ['--create', `--root=${folder}`, join(units, 'tmpfiles.d', 'postkasse.conf')], {
    encoding: 'utf8',
  });
  assert.equal(made.status, 0, made.stderr);
  for (const path of ['etc/virtual', 'var/spool/virtual']) assert.equal(statSync(join(folder, path)).mode & 0o7777, 0o755);
});
