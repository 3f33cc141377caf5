/** Floods of connections, with domains of two owners: the rest is served, memory and log stay within bounds, and nobody's process is started for nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Client } from '../support/socketDialogue.ts';
import { bigMessage, houseOf, memoryOf, readerNames, readers, remarks, servedAsEver, times } from './support/floods.ts';
import { needsRoot as skip, visit, workersOf } from './support/owners.ts';

const options = { skip, timeout: 180_000 };

/** Resolves when it is connected; closed with the test. */
async function connected(t: TestContext, port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

test('1,000 connections that say nothing, half of a handshake, or an octet now and then', options, async (t) => {
  const house = await houseOf(t, 64301);
  const { server, workers } = house;
  const { pop3, pop3s } = server.ports;
  const start = server.log().length;
  const before = memoryOf(server);
  await times(400, async () => {
    const client = new Client({ port: pop3, host: '127.0.0.1' });
    t.after(() => client.end());
    assert.match((await client.line()) ?? 'closed', /^\+OK /);
  });
  // The record and the handshake in it are longer than what comes.
  const halfHello = Buffer.concat([Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]), Buffer.alloc(32, 7)]);
  await times(400, async () => (await connected(t, pop3s)).write(halfHello));
  const slow: Client[] = [];
  await times(200, async () => {
    const client = new Client({ port: pop3, host: '127.0.0.1' });
    t.after(() => client.end());
    assert.match((await client.line()) ?? 'closed', /^\+OK /);
    slow.push(client);
  });
  for (const octet of 'CAPA') {
    for (const client of slow) client.write(octet);
    await servedAsEver(house);
  }
  assert.deepEqual(workersOf(server), workers);
  const grown = memoryOf(server) - before;
  assert.ok(grown < 100, `${grown} MB for 1,000 connections`);
  // Who was slow is served all the same.
  for (const client of slow) client.write('\r\n');
  for (const client of slow) assert.match((await client.line()) ?? 'closed', /^\+OK /);
  assert.deepEqual(remarks(server, start), []);
});

test('clients that ask for large messages and do not read them', options, async (t) => {
  const house = await houseOf(t, 64303);
  const { server, workers, owners } = house;
  const start = server.log().length;
  const before = memoryOf(server);
  const clients: Client[] = [];
  for (const name of readerNames) {
    const client = new Client({ port: server.ports.pop3, host: '127.0.0.1' });
    t.after(() => client.end());
    clients.push(client);
    await client.line();
    client.write(`USER ${name}@${owners[0]?.domain}\r\nPASS secret\r\n`);
    for (const reply of [await client.line(), await client.line()]) assert.match(reply ?? 'closed', /^\+OK /);
    client.socket.pause();
    client.write('RETR 1\r\nRETR 1\r\nRETR 1\r\n');
    await servedAsEver(house);
  }
  assert.deepEqual(workersOf(server), workers);
  const grown = memoryOf(server) - before;
  assert.ok(grown < (readers * bigMessage) / 3e6, `${grown} MB for ${readers} messages of ${bigMessage / 1e6} MB`);
  assert.deepEqual(remarks(server, start), []);
  // What they had is theirs again.
  for (const client of clients) await client.end();
  await server.logged(/ pop3\.disconnected /, readers);
  const again = await visit(server, `${readerNames[0]}@${owners[0]?.domain}`);
  assert.match(again[1] ?? again[0] ?? '', /^\+OK 1 /);
});
