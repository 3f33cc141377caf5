/** SIGHUP: new settings, texts and listeners for those who come, while nobody is refused and nobody is cut off. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client } from '../support/socketDialogue.ts';
import { clientOf, loggedIn, serving, smallTree } from './support/processes.ts';
import { freePort, type Server, writeSettings } from './support/server.ts';

const reloads = new WeakMap<Server, number>();

async function reload(server: Server): Promise<void> {
  const nth = (reloads.get(server) ?? 0) + 1;
  reloads.set(server, nth);
  process.kill(server.pid, 'SIGHUP');
  await server.logged(/ supervisor\.reloaded /, nth);
}

/** Comes and goes until told to stop. @returns how many greetings there were; nothing but greetings is accepted */
function visitor(port: number): () => Promise<number> {
  let stopped = false;
  const visits = (async () => {
    let count = 0;
    for (; !stopped; count++) {
      const client = new Client({ port, host: '127.0.0.1' });
      assert.match((await client.line()) ?? `refused after ${count}`, /^\+OK /);
      client.write('QUIT\r\n');
      assert.equal(await client.line(), '+OK goodbye');
      await client.end();
    }
    return count;
  })();
  return () => {
    stopped = true;
    return visits;
  };
}

test('more fronts, fewer fronts, another name: nobody is refused meanwhile, and old sessions go on', async (t) => {
  const tree = smallTree(t);
  const server = await serving(t, { tree, protocols: ['pop3', 'lmtp'], settings: { '': ['fronts = 1'] } });
  const options = (...top: string[]) => ({ tree, protocols: ['pop3', 'lmtp'] as const, settings: { '': top } });
  const [before] = server.fronts();
  const stranger = clientOf(t, { port: server.ports.pop3 });
  await stranger.line();
  const user = await loggedIn(t, server);
  const deliverer = clientOf(t, { port: server.ports.lmtp });
  await deliverer.line();
  const stop = visitor(server.ports.pop3);

  await writeSettings(options('fronts = 3', 'hostname = "new.example.org"', 'stop_grace_s = 0'), server.ports);
  await reload(server);
  assert.equal(server.fronts().length, 4);
  const late = clientOf(t, { port: server.ports.lmtp });
  await late.play('S: 220 new.example.org LMTP');
  await writeSettings(options('fronts = 2', 'hostname = "newer.example.org"', 'stop_grace_s = 0'), server.ports);
  await reload(server);
  assert.ok((await stop()) > 0);

  // Two generations later they have noticed nothing.
  await stranger.play('C: STAT\nS: -ERR log in first');
  await user.play('C: STAT\nS: +OK 0 0\nC: QUIT\nS: +OK goodbye (maildrop empty)\nS: (closed)');
  await deliverer.play('C: LHLO a\nS: 250-mail.example.org');
  await deliverer.end();
  await stranger.end();
  await late.end();
  while (server.fronts().length > 2) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(!server.fronts().includes(before ?? 0));
  assert.equal(await server.stop(), 0);
});

test('listeners come and go, and one that is no longer in the settings gives its port back', async (t) => {
  const tree = smallTree(t);
  const socket = join(tree.folder, 'lmtp');
  const server = await serving(t, { tree, protocols: ['pop3', 'lmtp'], lmtpSocket: socket });
  const ports = { ...server.ports, smtp: await freePort() };
  await writeSettings({ tree, protocols: ['pop3', 'smtp'], lmtpSocket: socket }, ports);
  await reload(server);
  for (const [where, greeting] of [
    [{ port: ports.pop3 }, /^\+OK /],
    [{ port: ports.smtp }, /^220 mail\.example\.org ESMTP/],
    [{ path: socket }, /^220 mail\.example\.org LMTP/],
  ] as const) {
    assert.match((await clientOf(t, where).line()) ?? 'closed', greeting);
  }
  const port = createServer().listen(ports.lmtp, '127.0.0.1');
  await once(port, 'listening');
  port.close();
  await once(port, 'close');
});

test('a mistake in the settings, or a port that is taken, changes nothing, and the log says which', async (t) => {
  const tree = smallTree(t);
  const server = await serving(t, { tree, protocols: ['pop3'] });
  const fronts = server.fronts();
  const good = readFileSync(server.settingsFile, 'utf8');

  writeFileSync(server.settingsFile, `${good}\n[pop3]\nidle_timeout_s = 0\n`);
  process.kill(server.pid, 'SIGHUP');
  const line = good.split('\n').length + 2;
  const bad = await server.logged(/ supervisor\.bad-settings /);
  assert.ok(bad.includes(`${server.settingsFile}:${line}: pop3.idle_timeout_s cannot be 0; allowed: a whole number from 1 to 86400`), bad);

  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const address = other.address();
  const taken = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  writeFileSync(server.settingsFile, `${good}\n[[listen]]\nprotocol = "smtp"\naddress = "${taken}"\n`);
  process.kill(server.pid, 'SIGHUP');
  const failed = await server.logged(/ supervisor\.reload-failed /);
  assert.ok(failed.endsWith(`problem="smtp ${taken}: another program listens there already"`), failed);

  assert.deepEqual(server.fronts(), fronts);
  assert.match((await clientOf(t, { port: server.ports.pop3 }).line()) ?? 'closed', /^\+OK /);
});

test('a language whose texts are put beside the settings is there after SIGHUP', async (t) => {
  const tree = smallTree(t);
  const server = await serving(t, { tree, protocols: ['pop3'] });
  mkdirSync(join(tree.folder, 'texts'));
  writeFileSync(join(tree.folder, 'texts', 'sv.toml'), 'name = "Svenska"\n[texts]\n"goodbye" = "hej då"\n');
  const before = clientOf(t, { port: server.ports.pop3 });
  await before.line();
  await before.play('C: LANG sv\nS: -ERR that language is not spoken here');
  await reload(server);
  const after = clientOf(t, { port: server.ports.pop3 });
  await after.line();
  after.write('LANG sv\r\nQUIT\r\n');
  assert.match((await after.line()) ?? 'closed', /^\+OK sv /);
  assert.equal(await after.line(), `+OK ${Buffer.from('hej då').toString('latin1')}`);
});

test('connections that were made while the old fronts were leaving are answered', async (t) => {
  const tree = smallTree(t);
  const server = await serving(t, { tree, protocols: ['pop3'] });
  process.kill(server.pid, 'SIGHUP');
  const sockets = Array.from({ length: 100 }, () => connect(server.ports.pop3, '127.0.0.1'));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (const socket of sockets) {
    const [greeting] = (await once(socket, 'data')) as [Buffer];
    assert.match(greeting.toString(), /^\+OK /);
  }
});
