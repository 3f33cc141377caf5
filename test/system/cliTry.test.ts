/** `npm start`: what it prints can be pasted, mail stays from one start to the next, Ctrl-C ends it, and it runs wherever it is put. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { mayEnter } from '../../src/os/reach.ts';
import { missing } from './support/programs.ts';

const start = join(import.meta.dirname, '..', '..', 'scripts', 'start.sh');
const isRoot = process.getuid?.() === 0;
const noCurl = missing('curl', 'curl');
const nobody = { uid: 65534, gid: 65534 };

interface Tried {
  readonly lines: readonly string[];
  /** As a terminal sends it: to every process of the group. Resolves with the exit status. */
  interrupt(): Promise<number | null>;
}

/** What `npm start` runs, in a process group of its own. Resolves at "ready". */
async function startTrying(t: TestContext, args: readonly string[], env: NodeJS.ProcessEnv = {}, who = process.getuid?.()): Promise<Tried> {
  const child = spawn('sh', [start, ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, LC_ALL: 'C', ...env },
    ...(who === process.getuid?.() ? {} : nobody),
  });
  t.after(() => {
    if (child.exitCode === null && child.signalCode === null && child.pid) process.kill(-child.pid, 'SIGKILL');
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const said = await readUntil(child, /^ready$/m);
  return {
    lines: said.split('\n'),
    async interrupt() {
      process.kill(-(child.pid ?? 0), 'SIGINT');
      return (await exited)[0];
    },
  };
}

async function readUntil(child: ChildProcess, end: RegExp): Promise<string> {
  let said = '';
  for await (const octets of child.stdout ?? []) {
    said += String(octets);
    if (end.test(said)) return said;
  }
  throw new Error(`it ended: ${said}`);
}

/** A folder that everybody may enter, as the user who handles mail has to. */
function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-try-'));
  chmodSync(folder, 0o755);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The lines that are there to be pasted, as they stand. */
function paste({ lines }: Tried): string[] {
  return lines
    .filter((line) => /^ {2}(?:printf|curl) /.test(line))
    .map((line) => execFileSync('sh', ['-c', line], { encoding: 'latin1', stdio: ['ignore', 'pipe', 'inherit'] }));
}

/** The message that was sent, with the trace fields of its delivery. */
const sent = /^(?:[A-Z][\w-]+: .*\r\n(?:\t.*\r\n| .*\r\n)*)*Subject: hello\r\n\r\nIt works\.\r\n$/;

test('the printed lines work as they stand; a second start has the mail of the first; Ctrl-C ends it with status 0', {
  skip: noCurl,
}, async (t) => {
  const data = join(temporary(t), 'data');
  const args = ['--any-port', '--data', data];
  const first = await startTrying(t, args);
  const [nothing, fetched] = paste(first);
  assert.equal(nothing, '');
  assert.match(fetched ?? '', sent);
  assert.ok(first.lines.includes(`Mail and settings are in ${data}`), first.lines.join('\n'));
  assert.equal(await first.interrupt(), 0);

  const second = await startTrying(t, args);
  const newest = second.lines.find((line) => line.startsWith('  curl '));
  assert.match(newest ?? '', /\/3$/);
  assert.match(paste(second)[1] ?? '', sent);
  const listing = (newest ?? '').replace(/3$/, '');
  const rows = execFileSync('sh', ['-c', listing], { encoding: 'latin1' }).trimEnd().split('\r\n');
  assert.deepEqual(
    rows.map((row) => row.split(' ')[0]),
    ['1', '2', '3'],
  );
  assert.equal(await second.interrupt(), 0);
});

test('in the language of the host', async (t) => {
  const { lines, interrupt } = await startTrying(t, ['--any-port', '--data', join(temporary(t), 'data')], { LC_ALL: 'da_DK.UTF-8' });
  assert.ok(lines.includes('Postkasse kører. Ctrl-C afslutter.'), lines.join('\n'));
  assert.equal(await interrupt(), 0);
});

test('an ordinary user, and root after him', {
  skip: isRoot && mayEnter(import.meta.dirname, nobody) ? false : 'needs root, in a folder open to others',
}, async (t) => {
  const folder = temporary(t);
  chownSync(folder, nobody.uid, nobody.gid);
  const args = ['--any-port', '--data', join(folder, 'data')];
  const his = await startTrying(t, args, { HOME: folder }, nobody.uid);
  assert.equal(await his.interrupt(), 0);
  assert.equal(statSync(join(folder, 'data', 'spool')).uid, nobody.uid);
  const roots = await startTrying(t, args);
  if (noCurl === false) assert.match(paste(roots)[1] ?? '', sent);
  assert.equal(await roots.interrupt(), 0);
  const foreign = readdirSync(join(folder, 'data'), { recursive: true, encoding: 'utf8' }).filter(
    (name) => statSync(join(folder, 'data', name)).uid !== nobody.uid,
  );
  assert.deepEqual(foreign, []);
});

test('in a folder that only root may enter the files go to a temporary one, and stay there', {
  skip: isRoot ? false : 'needs root',
}, async (t) => {
  const folder = temporary(t);
  const closed = join(folder, 'closed');
  mkdirSync(closed, { mode: 0o700 });
  const args = ['--any-port', '--data', join(closed, 'data')];
  for (const newest of [/\/2$/, /\/3$/]) {
    const tried = await startTrying(t, args, { TMPDIR: folder });
    assert.ok(tried.lines.includes(`Mail and settings are in ${join(folder, 'postkasse-data')}`), tried.lines.join('\n'));
    assert.ok(
      tried.lines.includes('(the folder you started it in is closed to the user mail, who handles mail here)'),
      tried.lines.join('\n'),
    );
    const line = tried.lines.find((one) => one.startsWith('  curl '));
    assert.match(line ?? '', newest);
    if (noCurl === false) assert.match(paste(tried)[1] ?? '', sent);
    assert.equal(await tried.interrupt(), 0);
    if (noCurl !== false) break;
  }
  assert.deepEqual(readdirSync(closed), []);
});

test('somebody else’s folder of that name is left alone', { skip: isRoot ? false : 'needs root' }, async (t) => {
  const folder = temporary(t);
  const closed = join(folder, 'closed');
  const theirs = join(folder, 'postkasse-data');
  mkdirSync(closed, { mode: 0o700 });
  mkdirSync(theirs);
  chownSync(theirs, nobody.uid, nobody.gid);
  const said = await refused(['--any-port', '--data', join(closed, 'data')], { TMPDIR: folder });
  assert.deepEqual(said, [73, `postkasse: ${theirs} belongs to somebody else; choose another with --data\n`]);
  assert.deepEqual(readdirSync(theirs), []);
});

test('a port in use is named, and how to take others', async (t) => {
  const other = createServer();
  // Where somebody has it already, so much the better.
  other.on('error', () => {}).listen(1110, '127.0.0.1');
  t.after(() => other.close());
  assert.deepEqual(await refused(['--data', join(temporary(t), 'data')]), [
    69,
    'postkasse: pop3 127.0.0.1:1110: another program listens there already\nto take ports that are free: npm start -- --any-port\n',
  ]);
});

async function refused(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<[number | null, string]> {
  const child = spawn('sh', [start, ...args], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, LC_ALL: 'C', ...env } });
  let said = '';
  child.stderr.on('data', (octets: Buffer) => {
    said += octets.toString();
  });
  const [status] = (await once(child, 'close')) as [number | null];
  return [status, said];
}
