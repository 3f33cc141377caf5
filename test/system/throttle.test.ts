/** Guessing against the real program: two fronts, many addresses, PROXY protocol, a restart. */
import assert from 'node:assert/strict';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Client } from '../support/socketDialogue.ts';
import { clientOf, endedAfter, fieldsOf, serving, smallTree } from './support/processes.ts';
import { authPlain, connectFrom, servingProxied } from './support/proxied.ts';
import type { Server } from './support/server.ts';

const wrong = '-ERR [AUTH] authentication failed';
const inside = '+OK 0 messages (0 octets)';
const putOff = '-ERR [SYS/TEMP] too many attempts, try again later';

/** From any address of the host itself; greeted already. */
async function connectLocally(t: TestContext, server: Server, localAddress: string): Promise<Client> {
  const client = new Client({ port: server.ports.pop3, host: '127.0.0.1', localAddress });
  t.after(() => client.end());
  assert.match((await client.line()) ?? 'closed', /^\+OK /);
  return client;
}

/** A whole session of the owner. */
async function fetchMail(t: TestContext, server: Server, localAddress: string): Promise<void> {
  const client = await connectLocally(t, server, localAddress);
  await client.play(`C: USER abc@kvt.dk\nS: +OK now the password\nC: PASS secret\nS: ${inside}\nC: QUIT\nS: +OK goodbye (maildrop empty)`);
}

/** Logins that were made to wait before they were looked at, by the address they came from. */
function waitsIn(server: Server): string[] {
  return Array.from(server.log().matchAll(/ pop3\.login-waits session=\S+ remote=(\S+) /g), ([, remote = '']) => remote);
}

test('300 addresses guess at one account: its owner comes in from home meanwhile, at whichever front', async (t) => {
  const settings = { login: ['failure_delay_ms = 1000'], log: ['level = "debug"'] };
  const server = await serving(t, { tree: smallTree(t), protocols: ['pop3'], settings });
  const home = '127.9.9.9';
  await fetchMail(t, server, home);

  const guessers = await Promise.all(Array.from({ length: 300 }, (_, n) => connectLocally(t, server, `127.${1 + (n % 6)}.${n >> 1}.1`)));
  const replies: (string | undefined)[] = [];
  const mostAnswered = Promise.withResolvers<void>();
  for (const [n, client] of guessers.entries()) {
    void authPlain(client, 'abc@kvt.dk', `guess ${n}`).then((reply) => {
      replies.push(reply);
      // 72 may have to wait for longer.
      if (replies.length === 300 - 72) mostAnswered.resolve();
    });
  }
  await server.logged(/ throttle\.account-attacked account=abc@kvt\.dk/);
  // Twelve in a row: each front has some of them, but for once in two thousand times.
  for (let n = 0; n < 12; n++) await fetchMail(t, server, home);

  await mostAnswered.promise;
  assert.deepEqual(new Set(replies), new Set([wrong, putOff]));
  // Ten at each front before the door was there; whoever else was looked at had waited behind it.
  const lookedAt = replies.filter((reply) => reply === wrong).length;
  const waits = waitsIn(server);
  assert.ok(lookedAt <= 2 * 10 + waits.length, `${lookedAt} were looked at, ${waits.length} waited`);
  assert.notEqual(waits.length, 0);
  assert.equal(waits.includes(home), false, 'the owner waits nowhere');
});

/** Sources with failures that each of the two fronts knows of. */
async function sourcesKnown(server: Server, reportsSoFar: number): Promise<number[]> {
  process.kill(server.pid, 'SIGUSR2');
  const reports = [await server.logged(/ house\.state /, reportsSoFar + 1), await server.logged(/ house\.state /, reportsSoFar + 2)];
  return reports.map((line) => Number(fieldsOf(line).get('throttledSources')));
}

test('failures of a source count in both fronts; IPv6 sources are /64, seen through a load balancer', async (t) => {
  const server = await servingProxied(t, {
    tree: smallTree(t),
    settings: { login: ['failure_delay_ms = 100', 'plaintext_networks = ["::/0"]'], log: ['level = "debug"'] },
  });
  let guesses = 0;
  /** @returns for how many ms the reply was held back, and the number of the connection in its front */
  const guess = async (address: string, login: string): Promise<[number, string]> => {
    const client = await connectFrom(t, server, address);
    assert.equal(await authPlain(client, login, 'guess'), wrong);
    await client.end();
    guesses++;
    const held = fieldsOf(await server.logged(/ net\.login-held-back /, guesses));
    return [Number(held.get('ms')), held.get('connection') ?? ''];
  };
  const numbers: string[] = [];
  let reports = 0;
  for (let source = 1; source <= 8; source++) {
    const [first, one] = await guess(`2001:db8:0:${source}::1`, 'abc@kvt.dk');
    for (let known: number[] = []; known.join() !== `${source},${source}`; reports += 2) known = await sourcesKnown(server, reports);
    // Another address of the same /64, another account, another connection.
    const [second, two] = await guess(`2001:db8:0:${source}::2`, 'kvt@kvt.dk');
    assert.deepEqual([first, second], [100, 200], `source ${source}`);
    numbers.push(one, two);
  }
  // Each front numbers its connections from 1 on: where all came to the same one, each number would be another.
  assert.ok(new Set(numbers).size < numbers.length, numbers.join(' '));
});

test('what a load balancer does for itself is neither slowed down nor counted nor limited; its clients are', async (t) => {
  const server = await servingProxied(t, {
    tree: smallTree(t),
    settings: {
      '': ['fronts = 1'],
      login: ['failure_delay_ms = 20', 'max_failures = 100', 'plaintext_networks = ["0.0.0.0/0"]'],
      limits: ['connections_per_source = 1'],
      log: ['level = "debug"'],
    },
  });
  /** As PROXY protocol version 1 says that it is nobody's connection but the proxy's. */
  const speakingForItself = async (): Promise<Client> => {
    const client = clientOf(t, { port: server.ports.pop3 });
    client.write('PROXY UNKNOWN\r\n');
    assert.match((await client.line()) ?? 'closed', /^\+OK POP3 server ready <\S+>$/);
    return client;
  };
  const checks = [await speakingForItself(), await speakingForItself(), await speakingForItself()];
  for (let n = 0; n < 15; n++) {
    for (const [nth, check] of checks.entries()) assert.equal(await authPlain(check, 'abc@kvt.dk', `guess ${n} ${nth}`), wrong);
  }
  const held = server.log().matchAll(/ net\.login-held-back .* ms=(\d+)/g);
  assert.deepEqual(
    Array.from(held, ([, ms]) => ms),
    Array(45).fill('20'),
  );
  process.kill(server.pid, 'SIGUSR2');
  const state = fieldsOf(await server.logged(/ house\.state /));
  assert.deepEqual([state.get('throttledSources'), state.get('accountsUnderAttack')], ['0', '0']);

  const client = await connectFrom(t, server, '192.0.2.1');
  assert.equal(await authPlain(client, 'abc@kvt.dk', 'guess'), wrong);
  await assert.rejects(connectFrom(t, server, '192.0.2.1'), { message: 'greeting: -ERR [SYS/TEMP] too many connections, try again later' });
  process.kill(server.pid, 'SIGUSR2');
  assert.equal(fieldsOf(await server.logged(/ house\.state /, 2)).get('throttledSources'), '1');
});

test('a restart forgets neither who is guessed at nor who belongs there', async (t) => {
  const tree = smallTree(t);
  const settings = { login: ['failure_delay_ms = 200'], log: ['level = "debug"'] };
  const server = await serving(t, { tree, protocols: ['pop3'], settings });
  const home = '127.9.9.9';
  await fetchMail(t, server, home);
  for (let n = 0; n < 14; n++) {
    const client = await connectLocally(t, server, `127.1.${n}.1`);
    assert.equal(await authPlain(client, 'abc@kvt.dk', `guess ${n}`), wrong);
    await client.end();
  }
  await server.stop();
  await server.gone();
  assert.equal(statSync(join(tree.folder, 'state', 'throttle')).mode & 0o777, 0o600);

  const again = endedAfter(t, await server.restart());
  const stranger = await connectLocally(t, again, '127.2.0.1');
  assert.equal(await authPlain(stranger, 'abc@kvt.dk', 'secret'), inside, 'with the right password a stranger comes in after a wait');
  await stranger.play('C: QUIT\nS: +OK goodbye (maildrop empty)');
  await fetchMail(t, again, home);
  assert.deepEqual(waitsIn(again), ['127.2.0.1'], 'the owner does not wait');
});

test('a broken state file costs a line in the log', async (t) => {
  const tree = smallTree(t);
  const server = await serving(t, { tree, protocols: ['pop3'], settings: { '': ['fronts = 1'] } });
  await fetchMail(t, server, '127.9.9.9');
  await server.stop();
  await server.gone();
  const file = join(tree.folder, 'state', 'throttle');
  assert.ok(existsSync(file));
  writeFileSync(file, 'nonsense');
  tree.own();
  const again = endedAfter(t, await server.restart());
  await again.logged(/ warn {2}throttle\.state-ignored file=\S+\/state\/throttle octets=8/);
  await fetchMail(t, again, '127.9.9.9');
});

test('a stop cuts off who waits, and does not wait for them', async (t) => {
  const settings = { '': ['fronts = 1', 'stop_grace_s = 600'], login: ['failure_delay_ms = 15000'] };
  const server = await serving(t, { tree: smallTree(t), protocols: ['pop3'], settings });
  const clients = await Promise.all(Array.from({ length: 12 }, (_, n) => connectLocally(t, server, `127.1.${n}.1`)));
  for (const client of clients) client.write('USER abc@kvt.dk\r\nPASS guess\r\n');
  for (const client of clients) assert.equal(await client.line(), '+OK now the password');
  await server.logged(/ throttle\.account-attacked /);
  const stopped = server.stop();
  for (const client of clients) assert.equal(await client.line(), undefined);
  assert.equal(await stopped, 0);
});
