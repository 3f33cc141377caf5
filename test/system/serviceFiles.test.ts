/** What packages and hosts without systemd need: the program put in place below a folder, run from there by its init script, and taken away again. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client } from '../support/socketDialogue.ts';
import { smallTree } from './support/processes.ts';
import { missing } from './support/programs.ts';
import { writeSettings } from './support/server.ts';

const root = join(import.meta.dirname, '..', '..');

function sh(command: string, env: NodeJS.ProcessEnv = {}): { readonly status: number | null; readonly out: string; readonly err: string } {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
    cwd: root,
    env: { ...process.env, LC_ALL: 'C', ...env },
    encoding: 'utf8',
  });
  return { status, out: stdout, err: stderr };
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length))
    .filter((path) => !path.startsWith('/usr/lib/postkasse/dist/') && !path.startsWith('/usr/lib/postkasse/node_modules/'))
    .sort();
}

const skip = missing('npm', 'npm') || missing('setsid', 'util-linux') || missing('logger', 'bsdutils');

test('a package: staged, started and stopped by its init script, removed', { skip, timeout: 180_000 }, async (t) => {
  const staged = mkdtempSync(join(tmpdir(), 'postkasse-stage-'));
  t.after(() => rmSync(staged, { recursive: true }));
  const stage = (...options: string[]) => sh(`sh scripts/stage.sh --root='${staged}' --prefix=/usr ${options.join(' ')}`);
  const put = stage('--service=systemd,sysvinit,inetd,xinetd', '--without-node');
  assert.deepEqual([put.status, put.out], [0, ''], put.err);

  const files = filesIn(staged);
  for (const path of [
    '/etc/init.d/postkasse',
    '/etc/pam.d/postkasse',
    '/etc/xinetd.d/postkasse',
    '/usr/bin/postkasse',
    '/usr/lib/postkasse/bin/deliver.cjs',
    '/usr/lib/postkasse/bin/postkasse',
    '/usr/lib/systemd/system/postkasse.service',
    '/usr/lib/systemd/system/postkasse.socket',
    '/usr/lib/sysusers.d/postkasse.conf',
    '/usr/lib/tmpfiles.d/postkasse.conf',
    '/usr/share/doc/postkasse/running.md',
  ])
    assert.ok(files.includes(path), path);
  // The folder it was staged in is nobody's business later, and settings are the host's.
  for (const path of files)
    if (!path.endsWith('/postkasse/manifest')) assert.ok(!readFileSync(staged + path, 'latin1').includes(staged), path);
  assert.ok(!existsSync(join(staged, 'etc', 'postkasse')));

  const program = join(staged, 'usr', 'bin', 'postkasse');
  const env = { POSTKASSE_NODE: process.execPath, NODE_COMPILE_CACHE: '' };
  assert.match(sh(`'${program}' --version`, env).out, /^postkasse \d+\.\d+\.\d+\n/);

  const tree = smallTree(t);
  const { settingsFile, ports } = await writeSettings({ tree, protocols: ['pop3'] });
  const defaults = join(staged, 'defaults');
  writeFileSync(defaults, `PROGRAM='${program}'\nCONFIG='${settingsFile}'\nRUN_DIR='${join(tree.folder, 'run')}'\n`);
  const init = (act: string) => sh(`sh '${join(staged, 'etc', 'init.d', 'postkasse')}' ${act}`, { ...env, POSTKASSE_DEFAULTS: defaults });
  t.after(() => init('stop'));
  assert.deepEqual(init('status'), { status: 3, out: 'postkasse: does not run\n', err: '' });
  assert.deepEqual(init('start'), { status: 0, out: 'postkasse: started\n', err: '' });
  assert.deepEqual(init('start'), { status: 0, out: 'postkasse: runs already\n', err: '' });
  assert.match(init('status').out, /^postkasse: runs as process \d+\n$/);
  const client = new Client({ port: ports.pop3, host: '127.0.0.1' });
  assert.match((await client.line()) ?? 'closed', /^\+OK /);
  await client.end();
  assert.equal(init('reload').status, 0);
  assert.deepEqual(init('restart'), { status: 0, out: 'postkasse: stopped\npostkasse: started\n', err: '' });
  assert.deepEqual(init('stop'), { status: 0, out: 'postkasse: stopped\n', err: '' });
  writeFileSync(settingsFile, 'fronts = 0\n');
  const refused = init('start');
  assert.deepEqual([refused.status, refused.out], [6, '']);
  assert.match(refused.err, /:1: fronts cannot be 0; /);
  assert.equal(init('dance').status, 2);

  mkdirSync(join(staged, 'etc', 'postkasse'));
  writeFileSync(join(staged, 'etc', 'postkasse', 'postkasse.toml'), '');
  assert.deepEqual(stage('--remove'), { status: 0, out: '', err: '' });
  assert.deepEqual(filesIn(staged), ['/defaults', '/etc/postkasse/postkasse.toml']);
  assert.equal(stage('--remove').status, 66);
});
