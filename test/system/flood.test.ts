/** Floods, with domains of two owners: the rest is served, memory and log stay within bounds, and nobody's process is started for nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Client } from '../support/socketDialogue.ts';
import {
  childrenOf,
  makeFile,
  makeNumberedOwner,
  makeOwnersTree,
  type NumberedOwner,
  needsRoot as skip,
  visit,
  workersOf,
} from './support/owners.ts';
import { serving } from './support/processes.ts';
import { authPlain } from './support/proxied.ts';
import type { Server } from './support/server.ts';

const options = { skip, timeout: 150_000 };
const empty = ['+OK 0 messages (0 octets)', '+OK 0 0', '+OK goodbye (maildrop empty)'];
const wrong = '-ERR [AUTH] authentication failed';
const putOff = '-ERR [SYS/TEMP] too many attempts, try again later';

const readers = 15;
const readerNames = Array.from({ length: readers }, (_, n) => `reader${n}`);
const bigMessage = 20_000_000;

interface House {
  readonly server: Server;
  readonly owners: readonly NumberedOwner[];
  /** Both have been visited: their workers are there. */
  readonly workers: ReturnType<typeof workersOf>;
}

/** @param firstUid and the one after it */
async function houseOf(t: TestContext, firstUid: number): Promise<House> {
  const tree = makeOwnersTree(t);
  const further = readerNames.map((name) => `${name}:{PLAIN}secret`);
  const owners = ['one.example', 'other.example'].map((domain, n) => makeNumberedOwner(tree, firstUid + n, domain, further));
  const [one] = owners;
  if (one === undefined) throw new Error('no owner');
  for (const owner of owners) makeFile(owner, owner.mailbox, '');
  const line = `${'x'.repeat(75)}\n`;
  const message = `From x  Mon Nov 22 16:47:00 2010\nSubject: large\n\n${line.repeat(bigMessage / line.length)}\n`;
  for (const name of readerNames) makeFile(one, one.mailbox.replace(/abc$/, name), message);
  const server = await serving(t, { tree, protocols: ['pop3', 'pop3s'], settings: { login: ['failure_delay_ms = 50'] } });
  await servedAsEver({ server, owners });
  return { server, owners, workers: workersOf(server) };
}

/** Whole sessions of everybody, one after the other. */
async function servedAsEver({ server, owners }: Pick<House, 'server' | 'owners'>): Promise<void> {
  for (const { address } of owners) assert.deepEqual(await visit(server, address), empty);
}

/** MB that supervisor, fronts and workers have of their own, and their shares of what they share. */
function memoryOf(server: Server): number {
  const pids = [server.pid, ...childrenOf(server).map(({ pid }) => pid)];
  const kilobytes = pids.map((pid) => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1]));
  return kilobytes.reduce((sum, each) => sum + each, 0) / 1024;
}

/** Lines of the log, from `start` on, that aren't about a session of somebody who was let in. */
function remarks(server: Server, start: number): string[] {
  return server
    .log()
    .slice(start)
    .split('\n')
    .filter((line) => line !== '' && !/ pop3\.(login|quit|disconnected) /.test(line));
}

/** Resolves when it is connected; closed with the test. */
async function connected(t: TestContext, port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

function times(count: number, work: (n: number) => Promise<unknown>): Promise<unknown> {
  return Promise.all(Array.from({ length: count }, (_, n) => work(n)));
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

test('wrong passwords from 2,000 addresses, for accounts, for nobody, and for domains that are none', options, async (t) => {
  const house = await houseOf(t, 64305);
  const { server, workers, owners } = house;
  const start = server.log().length;
  const before = memoryOf(server);
  const names = [owners[0]?.address ?? '', owners[1]?.address ?? '', 'nobody#@one.example', 'somebody@nowhere#.example'];
  const replies = new Map<string, number>();
  let next = 0;
  const guessing = times(300, async () => {
    for (let n = next++; n < 2000; n = next++) {
      const client = new Client({
        port: server.ports.pop3,
        host: '127.0.0.1',
        localAddress: `127.${1 + (n % 200)}.${n >> 8}.${1 + (n % 250)}`,
      });
      await client.line();
      const reply = (await authPlain(client, names[n % names.length]?.replace('#', String(n)) ?? '', `guess ${n}`)) ?? 'closed';
      replies.set(reply, (replies.get(reply) ?? 0) + 1);
      await client.end();
    }
  });
  let isOver = false;
  void guessing.then(() => {
    isOver = true;
  });
  // They come from where they came from before.
  while (!isOver) await servedAsEver(house);
  await guessing;
  const looked = replies.get(wrong) ?? 0;
  assert.deepEqual([...replies.keys()].sort(), [putOff, wrong].sort());
  assert.equal(looked + (replies.get(putOff) ?? 0), 2000);
  assert.deepEqual(workersOf(server), workers);

  // A line for each that was looked at, and one for each account and network that is under attack, once.
  const told = remarks(server, start);
  const failed = told.filter((line) => line.includes(' pop3.login-failed '));
  assert.equal(failed.length, looked);
  const others = told.filter((line) => !line.includes(' pop3.login-failed '));
  const attacked = others.map((line) => line.replace(/^\S+ /, '').trim());
  assert.deepEqual(
    attacked.filter((line) => !line.includes('throttle.network-attacked')).sort(),
    owners.map(({ address }) => `warn  throttle.account-attacked account=${address}`).sort(),
  );
  assert.equal(new Set(attacked).size, attacked.length);
  const grown = memoryOf(server) - before;
  assert.ok(grown < 150, `${grown} MB for 2,000 addresses`);
  await servedAsEver(house);
});
