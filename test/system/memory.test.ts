/**
 * What one client can make a front hold in memory: bounded, whatever it sends and however little it reads. Figures are printed. A message on its
 * way in is the most: its first 256 kB stay in memory, and as much again until it is on the disc.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Client } from '../support/socketDialogue.ts';
import { serving } from './support/processes.ts';
import { makeTree, type Server } from './support/server.ts';

const CLIENTS = 400;
/** Of those who make the front work until all buffers on the way are full. */
const FLOODERS = 6;
const READERS = 20;
const kB = 1024;
const MB = kB * kB;

/** What the one front holds, in octets: without what is garbage already. */
async function heldBy(server: Server, figures: string): Promise<number> {
  const [pid = 0] = server.fronts();
  const file = join(figures, String(pid));
  rmSync(file, { force: true });
  process.kill(pid, 'SIGWINCH');
  while (!existsSync(file)) await setTimeout(5);
  return Number(readFileSync(file, 'latin1'));
}

/** Sends as much as is taken and reads nothing, until it has stalled or all is sent. @returns the octets that were taken */
async function pour(socket: Socket, octets: Buffer, times: number): Promise<number> {
  socket.pause();
  socket.on('error', () => {});
  for (let n = 0; n < times && !socket.destroyed; n++) {
    if (socket.write(octets)) continue;
    const drained = await Promise.race([
      once(socket, 'drain').then(
        () => true,
        () => false,
      ),
      setTimeout(1000, false),
    ]);
    if (!drained) break;
  }
  return socket.bytesWritten - socket.writableLength;
}

/** What the front has grown by for each of these clients, when all of them have done what they do. */
async function growth(
  t: TestContext,
  held: () => Promise<number>,
  clients: number,
  what: string,
  act: (n: number) => Promise<{ readonly socket: Socket; readonly taken: number }>,
): Promise<number> {
  const before = await held();
  const done = await Promise.all(Array.from({ length: clients }, (_, n) => act(n)));
  const each = Math.max(0, (await held()) - before) / clients;
  const taken = done.reduce((sum, one) => sum + one.taken, 0) / clients;
  t.diagnostic(`${what}: ${Math.round(each / kB)} kB a client (${clients} of them), ${Math.round(taken / kB)} kB sent by each`);
  for (const { socket } of done) {
    socket.destroy();
    if (!socket.closed) await once(socket, 'close');
  }
  return each;
}

async function greeted(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'data');
  return socket;
}

async function loggedIn(port: number, user: string): Promise<Socket> {
  const client = new Client({ port, host: '127.0.0.1' });
  await client.line();
  client.write(`USER ${user}@kvt.dk\r\nPASS secret\r\n`);
  for (const reply of [await client.line(), await client.line()]) assert.match(reply ?? 'closed', /^\+OK /);
  client.socket.removeAllListeners('data').pause();
  return client.socket;
}

test('one client holds no more than so much of a front', async (t) => {
  const names = Array.from({ length: READERS }, (_, n) => `u${n}`);
  const tree = makeTree({ passwd: new Map([['kvt.dk', names.map((name) => `${name}:{PLAIN}secret:UID:GID::.:`)]]) });
  t.after(() => tree.remove());
  const large = `From x\nSubject: large\n\n${`${'x'.repeat(75)}\n`.repeat(50_000)}\n`;
  for (const name of names) writeFileSync(join(tree.folder, 'spool', 'kvt.dk', name), large);
  const many = 'From x\nSubject: one of many\n\nText\n\n'.repeat(50_000);
  for (const name of names.slice(0, 4)) writeFileSync(join(tree.folder, 'spool', 'kvt.dk', name), many);
  tree.own();
  const figures = join(tree.folder, 'figures');
  mkdirSync(figures);
  chmodSync(figures, 0o777);
  const rig = join(import.meta.dirname, 'support', 'memoryAfterGc.mjs');
  const server = await serving(t, {
    tree,
    env: { NODE_OPTIONS: `--expose-gc --import=${rig}`, MEMORY_FIGURES: figures },
    protocols: ['pop3', 'pop3s', 'lmtp'],
    settings: { '': ['fronts = 1'], login: ['max_failures = 100'] },
  });
  const held = () => heldBy(server, figures);
  const { pop3, lmtp } = server.ports;
  const flood = (port: number, octets: string, times: number) => async () => {
    const socket = await greeted(port);
    return { socket, taken: await pour(socket, Buffer.from(octets), times) };
  };
  // So that what is loaded and compiled at the first use isn't counted.
  await growth(t, held, CLIENTS, 'first use', flood(pop3, 'NOOP\r\n'.repeat(100), 10));

  const figuresOf = new Map<string, number>();
  const measure = async (what: string, clients: number, act: (n: number) => Promise<{ socket: Socket; taken: number }>) =>
    figuresOf.set(what, await growth(t, held, clients, what, act));

  await measure('a POP3 line without end', CLIENTS, flood(pop3, 'x'.repeat(64 * kB), 16));
  await measure('POP3 commands, no reply read', FLOODERS, flood(pop3, 'CAPA\r\n'.repeat(10_000), 8));
  await measure('an LMTP line without end', CLIENTS, flood(lmtp, 'x'.repeat(64 * kB), 16));
  // Each reply is as long as its command.
  const unknown = `MAIL FROM:<> ${'X'.repeat(2000)}=1\r\n`.repeat(30);
  await measure('LMTP commands, no reply read', FLOODERS, flood(lmtp, `LHLO x\r\n${unknown}`, 400));
  const envelope = `LHLO x\r\nMAIL FROM:<>\r\n${'RCPT TO:<u9@kvt.dk>\r\n'.repeat(20)}DATA\r\n`;
  await measure('a message of 4 MB on its way in', READERS, async () => {
    const socket = await greeted(lmtp);
    socket.write(envelope);
    return { socket, taken: await pour(socket, Buffer.from(`${'x'.repeat(62)}\r\n`.repeat(kB)), 64) };
  });
  await measure('a message of 4 MB, not read', READERS - 4, async (n) => {
    const socket = await loggedIn(pop3, `u${n + 4}`);
    return { socket, taken: await pour(socket, Buffer.from('RETR 1\r\n'.repeat(100)), 1) };
  });
  for (const [what, octets] of figuresOf) assert.ok(octets < 640 * kB, `${what}: ${Math.round(octets / kB)} kB a client`);

  const listings = await growth(t, held, 4, 'listings of 50,000 messages, not read', async (n) => {
    const socket = await loggedIn(pop3, `u${n}`);
    return { socket, taken: await pour(socket, Buffer.from('UIDL\r\nLIST\r\n'.repeat(1000)), 1) };
  });
  // Of a session it is the mailbox that counts, not what the client does: so much for each message.
  assert.ok(listings / 50_000 < 600, `${Math.round(listings / 50_000)} octets a message`);
  t.diagnostic(`the front in the end: ${Math.round((await held()) / MB)} MB`);
});
