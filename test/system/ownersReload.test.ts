/** Reload, stop, locks and limits where owners have processes of their own: what holds with one owner holds across all of them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Client } from '../support/socketDialogue.ts';
import { postkasse } from './support/cli.ts';
import { composed, nameOf } from './support/numberedMail.ts';
import {
  childrenOf,
  delivered,
  loggedIn,
  makeNumberedOwner,
  makeOwnersTree,
  type NumberedOwner,
  needsRoot as skip,
  titleOf,
  visit,
  whose,
} from './support/owners.ts';
import { ConnectionLost } from './support/pop3Client.ts';
import { clientOf, serving } from './support/processes.ts';
import { missing } from './support/programs.ts';
import { type Server, type ServerOptions, type Tree, writeSettings } from './support/server.ts';

const options = { skip, timeout: 180_000 };
const inUse = '-ERR [IN-USE] another session has this maildrop';

interface House {
  readonly tree: Tree;
  readonly server: Server;
  readonly one: NumberedOwner;
  readonly other: NumberedOwner;
  /** Resolves when the new settings are in force. */
  reload(settings: ServerOptions['settings']): Promise<void>;
}

async function house(t: TestContext, uid: number, settings: ServerOptions['settings'] = {}): Promise<House> {
  const tree = makeOwnersTree(t);
  const one = makeNumberedOwner(tree, uid, 'one.example', ['def:{PLAIN}secret', 'ny:{PLAIN}secret']);
  const other = makeNumberedOwner(tree, uid + 1, 'other.example');
  const protocols = ['pop3', 'lmtp'] as const;
  const server = await serving(t, { tree, protocols, settings });
  let reloads = 0;
  return {
    tree,
    server,
    one,
    other,
    async reload(next) {
      reloads += 1;
      await writeSettings({ tree, protocols, settings: next ?? {} }, server.ports);
      process.kill(server.pid, 'SIGHUP');
      await server.logged(/ supervisor\.reloaded /, reloads);
    },
  };
}

async function fill(server: Server, address: string, ...names: readonly string[]): Promise<void> {
  for (const name of names) assert.match(await delivered(server, address, name), /^250 /);
}

/** Resolves when it has no more of these. */
async function gone(pids: readonly number[]): Promise<void> {
  while (pids.some((pid) => titleOf(pid)?.startsWith('postkasse'))) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('SIGHUP with sessions in both generations: all of them get to their end, and each maildrop has one', options, async (t) => {
  const { server, one, other, reload, tree } = await house(t, 61201);
  await fill(server, one.address, 'one', 'two');
  await fill(server, other.address, 'one');
  const old = [await loggedIn(server, one.address), await loggedIn(server, other.address)] as const;
  assert.equal(await old[0].command('DELE 1'), '+OK message 1 deleted');
  const before = childrenOf(server);
  assert.deepEqual(
    before.map(({ title }) => title),
    ['postkasse front 0', 'postkasse front 1', 'postkasse owner 61201', 'postkasse owner 61202'],
  );

  // Settings that a worker goes by.
  await reload({ mailboxes: ['format = "maildir"'] });
  assert.deepEqual(await visit(server, one.address), [inUse]);
  assert.deepEqual(await visit(server, other.address), [inUse]);
  const young = await loggedIn(server, 'def@one.example');
  await fill(server, 'ny@one.example', 'new');
  assert.equal(statSync(join(tree.folder, 'spool', 'one.example', 'ny')).isDirectory(), true);
  const fresh = childrenOf(server).filter(({ pid }) => before.every((earlier) => earlier.pid !== pid));
  assert.deepEqual(
    fresh.map(({ title }) => title),
    // The other owner's was asked for a maildrop that is in use.
    ['postkasse front 0', 'postkasse front 1', 'postkasse owner 61201', 'postkasse owner 61202'],
  );

  // Mail that came in the new generation stays, and the old one removes what was marked.
  await fill(server, one.address, 'three');
  assert.equal(await old[0].command('STAT'), `+OK 1 ${(await old[0].retrieve(2)).length}`);
  assert.equal(await old[0].command('QUIT'), '+OK goodbye (1 message left)');
  assert.equal(await old[1].command('QUIT'), '+OK goodbye (1 message left)');
  for (const client of old) await client.drop();
  await gone(before.map(({ pid }) => pid));
  const after = await loggedIn(server, one.address);
  assert.deepEqual([nameOf(await after.retrieve(1)), nameOf(await after.retrieve(2))], ['two', 'three']);
  await after.ok('QUIT');
  await after.drop();
  assert.equal(await young.command('QUIT'), '+OK goodbye (maildrop empty)');
  await young.drop();
  assert.deepEqual(
    childrenOf(server).map(({ pid }) => pid),
    fresh.map(({ pid }) => pid),
  );
});

test('a maildrop has one session, whichever front it comes to', options, async (t) => {
  const { server, one } = await house(t, 61211);
  await fill(server, one.address, 'one');
  const first = await placed(server, one);
  assert.equal(first.reply, `+OK 1 message (${octets(one)} octets)`);
  const fronts = new Map<string, string[]>();
  // The kernel deals out connections: until both have had some.
  while (fronts.size < 2) {
    const { front, reply, client } = await placed(server, one);
    fronts.set(front, [...(fronts.get(front) ?? []), reply]);
    await client.end();
  }
  assert.deepEqual([...fronts.keys()].sort(), ['postkasse front 0', 'postkasse front 1']);
  for (const replies of fronts.values()) assert.deepEqual([...new Set(replies)], [inUse]);
  await first.client.play('C: DELE 1\nS: +OK message 1 deleted\nC: QUIT\nS: +OK goodbye (maildrop empty)\nS: (closed)');
  assert.deepEqual(await visit(server, one.address), ['+OK 0 messages (0 octets)', '+OK 0 0', '+OK goodbye (maildrop empty)']);
});

/** A login, what PASS was told, and which front it came to. */
async function placed(server: Server, { address }: NumberedOwner): Promise<{ client: Client; front: string; reply: string }> {
  const client = new Client({ port: server.ports.pop3, host: '127.0.0.1' });
  await client.line();
  const front = frontOf(server, client.socket);
  client.write(`USER ${address}\r\nPASS secret\r\n`);
  await client.line();
  return { client, front, reply: (await client.line()) ?? '' };
}

/** Title of the process that has the other end of a connection. */
function frontOf(server: Server, socket: Socket): string {
  const hex = (port = 0) => port.toString(16).toUpperCase().padStart(4, '0');
  const row = readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find(([, local, remote]) => local?.endsWith(`:${hex(socket.remotePort)}`) && remote?.endsWith(`:${hex(socket.localPort)}`));
  const link = `socket:[${row?.[9]}]`;
  const found = childrenOf(server).find(({ pid }) =>
    readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === link;
      } catch {
        return false; // closed meanwhile
      }
    }),
  );
  return found?.title ?? 'nobody';
}

function octets({ mailbox }: NumberedOwner): number {
  const message = readFileSync(mailbox, 'latin1').replace(/^From .*\n/, '');
  return message
    .slice(0, -1)
    .replace(/^>(>*From )/gm, '$1')
    .replaceAll('\n', '\r\n').length;
}

test('a mailbox that a session has open is not converted, by root or by its owner; else by both, and clients notice nothing', {
  ...options,
  skip: skip || missing('setpriv', 'util-linux'),
}, async (t) => {
  const { server, one, tree } = await house(t, 61221);
  await fill(server, one.address, 'one', 'two', 'three');
  const asOwner = ['setpriv', '--reuid', String(one.uid), '--regid', String(one.gid), '--clear-groups'];
  const convert = (to: string, through: readonly string[]) =>
    postkasse(['mailbox', 'convert', one.address, '--to', to, '--config', server.settingsFile], { through });
  const client = await loggedIn(server, one.address);
  const ids = await client.uniqueIds();
  for (const through of [[], asOwner]) {
    assert.deepEqual(await convert('maildir', through), { status: 75, out: '', err: 'postkasse: another session has this maildrop\n' });
  }
  await client.ok('QUIT');
  await client.drop();

  for (const [to, through, kept] of [
    ['maildir', [], 'abc.old-mbox'],
    ['mbox', asOwner, 'abc.old-maildir'],
    ['maildir', asOwner, 'abc.old-mbox-2'],
    ['mbox', [], 'abc.old-maildir-2'],
  ] as const) {
    const path = join(tree.folder, 'spool', 'one.example', kept);
    const out = `3 messages converted to ${to}; the old mailbox is kept as ${path}\n`;
    assert.deepEqual(await convert(to, through), { status: 0, out, err: '' });
    for (const file of [one.mailbox, path]) assert.match(whose(file), /^61221:61221 [67]00$/);
    const reader = await loggedIn(server, one.address);
    assert.deepEqual(await reader.uniqueIds(), ids);
    assert.equal(nameOf(await reader.retrieve(3)), 'three');
    // While it is being read by us nobody else gets it.
    assert.deepEqual(await visit(server, one.address), [inUse]);
    await reader.ok('QUIT');
    await reader.drop();
  }
});

test('SIGTERM: sessions and deliveries at work come to their end, nobody new comes in, and nothing is left behind', options, async (t) => {
  const { server, one, other } = await house(t, 61231, { '': ['stop_grace_s = 3600', 'fronts = 1'] });
  await fill(server, one.address, 'one', 'two');
  const reader = await loggedIn(server, one.address);
  assert.equal(await reader.command('DELE 1'), '+OK message 1 deleted');
  const stranger = clientOf(t, { port: server.ports.pop3 });
  await stranger.line();
  const sender = clientOf(t, { port: server.ports.lmtp });
  await sender.line();
  sender.write(`LHLO a.example\r\nMAIL FROM:<ada@example.org>\r\nRCPT TO:<${one.address}>\r\nRCPT TO:<${other.address}>\r\nDATA\r\n`);
  for (let line = await sender.line(); !line?.startsWith('354'); line = await sender.line()) assert.ok(line);
  const content = composed('at the last moment').toString('latin1').replace(/^\./gm, '..');
  sender.write(Buffer.from(content.slice(0, 100), 'latin1'));
  const children = childrenOf(server).map(({ pid }) => pid);

  const stopped = server.stop();
  assert.equal(await stranger.line(), undefined);
  const [refused] = (await once(connect(server.ports.pop3, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
  assert.equal(refused.code, 'ECONNREFUSED');
  sender.write(Buffer.from(`${content.slice(100)}.\r\n`, 'latin1'));
  for (const _ of [one, other]) assert.match((await sender.line()) ?? 'closed', /^250 2\.0\.0 /);
  assert.equal(await reader.command('STAT').then((reply) => reply.split(' ')[1]), '1');
  assert.equal(await reader.command('QUIT'), '+OK goodbye (1 message left)');
  await reader.drop();
  assert.equal(await stopped, 0);
  await server.gone();
  assert.deepEqual(
    children.filter((pid) => titleOf(pid)?.startsWith('postkasse')),
    [],
  );
  assert.equal(
    readFileSync(one.mailbox, 'latin1')
      .match(/^Subject: .*$/gm)
      ?.join(),
    'Subject: two,Subject: at the last moment',
  );
  assert.equal(
    readFileSync(other.mailbox, 'latin1')
      .match(/^Subject: .*$/gm)
      ?.join(),
    'Subject: at the last moment',
  );
  assert.deepEqual(readdirSync(join(server.settingsFile, '..', 'run', 'owners')), []);
});

test('after the grace a session is cut off, nothing is removed, and no process stays', options, async (t) => {
  const { server, one } = await house(t, 61236, { '': ['stop_grace_s = 0'] });
  await fill(server, one.address, 'one', 'two');
  const before = readFileSync(one.mailbox);
  const reader = await loggedIn(server, one.address);
  assert.equal(await reader.command('DELE 1'), '+OK message 1 deleted');
  assert.equal(await server.stop(), 0);
  await assert.rejects(reader.command('QUIT'), ConnectionLost);
  await server.gone();
  assert.deepEqual(readFileSync(one.mailbox), before);
});

test('LOGIN-DELAY is kept for each mailbox, over fronts and generations; EXPIRE removes what was retrieved', options, async (t) => {
  const limits = { pop3: ['login_delay_s = 3600', 'expire_days = 0'] };
  const { server, one, other, reload, tree } = await house(t, 61241);
  await fill(server, one.address, 'one', 'two');
  await reload(limits);
  const client = await loggedIn(server, one.address);
  assert.deepEqual(
    (await client.rows('CAPA')).filter((row) => /^(EXPIRE|LOGIN-DELAY)/.test(row)),
    ['EXPIRE 0', 'LOGIN-DELAY 3600'],
  );
  await client.retrieve(1);
  assert.equal(await client.command('QUIT'), '+OK goodbye (1 message left)');
  await client.drop();
  assert.equal(
    readFileSync(one.mailbox, 'latin1')
      .match(/^Subject: .*$/gm)
      ?.join(),
    'Subject: two',
  );

  const tooSoon = ['-ERR [LOGIN-DELAY] too soon after the last login: 3600 seconds must lie between'];
  for (let n = 0; n < 6; n++) assert.deepEqual(await visit(server, one.address), tooSoon);
  await reload(limits);
  assert.deepEqual(await visit(server, one.address), tooSoon);
  assert.equal(whose(join(tree.folder, 'state', 'owners', '61241', 'logins', 'one.example', 'abc')), '61241:61241 600');
  for (const address of [other.address, 'def@one.example']) {
    assert.deepEqual(await visit(server, address), ['+OK 0 messages (0 octets)', '+OK 0 0', '+OK goodbye (maildrop empty)']);
  }
  await reload({});
  assert.equal((await visit(server, one.address)).at(-1), '+OK goodbye (1 message left)');
});
