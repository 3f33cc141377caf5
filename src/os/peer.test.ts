import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { peerOf } from './peer.ts';

async function listening(t: TestContext, where: { path: string } | { host: string; port: number }) {
  const server = createServer();
  server.listen(where);
  await once(server, 'listening');
  t.after(() => server.close());
  return server;
}

function unixPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'peer-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'socket');
}

test('the process at the other end of a Unix socket', async (t) => {
  const path = unixPath(t);
  const server = await listening(t, { path });
  const connecting = `require('node:net').connect(${JSON.stringify(path)}).resume()`;
  // Only root can be somebody else, and then somebody whom the folder lets in.
  const isRoot = process.getuid?.() === 0;
  const group = isRoot ? 65_534 : process.getgid?.();
  const child = spawn(process.execPath, ['-e', connecting], isRoot ? { uid: 0, gid: 65_534 } : {});
  t.after(() => child.kill());
  const [socket] = (await once(server, 'connection')) as [Socket];
  t.after(() => socket.destroy());
  assert.deepEqual(peerOf(socket), { pid: child.pid, uid: process.getuid?.(), gid: group });
});

test('nobody is known at the other end of TCP, or of a connection that is closed', async (t) => {
  const server = await listening(t, { host: '127.0.0.1', port: 0 });
  const { port } = server.address() as { port: number };
  const client = connect(port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  assert.equal(peerOf(socket), undefined);
  socket.destroy();
  assert.equal(peerOf(socket), undefined);
  client.destroy();
});
