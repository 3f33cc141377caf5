/** Stopping: who is at work may finish, nobody new comes in, and nothing is removed that no QUIT asked for. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { selfSignedFiles } from '../../src/net/selfSigned.ts';
import { clientOf, endedAfter, loggedIn, serving, smallTree } from './support/processes.ts';

const mbox = ['one', 'two'].map((word) => `From a@b.example  Sun Nov 22 12:00:00 2026\nSubject: ${word}\n\n${word}\n\n`);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal}: no new connections, the idle ones go, a QUIT within the grace updates; status 0`, async (t) => {
    const tree = smallTree(t);
    const mailbox = join(tree.folder, 'spool', 'kvt.dk', 'abc');
    writeFileSync(mailbox, mbox.join(''), { mode: 0o600 });
    tree.own();
    const server = await serving(t, { tree, protocols: ['pop3', 'lmtp'], settings: { '': ['stop_grace_s = 3600', 'fronts = 1'] } });
    const stranger = clientOf(t, { port: server.ports.pop3 });
    await stranger.line();
    const deliverer = clientOf(t, { port: server.ports.lmtp });
    await deliverer.line();
    const user = await loggedIn(t, server);
    await user.play('C: DELE 2\nS: +OK message 2 deleted');

    const stopped = server.stop(signal);
    assert.equal(await stranger.line(), undefined);
    await deliverer.play('S: 421 4.3.2 the server is shutting down\nS: (closed)');
    for (const port of [server.ports.pop3, server.ports.lmtp]) {
      const [error] = (await once(connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
      assert.equal(error.code, 'ECONNREFUSED');
    }
    await user.play('C: STAT\nS: +OK 1 21');
    await user.play('C: QUIT\nS: +OK goodbye (1 message left)\nS: (closed)');
    assert.equal(await stopped, 0);
    await server.gone();
    assert.equal(readFileSync(mailbox, 'latin1'), mbox[0]);
    assert.equal(readFileSync(join(tree.folder, 'run', 'postkasse.pid'), 'latin1'), '');
  });
}

test('after the grace a session is cut off, and nothing is removed', async (t) => {
  const tree = smallTree(t);
  const mailbox = join(tree.folder, 'spool', 'kvt.dk', 'abc');
  writeFileSync(mailbox, mbox.join(''), { mode: 0o600 });
  tree.own();
  const server = await serving(t, { tree, protocols: ['pop3'], settings: { '': ['stop_grace_s = 0'] } });
  const user = await loggedIn(t, server);
  await user.play('C: DELE 2\nS: +OK message 2 deleted');
  const stopped = server.stop();
  assert.equal(await user.line(), undefined);
  assert.equal(await stopped, 0);
  assert.equal(readFileSync(mailbox, 'latin1'), mbox.join(''));
});

test('a supervisor that is killed: its fronts end by themselves, and a new one can start at once', async (t) => {
  const server = await serving(t, { tree: smallTree(t), protocols: ['pop3', 'lmtp'] });
  const user = await loggedIn(t, server);
  process.kill(server.pid, 'SIGKILL');
  const second = endedAfter(t, await server.restart());
  const client = clientOf(t, { port: second.ports.pop3 });
  assert.match((await client.line()) ?? 'closed', /^\+OK /);
  // The session of before is one that is told to stop: it has its grace.
  await user.play('C: NOOP\nS: +OK\nC: QUIT\nS: +OK goodbye (maildrop empty)\nS: (closed)');
  await server.gone();
});

test('told to stop in the midst of a reload, it ends when that is done', async (t) => {
  const tree = smallTree(t);
  // As root, the supervisor looks for changed certificates itself.
  const { certificate, key } = await selfSignedFiles(join(tree.folder, 'state'), 'mail.example.org', new Date());
  tree.own();
  const tls = [`certificate = "${certificate}"`, `key = "${key}"`];
  const server = await serving(t, { tree, protocols: ['pop3'], settings: { tls } });
  process.kill(server.pid, 'SIGHUP');
  assert.equal(await server.stop(), 0);
  await server.gone();
});
