/** A front that is killed takes its own connections with it and nothing else: it is started again, and nobody is refused meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pop3Client } from './support/pop3Client.ts';
import { makeTree, type Server, startServer } from './support/server.ts';

const password = 'secret';
/** The kernel deals them out; that one of two fronts gets none of so many happens once in 2^31 times. */
const users = Array.from({ length: 32 }, (_, n) => `user${n}`);

test('a front is killed: it is started again, sessions of the other go on, no connection is refused', { timeout: 180_000 }, async (t) => {
  const tree = makeTree({ passwd: new Map([['kvt.dk', users.map((user) => `${user}:{PLAIN}${password}:UID:GID::.:`)]]) });
  const server = await startServer({ tree, protocols: ['pop3'] });
  t.after(async () => {
    await server.stop('SIGKILL');
    await server.gone();
    tree.remove();
  });
  const fronts = server.fronts();
  assert.equal(fronts.length, 2);
  const [killed = 0, spared = 0] = fronts;
  const sessions = await Promise.all(users.map((user) => login(server, user)));

  const died = server.logged(/ front\.died /);
  const restarted = server.logged(/ front\.restarted /);
  process.kill(killed, 'SIGKILL');
  assert.match(await died, new RegExp(` pid=${killed} .*signal=SIGKILL`));

  // Before its successor is there: some of these are for it and wait.
  const greeted = users.map(() => Pop3Client.connect(server.ports.pop3));
  const alive = await Promise.all(
    sessions.map((session) =>
      session.command('NOOP').then(
        (reply) => reply.startsWith('+OK'),
        () => false,
      ),
    ),
  );
  assert.ok(alive.includes(true) && alive.includes(false), alive.join(' '));
  for (const client of await Promise.all(greeted)) await client.drop();

  const successor = Number(/ pid=(\d+)/.exec(await restarted)?.[1]);
  assert.deepEqual([...server.fronts()].sort(), [spared, successor].sort());

  // Who was cut off can log in at once: a dead process holds no maildrop. Who was not still has theirs.
  for (const [n, user] of users.entries()) {
    const again = await Pop3Client.login(server.ports.pop3, `${user}@kvt.dk`, password);
    assert.equal(again === undefined, alive[n], user);
    await again?.drop();
  }
  for (const [n, session] of sessions.entries()) {
    if (alive[n]) assert.match(await session.command('QUIT'), /^\+OK/);
    await session.drop();
  }
  assert.equal(await server.stop(), 0);
});

async function login(server: Server, user: string): Promise<Pop3Client> {
  const client = await Pop3Client.login(server.ports.pop3, `${user}@kvt.dk`, password);
  assert.ok(client);
  return client;
}
