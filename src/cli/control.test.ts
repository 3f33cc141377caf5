import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ask } from './control.ts';

/** The path of a socket, behind which each client is answered so. */
async function answering(t: TestContext, answer: (socket: Socket, request: string) => void): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  const path = join(folder, 'control');
  const server = createServer((socket) => socket.once('data', (octets) => answer(socket, octets.toString())));
  server.listen(path);
  await once(server, 'listening');
  t.after(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  return path;
}

test('an answer in pieces is one document', async (t) => {
  const path = await answering(t, (socket, request) => {
    socket.write('{"asked":');
    setImmediate(() => socket.end(`${JSON.stringify(request)}}\n`));
  });
  assert.deepEqual(await ask(path, 'status'), { asked: 'status\n' });
});

test('half an answer, none, and one that never ends', async (t) => {
  const half = await answering(t, (socket) => void socket.end('{"asked":1}'));
  await assert.rejects(ask(half, 'status'), new Error('the connection was closed'));
  const cut = await answering(t, (socket) => void socket.destroy());
  await assert.rejects(ask(cut, 'status'), new Error('the connection was closed'));
  const slow = await answering(t, () => {});
  await assert.rejects(ask(slow, 'status', 20), new Error('none within 0.02 s'));
  const endless = await answering(t, (socket) => {
    const piece = Buffer.alloc(1024 * 1024, 'x');
    const more = () => !socket.destroyed && void socket.write(piece, more);
    socket.on('error', () => {});
    more();
  });
  await assert.rejects(ask(endless, 'status'), new Error('too long'));
});

test('what is no JSON is nothing, and nobody there is an error with its code', async (t) => {
  const path = await answering(t, (socket) => void socket.end('hello\n'));
  assert.equal(await ask(path, 'status'), undefined);
  await assert.rejects(ask(`${path}s`, 'status'), { code: 'ENOENT' });
});
