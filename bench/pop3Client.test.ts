import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { command, greeting, play } from './pop3Client.ts';

/** A server that says these things, each when a line has come; one octet a write, so that a reply may end in any chunk. */
async function serverSaying(replies: readonly string[]): Promise<{ target: { host: string; port: number }; close(): void }> {
  const server = net.createServer((socket) => {
    let next = 0;
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    const say = () => {
      for (const octet of replies[next++] ?? '') socket.write(octet);
    };
    say();
    socket.on('data', say);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return { target: { host: '127.0.0.1', port: address.port }, close: () => server.close() };
}

test('a reply ends where RFC 1939 section 3 says', async () => {
  const replies = ['+OK hello\r\n', '+OK\r\n..\r\n.a\r\n\r\n.\r\n', '+OK\r\n.\r\n', '+OK 1\r\n+OK 2\r\n+OK 3\r\n', '+OK bye\r\n'];
  const server = await serverSaying(replies);
  try {
    const { octets, stepMs, socket } = await play(server.target, [
      greeting,
      command('RETR 1', 'body'),
      command('LIST', 'body'),
      { send: 'DELE 1\r\nDELE 2\r\nDELE 3\r\n', reply: 3 },
      command('QUIT'),
    ]);
    socket.destroy();
    assert.equal(octets, replies.join('').length);
    assert.equal(stepMs.length, replies.length);
  } finally {
    server.close();
  }
});

test('a refusal ends the play, also where a body was expected', async () => {
  const server = await serverSaying(['+OK\r\n', '-ERR no such message\r\n']);
  try {
    await assert.rejects(play(server.target, [greeting, command('RETR 9', 'body')]), /^Error: RETR 9: -ERR/);
  } finally {
    server.close();
  }
});
