/** What a session costs with an owner's process: at most one request of the front for a command, and none for what the scan listing says. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { HouseReport } from '../../src/model/report.ts';
import { Client } from '../support/socketDialogue.ts';
import { loggedIn, makeFile, makeNumberedOwner, makeOwnersTree, needsRoot as skip } from './support/owners.ts';
import { serving } from './support/processes.ts';
import type { Server } from './support/server.ts';

const mbox = ['one', 'two', 'three']
  .map((subject) => `From ada@example.org Thu Nov 24 18:22:48 1986\nSubject: ${subject}\n\nHello.\n\n`)
  .join('');

/** Requests that owners' processes were asked so far. */
async function requestsOf(server: Server): Promise<number> {
  const socket = connect({ path: join(server.settingsFile, '..', 'run', 'control') });
  socket.write('status\n');
  return (JSON.parse(await text(socket)) as HouseReport).counts.workers.requests;
}

/** A command, the replies to it line by line, and how many requests it takes. */
const session = (
  uniqueIds: readonly string[],
  capabilities: readonly string[],
): readonly (readonly [command: string, replies: readonly string[], requests: number])[] => [
  ['USER abc@one.example', ['+OK now the password'], 0],
  ['PASS secret', ['+OK 3 messages (74 octets)'], 1],
  ['STAT', ['+OK 3 74'], 0],
  ['LIST', ['+OK 3 messages (74 octets)', '1 24', '2 24', '3 26', '.'], 0],
  ['LIST 2', ['+OK 2 24'], 0],
  ['UIDL', ['+OK 3 messages (74 octets)', ...uniqueIds.map((id, n) => `${n + 1} ${id}`), '.'], 0],
  ['UIDL 3', [`+OK 3 ${uniqueIds[2]}`], 0],
  ['CAPA', ['+OK capabilities follow', ...capabilities, '.'], 0],
  ['NOOP', ['+OK'], 0],
  ['RETR 1', ['+OK 24 octets', 'Subject: one', '', 'Hello.', '.'], 1],
  ['TOP 2 0', ['+OK top of message follows', 'Subject: two', '', '.'], 1],
  ['DELE 1', ['+OK message 1 deleted'], 0],
  ['RSET', ['+OK 3 messages (74 octets)'], 0],
  ['DELE 3', ['+OK message 3 deleted'], 0],
  ['STAT', ['+OK 2 48'], 0],
  ['QUIT', ['+OK goodbye (2 messages left)'], 1],
];

test('requests of each command of a session', { skip, timeout: 180_000 }, async (t) => {
  const tree = makeOwnersTree(t);
  const owner = makeNumberedOwner(tree, 64311, 'one.example');
  makeFile(owner, owner.mailbox, mbox);
  const server = await serving(t, { tree, protocols: ['pop3'], settings: { '': ['fronts = 1'], owners: ['mode = "many"'] } });
  // What this domain can announce is known from here on, and a connection to its owner's process is there.
  const before = await loggedIn(server, owner.address);
  const uniqueIds = await before.uniqueIds();
  const capabilities = await before.rows('CAPA');
  await before.ok('QUIT');
  await before.drop();

  const client = new Client({ port: server.ports.pop3, host: '127.0.0.1' });
  t.after(() => client.end());
  assert.equal(await client.line(), '+OK POP3 server ready');
  for (const [command, replies, requests] of session(uniqueIds, capabilities)) {
    const before = await requestsOf(server);
    client.write(`${command}\r\n`);
    for (const reply of replies) assert.equal(await client.line(), reply, command);
    assert.equal((await requestsOf(server)) - before, requests, command);
  }
});
