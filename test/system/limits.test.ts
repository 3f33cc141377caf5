/** More than there is room for: who comes is told so at the greeting, nobody hangs, and those who are there go on. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { linesOf } from '../dialogues/socketWire.ts';
import { Client } from '../support/socketDialogue.ts';
import { program } from './support/cli.ts';
import { fieldsOf, serving, smallTree } from './support/processes.ts';
import { makeTree, type Server } from './support/server.ts';

const DESCRIPTORS = 400;

test('connections are cut to what the open files allow, and every one beyond them is told', async (t) => {
  const names = Array.from({ length: 40 }, (_, n) => `u${n}`);
  const tree = makeTree({ passwd: new Map([['kvt.dk', names.map((name) => `${name}:{PLAIN}secret:UID:GID::.:`)]]) });
  t.after(() => tree.remove());
  const message = `From x\nSubject: large\n\n${`${'x'.repeat(75)}\n`.repeat(100_000)}\n`;
  for (const name of names) writeFileSync(join(tree.folder, 'spool', 'kvt.dk', name), message);
  const few = join(tree.folder, 'few');
  writeFileSync(few, `#!/bin/sh\nulimit -n ${DESCRIPTORS} && exec '${program}' "$@"\n`, { mode: 0o755 });
  tree.own();
  const server = await serving(t, { tree, protocols: ['pop3'], settings: { '': ['fronts = 1'] }, program: few });
  const { connections = '', descriptors, wanted } = Object.fromEntries(fieldsOf(await server.logged(/ limits\.cut /)));
  assert.deepEqual([descriptors, wanted], [String(DESCRIPTORS), '10000']);
  const limit = Number(connections);
  assert.ok(limit > 50 && limit < DESCRIPTORS / 2, connections);

  const greeting = async () => {
    const client = new Client({ port: server.ports.pop3, host: '127.0.0.1' });
    t.after(() => client.end());
    return { client, line: (await client.line()) ?? 'closed' };
  };
  const inside: Client[] = [];
  for (let n = 0; n < limit; n++) {
    const { client, line } = await greeting();
    assert.match(line, /^\+OK /, `connection ${n + 1}`);
    inside.push(client);
  }
  // Each of these holds a mailbox open too, as it doesn't read what it asked for.
  for (const [n, name] of names.entries()) {
    const client = inside[n];
    client?.write(`USER ${name}@kvt.dk\r\nPASS secret\r\n`);
    assert.match((await client?.line()) ?? 'closed', /^\+OK /);
    assert.match((await client?.line()) ?? 'closed', /^\+OK /);
    client?.socket.pause();
    client?.write('RETR 1\r\nRETR 1\r\nRETR 1\r\n');
  }
  for (let n = 0; n < 100; n++) {
    const { client, line } = await greeting();
    assert.equal(line, '-ERR [SYS/TEMP] too many connections, try again later');
    assert.equal(await client.line(), undefined);
  }
  const last = inside.at(-1);
  last?.write('CAPA\r\n');
  assert.match((await last?.line()) ?? 'closed', /^\+OK/);
  assert.doesNotMatch(server.log(), /accept-failed|EMFILE/);
});

async function pop3sGreeting(server: Server): Promise<string | undefined> {
  const socket = connectTls({ port: server.ports.pop3s, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const line = (await linesOf(socket).next()).value?.toString('latin1');
  socket.destroy();
  return line;
}

test('out of memory by limits.memory_mb: every protocol says so at the greeting', async (t) => {
  const tree = smallTree(t);
  // Less than the program has before anybody comes.
  const settings = { '': ['fronts = 1'], limits: ['memory_mb = 64'] };
  const server = await serving(t, { tree, settings });
  assert.match(await server.logged(/ house\.overloaded /), / warn {2}house\.overloaded reason=memory rss=\d+ heapUse=0(\.\d+)?$/);

  const refusal = '-ERR [SYS/TEMP] the server is overloaded, try again later';
  const late = new Client({ port: server.ports.pop3, host: '127.0.0.1' });
  t.after(() => late.end());
  assert.deepEqual([await late.line(), await late.line()], [refusal, undefined]);
  assert.equal(await pop3sGreeting(server), refusal);
  for (const port of [server.ports.lmtp, server.ports.smtp]) {
    const client = new Client({ port, host: '127.0.0.1' });
    t.after(() => client.end());
    const text = '421 4.3.2 the server is overloaded, try again later';
    assert.deepEqual([await client.line(), await client.line()], [text, undefined]);
  }
});
