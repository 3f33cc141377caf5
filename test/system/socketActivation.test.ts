/** Sockets that systemd has bound: taken, kept through a reload and a restart, shared by the fronts. And what systemd is told meanwhile. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { closeSocket, listeningSockets, type SocketAddress } from '../../src/os/sockets.ts';
import { receiveDatagrams } from '../support/datagramReceiver.ts';
import { Client } from '../support/socketDialogue.ts';
import { program } from './support/cli.ts';
import { clientOf, endedAfter, fieldsOf, smallTree } from './support/processes.ts';
import { missing } from './support/programs.ts';
import { freePort, type Server, serve, type Tree, writeSettings } from './support/server.ts';

/** A program that passes descriptors from 3 on, as systemd does: the process id in LISTEN_PID is the one the server will have. */
function activator(tree: Tree, fds: readonly number[]): { program: string; stdio: readonly number[] } {
  const file = join(tree.folder, 'activate');
  writeFileSync(file, `#!/bin/sh\nexport LISTEN_PID=$$ LISTEN_FDS=${fds.length} LISTEN_FDNAMES=x\nexec '${program}' "$@"\n`, {
    mode: 0o755,
  });
  return { program: file, stdio: fds };
}

async function bound(t: TestContext, address: SocketAddress, mode?: number): Promise<{ fd: number; port: number }> {
  const { fds, port } = await listeningSockets(address, 1, mode);
  const [fd = -1] = fds;
  t.after(() => closeSocket(fd));
  return { fd, port: port ?? 0 };
}

async function greeting(t: TestContext, where: { port: number; host: string } | { path: string }): Promise<string> {
  const client = new Client(where);
  t.after(() => client.end());
  const line = (await client.line()) ?? 'closed';
  await client.end();
  return line;
}

/** Those that an event of the supervisor names; the ones before them may still be ending. */
function frontsIn(line: string): number[] {
  return JSON.parse(fieldsOf(line).get('fronts') ?? '[]');
}

function listenersText(...listeners: (readonly [protocol: string, address: string])[]): string {
  return listeners.map(([protocol, address]) => `[[listen]]\nprotocol = "${protocol}"\naddress = "${address}"\n`).join('');
}

/** Settings without listeners of their own, then these. */
async function settingsWith(tree: Tree, listeners: string): Promise<string> {
  const { settingsFile } = await writeSettings({ tree, protocols: [] });
  writeFileSync(settingsFile, `${readFileSync(settingsFile, 'utf8')}\n${listeners}`);
  return settingsFile;
}

const noPorts = { pop3: 0, pop3s: 0, lmtp: 0, smtp: 0 };

test('sockets of systemd are taken, what it has not bound is bound; both fronts serve the one socket; a reload and a restart keep it', async (t) => {
  const tree = smallTree(t);
  const [tcp, six, unix] = [
    await bound(t, { host: '127.0.0.1', port: 0 }),
    await bound(t, { host: '::1', port: 0 }),
    await bound(t, { path: join(tree.folder, 'lmtp') }, 0o600),
  ];
  const own = await freePort();
  const settingsFile = await settingsWith(
    tree,
    listenersText(
      ['pop3', `127.0.0.1:${tcp.port}`],
      ['pop3', `[::1]:${six.port}`],
      ['lmtp', `unix:${join(tree.folder, 'lmtp')}`],
      ['pop3', `127.0.0.1:${own}`],
    ),
  );
  const start = async (): Promise<Server> => endedAfter(t, await serve(settingsFile, noPorts, activator(tree, [tcp.fd, six.fd, unix.fd])));
  const everybodyAnswers = async () => {
    assert.match(await greeting(t, { port: tcp.port, host: '127.0.0.1' }), /^\+OK /);
    assert.match(await greeting(t, { port: six.port, host: '::1' }), /^\+OK /);
    assert.match(await greeting(t, { path: join(tree.folder, 'lmtp') }), /^220 /);
    assert.match(await greeting(t, { port: own, host: '127.0.0.1' }), /^\+OK /);
  };
  const server = await start();
  await everybodyAnswers();
  // The socket's mode is the unit's affair.
  assert.equal(statSync(join(tree.folder, 'lmtp')).mode & 0o777, 0o600);

  // One front is stopped in its tracks: whoever connects is served by the other, in turn.
  for (const stopped of server.fronts()) {
    process.kill(stopped, 'SIGSTOP');
    for (let n = 0; n < 5; n++) assert.match(await greeting(t, { port: tcp.port, host: '127.0.0.1' }), /^\+OK /);
    process.kill(stopped, 'SIGCONT');
  }

  const before = server.fronts();
  process.kill(server.pid, 'SIGHUP');
  const fronts = frontsIn(await server.logged(/ supervisor\.reloaded cause=SIGHUP /));
  assert.equal(fronts.length, 2);
  assert.deepEqual(
    fronts.filter((pid) => before.includes(pid)),
    [],
  );
  await everybodyAnswers();

  // While nobody serves, connections wait in the socket.
  await server.stop();
  const waiting = clientOf(t, { port: tcp.port });
  await once(waiting.socket, 'connect');
  const second = await start();
  assert.match((await waiting.line()) ?? 'closed', /^\+OK /);
  await everybodyAnswers();
  await second.stop();
});

test('a reload that no longer wants a socket of systemd changes nothing, and says why', async (t) => {
  const tree = smallTree(t);
  const tcp = await bound(t, { host: '127.0.0.1', port: 0 });
  const own = await freePort();
  const settingsFile = await settingsWith(tree, listenersText(['pop3', `127.0.0.1:${tcp.port}`]));
  const server = endedAfter(t, await serve(settingsFile, noPorts, activator(tree, [tcp.fd])));
  writeFileSync(settingsFile, readFileSync(settingsFile, 'utf8').replace(String(tcp.port), String(own)));
  process.kill(server.pid, 'SIGHUP');
  const line = await server.logged(/ supervisor\.reload-failed /);
  const problem = `systemd passed the socket 127.0.0.1:${tcp.port}, but no [[listen]] in the settings has this address`;
  assert.ok(line.endsWith(` problem=${JSON.stringify(problem)}`), line);
  assert.match(await greeting(t, { port: tcp.port, host: '127.0.0.1' }), /^\+OK /);
});

test('a socket that no listener wants: one line, status 78', async (t) => {
  const tree = smallTree(t);
  const tcp = await bound(t, { host: '127.0.0.1', port: 0 });
  const settingsFile = await settingsWith(tree, listenersText(['pop3', '127.0.0.1:0']));
  const { program: activate, stdio } = activator(tree, [tcp.fd]);
  const child = spawn(activate, ['serve', '--config', settingsFile], {
    stdio: ['ignore', 'ignore', 'pipe', ...stdio],
    env: { ...process.env, LC_ALL: 'C' },
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  assert.deepEqual((await once(child, 'close'))[0], 78);
  const problem = `systemd passed the socket 127.0.0.1:${tcp.port}, but no [[listen]] in the settings has this address`;
  assert.equal(said, `postkasse: ${problem}\n`);
});

test('under systemd-socket-activate', { skip: missing('systemd-socket-activate', 'systemd') }, async (t) => {
  const tree = smallTree(t);
  const [port, six] = [await freePort(), await freePort()];
  const settingsFile = await settingsWith(tree, listenersText(['pop3', `127.0.0.1:${port}`], ['pop3', `[::1]:${six}`]));
  const parent = spawn(
    'systemd-socket-activate',
    ['--listen', `127.0.0.1:${port}`, '--listen', `[::1]:${six}`, program, 'serve', '--config', settingsFile],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const gone = once(parent, 'exit');
  t.after(async () => {
    parent.kill();
    await gone;
  });
  await once(parent.stderr, 'data'); // "Listening on …"
  assert.match(await greeting(t, { port, host: '127.0.0.1' }), /^\+OK /);
  assert.match(await greeting(t, { port: six, host: '::1' }), /^\+OK /);
});

test('systemd is told of readiness, reloads, the stop, and with a watchdog that all is well while every front answers', async (t) => {
  const tree = smallTree(t);
  const receiver = receiveDatagrams(join(tree.folder, 'notify'));
  t.after(() => receiver.close());
  const port = await freePort();
  const settingsFile = await settingsWith(tree, listenersText(['pop3', `127.0.0.1:${port}`]));
  // A short time-out, so that the test needn't wait; the look that kills a deaf front comes after half of it.
  const env = { NOTIFY_SOCKET: join(tree.folder, 'notify'), WATCHDOG_USEC: '2000000' };
  const server = endedAfter(t, await serve(settingsFile, noPorts, { env }));
  const serves = `STATUS=serves 127.0.0.1:${port}; 2 fronts, owners: one`;
  assert.equal(await receiver.next(/READY/), `READY=1\n${serves}`);
  assert.equal(await receiver.next(/WATCHDOG/), 'WATCHDOG=1');

  process.kill(server.pid, 'SIGHUP');
  assert.match(await receiver.next(/RELOADING/), /^RELOADING=1\nMONOTONIC_USEC=\d+$/);
  assert.equal(await receiver.next(/READY/), `READY=1\n${serves}`);

  const [deaf = 0, ...others] = frontsIn(await server.logged(/ supervisor\.reloaded /));
  process.kill(deaf, 'SIGSTOP');
  const died = await server.logged(/ front\.deaf /);
  assert.ok(died.endsWith(` pid=${deaf}`), died);
  assert.match(await server.logged(/ front\.died /), / signal=SIGKILL/);
  await server.logged(/ front\.restarted /);
  receiver.received();
  assert.equal(await receiver.next(/WATCHDOG/), 'WATCHDOG=1');
  assert.deepEqual(
    others.filter((pid) => !server.fronts().includes(pid)),
    [],
  );

  writeFileSync(settingsFile, 'fronts = 0\n');
  process.kill(server.pid, 'SIGHUP');
  const cannot = `${settingsFile}:1: fronts cannot be 0; allowed: "auto" or a whole number from 1 to 256`;
  await receiver.next(/RELOADING/);
  assert.equal(await receiver.next(/READY/), `READY=1\nSTATUS=settings as before: ${cannot}`);

  assert.equal(await server.stop(), 0);
  assert.equal(await receiver.next(/STOPPING/), 'STOPPING=1\nSTATUS=waits for sessions to finish');
});
