/** From one owner of all mail to many and back, by itself and when told to: nobody loses mail, and no unique-id changes. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { postkasse } from './support/cli.ts';
import { MailClient } from './support/mailClient.ts';
import { composed, nameOf } from './support/numberedMail.ts';
import {
  childrenOf,
  delivered,
  give,
  loggedIn,
  mailUser,
  makeFile,
  makeFolder,
  makeNumberedOwner,
  makeOwnersTree,
  needsRoot as skip,
  visit,
  whose,
} from './support/owners.ts';
import { ConnectionLost } from './support/pop3Client.ts';
import { serving } from './support/processes.ts';
import type { Server, Tree } from './support/server.ts';

const options = { skip, timeout: 180_000 };

/** kvt.dk of the user who has all mail, with two mailboxes: abc an mbox, def a Maildir that was an mbox. */
async function house(t: TestContext): Promise<{ tree: Tree; server: Server; ids: Map<string, readonly string[]> }> {
  const tree = makeOwnersTree(t);
  makeFile(mailUser, join(tree.folder, 'virtual', 'kvt.dk', 'passwd'), 'abc:{PLAIN}secret\ndef:{PLAIN}secret\n');
  makeFolder(mailUser, join(tree.folder, 'spool', 'kvt.dk'));
  const settings = { '': ['stop_grace_s = 1'], login: ['failure_delay_ms = 0'] };
  const server = await serving(t, { tree, protocols: ['pop3', 'lmtp'], settings });
  for (const user of ['abc', 'def']) {
    // Two of them are equal: what tells them apart is remembered beside the mailbox.
    for (const name of ['one', 'same', 'same', 'four']) assert.match(await delivered(server, `${user}@kvt.dk`, name), /^250 /);
  }
  const converted = await postkasse(['mailbox', 'convert', 'def@kvt.dk', '--to', 'maildir', '--config', server.settingsFile]);
  assert.deepEqual([converted.status, converted.err], [0, '']);
  const ids = new Map<string, readonly string[]>();
  for (const user of ['abc', 'def']) {
    const client = await loggedIn(server, `${user}@kvt.dk`);
    // The first of the equal ones goes: the other keeps its id all the same.
    await client.ok('DELE 2');
    await client.ok('QUIT');
    await client.drop();
    ids.set(user, await idsOf(server, `${user}@kvt.dk`));
  }
  return { tree, server, ids };
}

async function idsOf(server: Server, address: string): Promise<readonly string[]> {
  const client = await loggedIn(server, address);
  const ids = await client.uniqueIds();
  await client.ok('QUIT');
  await client.drop();
  return ids;
}

async function namesIn(server: Server, address: string): Promise<(string | undefined)[]> {
  const client = await loggedIn(server, address);
  const names: (string | undefined)[] = [];
  for (const row of await client.rows('LIST')) names.push(nameOf(await client.retrieve(Number(row.split(' ')[0]))));
  await client.ok('QUIT');
  await client.drop();
  return names;
}

/** Delivers one message after the other; what is told to come later, or is cut off before an answer, is sent again, as Postfix does. */
function deliverer(
  server: Server,
  address: string,
): () => Promise<{ readonly certain: readonly string[]; readonly again: readonly string[] }> {
  let stopped = false;
  const certain: string[] = [];
  const again: string[] = [];
  const work = (async () => {
    for (let n = 0; !stopped; n++) {
      const name = `steady ${n}`;
      while (!(await isTaken(server, address, name))) again.push(name);
      certain.push(name);
    }
    return { certain, again };
  })();
  return () => {
    stopped = true;
    return work;
  };
}

async function isTaken({ ports }: Server, address: string, name: string): Promise<boolean> {
  try {
    const client = await MailClient.connect('lmtp', { port: ports.lmtp, host: '127.0.0.1' });
    const { recipients, replies } = await client.send({ from: 'ada@example.org', to: [address], content: composed(name) });
    await client.close();
    const reply = replies[0] ?? recipients[0] ?? '';
    if (reply.startsWith('250 ')) return true;
    assert.match(reply, /^4\d\d /);
  } catch (thrown) {
    if (!(thrown instanceof ConnectionLost)) throw thrown;
  }
  await sleep(20);
  return false;
}

function roles(server: Server): string[] {
  return childrenOf(server).map(({ title }) => title);
}

test('the first domain of another user, and the end of the last one, are noticed', options, async (t) => {
  const { tree, server, ids } = await house(t);
  const inState = (...path: string[]) => join(tree.folder, 'state', ...path);
  assert.match(await server.logged(/ supervisor\.ready /), / owners=one /);
  assert.ok(existsSync(inState('taken-over', 'kvt.dk', 'def')));
  const indexes = readdirSync(inState('mbox'));
  assert.ok(indexes.length > 0);
  const stop = deliverer(server, 'abc@kvt.dk');
  const held = await loggedIn(server, 'def@kvt.dk');
  await held.ok('DELE 1');

  // As a person would: the folder, then what is in it, and then whose it is.
  const other = { uid: 61101, gid: 61101 };
  const folder = join(tree.folder, 'virtual', 'other.example');
  mkdirSync(folder, { mode: 0o755 });
  makeFolder(other, join(tree.folder, 'spool', 'other.example'));
  writeFileSync(join(folder, 'passwd'), 'abc:{PLAIN}secret\n', { mode: 0o600 });
  give(folder, other);
  assert.match(await server.logged(/ supervisor\.reloaded /), / cause=owners .* owners=many /);
  assert.equal(whose(inState()), '0:0 711');
  assert.deepEqual(readdirSync(inState()).sort(), ['fronts', 'owners']);
  assert.equal(whose(inState('owners', '8', 'taken-over', 'kvt.dk', 'def')), '8:8 600');
  assert.deepEqual(readdirSync(inState('owners', '8', 'mbox')), indexes);
  // Its second of grace was over, and nothing is removed without QUIT.
  await assert.rejects(held.command('QUIT'), ConnectionLost);
  assert.deepEqual(await idsOf(server, 'def@kvt.dk'), ids.get('def'));
  assert.match(await delivered(server, 'abc@other.example', 'hello'), /^250 /);
  assert.deepEqual(await namesIn(server, 'abc@other.example'), ['hello']);
  assert.deepEqual(roles(server), ['postkasse front 0', 'postkasse front 1', 'postkasse owner 61101', 'postkasse owner mail']);

  rmSync(folder, { recursive: true });
  assert.match(await server.logged(/ supervisor\.reloaded /, 2), / cause=owners .* owners=one /);
  assert.equal(whose(inState()), '8:8 700');
  assert.equal(whose(inState('taken-over', 'kvt.dk', 'def')), '8:8 600');
  assert.deepEqual(roles(server), ['postkasse front 0', 'postkasse front 1']);
  assert.deepEqual(await visit(server, 'abc@other.example'), ['-ERR [AUTH] authentication failed']);
  assert.deepEqual(await idsOf(server, 'def@kvt.dk'), ids.get('def'));

  const { certain, again } = await stop();
  const names = await namesIn(server, 'abc@kvt.dk');
  assert.deepEqual(names.slice(0, 3), ['one', 'same', 'four']);
  assert.deepEqual((await idsOf(server, 'abc@kvt.dk')).slice(0, 3), ids.get('abc'));
  // Each is there; twice at most where the first answer was lost on the way.
  assert.deepEqual([...new Set(names.slice(3))], certain);
  assert.ok(names.length - 3 <= certain.length + new Set(again).size, `${names.length} ${certain.length} ${again}`);
  assert.ok(certain.length > 5);
  assert.equal(await server.stop(), 0);
});

test('a domain that is given to another user where it is counts from SIGHUP on, and back', options, async (t) => {
  const { tree, server, ids } = await house(t);
  const given = makeNumberedOwner(tree, mailUser.uid, 'given.example');
  assert.match(await delivered(server, given.address, 'hello'), /^250 /);
  for (const [nth, uid, mode] of [
    [1, 61102, 'many'],
    [2, mailUser.uid, 'one'],
  ] as const) {
    for (const room of ['virtual', 'spool']) give(join(tree.folder, room, given.domain), { uid, gid: uid });
    process.kill(server.pid, 'SIGHUP');
    // It may have been noticed before.
    assert.match(await server.logged(/ supervisor\.reloaded cause=SIGHUP /, nth), new RegExp(` owners=${mode} `));
    assert.deepEqual(await namesIn(server, given.address), ['hello']);
    assert.equal(whose(given.mailbox), `${uid}:${uid} 600`);
    for (const user of ['abc', 'def']) assert.deepEqual(await idsOf(server, `${user}@kvt.dk`), ids.get(user));
  }
  assert.equal(await server.stop(), 0);
});

test('many owners where there can not be any: all stays as it was, and the log says why', options, async (t) => {
  const { tree, server, ids } = await house(t);
  const fronts = server.fronts();
  const client = await loggedIn(server, 'abc@kvt.dk');
  const text = readFileSync(server.settingsFile, 'utf8');
  writeFileSync(server.settingsFile, `${text}\n[owners]\nmode = "many"\nfront_user = "8"\n`);
  process.kill(server.pid, 'SIGHUP');
  const failed = await server.logged(/ supervisor\.reload-failed /);
  assert.ok(failed.endsWith(' problem="owners.front_user must not be mail, who owns mail"'), failed);
  assert.equal(whose(join(tree.folder, 'state')), '8:8 700');
  assert.equal(await client.command('QUIT'), '+OK goodbye (3 messages left)');
  await client.drop();
  for (const user of ['abc', 'def']) assert.deepEqual(await idsOf(server, `${user}@kvt.dk`), ids.get(user));
  assert.match(await delivered(server, 'abc@kvt.dk', 'still here'), /^250 /);
  assert.deepEqual(server.fronts(), fronts);
});
