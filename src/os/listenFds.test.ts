import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { closeSocket, listeningSockets } from './sockets.ts';

/** What a process takes that was started with these descriptors from 3 on. `before`: shell code that runs in it first. */
function taken(fds: readonly number[], before: string): unknown {
  const script = `
    import { takePassedSockets } from ${JSON.stringify(join(import.meta.dirname, 'listenFds.ts'))};
    import { spawnSync } from 'node:child_process';
    let passed, failure;
    try { passed = takePassedSockets(); } catch (thrown) { failure = thrown.message; }
    const seen = spawnSync('sh', ['-c', 'for fd in 3 4 5; do [ ! -e /proc/$$/fd/$fd ] || echo $fd; done'], { encoding: 'latin1' }).stdout;
    const left = Object.keys(process.env).filter((name) => name.startsWith('LISTEN_'));
    console.log(JSON.stringify({ passed, failure, left, seen }));`;
  const { stdout } = spawnSync('sh', ['-c', `${before} exec "$0" --input-type=module -e "$1"`, process.execPath, script], {
    stdio: ['ignore', 'pipe', 'inherit', ...fds],
    encoding: 'utf8',
  });
  return JSON.parse(stdout);
}

test('sockets of each family with their addresses; the variables are gone and no child has the descriptors', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'lmtp');
  const made = [
    await listeningSockets({ host: '127.0.0.1', port: 0 }, 1),
    await listeningSockets({ host: '::1', port: 0 }, 1),
    await listeningSockets({ path }, 1),
  ];
  const fds = made.flatMap((each) => each.fds);
  t.after(() => fds.forEach(closeSocket));
  assert.deepEqual(taken(fds, 'export LISTEN_PID=$$ LISTEN_FDS=3 LISTEN_FDNAMES=a:b:c;'), {
    passed: [
      { fd: 3, address: { host: '127.0.0.1', port: made[0]?.port }, takesIpv4: false },
      { fd: 4, address: { host: '::1', port: made[1]?.port }, takesIpv4: false },
      { fd: 5, address: { path }, takesIpv4: false },
    ],
    left: [],
    seen: '',
  });
});

test('variables for another process, or none, mean nothing was passed', async (t) => {
  const { fds } = await listeningSockets({ host: '127.0.0.1', port: 0 }, 1);
  t.after(() => fds.forEach(closeSocket));
  for (const variables of [
    'LISTEN_PID=1 LISTEN_FDS=1',
    'LISTEN_FDS=1',
    'LISTEN_PID=$$',
    'LISTEN_PID=$$ LISTEN_FDS=0',
    'LISTEN_PID=$$ LISTEN_FDS=x',
  ]) {
    const { passed, left } = taken(fds, `export ${variables};`) as { passed: unknown; left: unknown };
    assert.deepEqual([passed, left], [[], []], variables);
  }
});

test('what is no listening socket is named', (t) => {
  const file = openSync('/dev/null', 'r');
  t.after(() => closeSync(file));
  const { failure } = taken([file], 'export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=mail;') as { failure: unknown };
  assert.equal(failure, 'systemd passed descriptor 3 (mail), which is no listening socket: ENOTSOCK: getsockopt');
});
