import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { descriptorLimit } from './hardening.ts';

const here = (name: string) => JSON.stringify(join(import.meta.dirname, name));
const stranger = process.getuid?.() === 0 ? { uid: 8, gid: 8 } : {};

/** A process that has run this and waits. */
async function running(script: string, options: { uid?: number; gid?: number } = {}) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', `${script} console.log('here'); setInterval(() => {}, 1000);`], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  });
  await once(child.stdout, 'data');
  return child;
}

function limitOf(pid: number | undefined, name: string): string[] {
  const line =
    readFileSync(`/proc/${pid}/limits`, 'latin1')
      .split('\n')
      .find((each) => each.startsWith(name)) ?? '';
  return line.slice(name.length).trim().split(/\s+/).slice(0, 2);
}

test('no core dumps, neither here nor in what is started from here; files are ours alone', async (t) => {
  const child = await running(`
    import { harden } from ${here('hardening.ts')};
    import { spawnSync } from 'node:child_process';
    harden();
    const { stdout } = spawnSync('sh', ['-c', 'ulimit -Hc; umask'], { encoding: 'latin1' });
    if (stdout !== '0\\n0077\\n') throw new Error(stdout);`);
  t.after(() => child.kill('SIGKILL'));
  assert.deepEqual(limitOf(child.pid, 'Max core file size'), ['0', '0']);
});

test('a crash leaves nothing on the disc', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = `import { harden } from ${here('hardening.ts')}; harden(); process.kill(process.pid, 'SIGSEGV');`;
  const { signal } = spawnSync('sh', ['-c', 'ulimit -c unlimited; exec "$0" --input-type=module -e "$1"', process.execPath, script], {
    cwd: folder,
  });
  assert.equal(signal, 'SIGSEGV');
  assert.deepEqual(readdirSync(folder), []);
});

test('another process of the same user can not look into it, and it can still read what it needs of /proc/self', async (t) => {
  const open = await running('', stranger);
  t.after(() => open.kill('SIGKILL'));
  const closed = await running(
    `
    import { harden } from ${here('hardening.ts')};
    import { openSync, readFileSync, readlinkSync } from 'node:fs';
    harden();
    process.memoryUsage();
    const fd = openSync('/dev/null', 'r');
    if (readlinkSync('/proc/self/fd/' + fd) !== '/dev/null') throw new Error('no way to its own descriptors');
    openSync('/proc/self/fd/' + fd, 'r');
    readFileSync('/proc/self/limits');`,
    stranger,
  );
  t.after(() => closed.kill('SIGKILL'));
  const look = (pid: number | undefined) => spawnSync('cat', [`/proc/${pid}/environ`], stranger).status;
  assert.deepEqual([look(open.pid), look(closed.pid)], [0, 1]);
});

test('who becomes another user is closed afterwards too', { skip: process.getuid?.() === 0 ? false : 'needs root' }, async (t) => {
  const child = await running(`
    import { becomeUser } from ${here('becomeUser.ts')};
    import { native } from ${here('native.ts')};
    native();
    becomeUser({ uid: 8, gid: 8 });`);
  t.after(() => child.kill('SIGKILL'));
  assert.equal(statSync(`/proc/${child.pid}/mem`).uid, 0);
  assert.equal(spawnSync('cat', [`/proc/${child.pid}/environ`], stranger).status, 1);
});

test('the limit on descriptors is the one the kernel has', () => {
  assert.equal(String(descriptorLimit()), limitOf(process.pid, 'Max open files')[0]);
});
