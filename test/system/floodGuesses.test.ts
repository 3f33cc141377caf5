/** A flood of wrong passwords, with domains of two owners: the rest is served, memory and log stay within bounds, and nobody's process is started for nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '../support/socketDialogue.ts';
import { houseOf, memoryOf, remarks, servedAsEver, times } from './support/floods.ts';
import { needsRoot as skip, workersOf } from './support/owners.ts';
import { authPlain } from './support/proxied.ts';

const wrong = '-ERR [AUTH] authentication failed';
const putOff = '-ERR [SYS/TEMP] too many attempts, try again later';

const addresses = 10_000;

test('wrong passwords from 10,000 addresses, for accounts, for nobody, and for domains that are none', {
  skip,
  timeout: 180_000,
}, async (t) => {
  const house = await houseOf(t, 64305);
  const { server, workers, owners } = house;
  const start = server.log().length;
  const before = memoryOf(server);
  const names = [owners[0]?.address ?? '', owners[1]?.address ?? '', 'nobody#@one.example', 'somebody@nowhere#.example'];
  const replies = new Map<string, number>();
  let next = 0;
  let grownEarly = 0;
  const guessing = times(300, async () => {
    for (let n = next++; n < addresses; n = next++) {
      const client = new Client({
        port: server.ports.pop3,
        host: '127.0.0.1',
        localAddress: `127.${1 + (n % 200)}.${n >> 8}.${1 + (n % 250)}`,
      });
      await client.line();
      const reply = (await authPlain(client, names[n % names.length]?.replace('#', String(n)) ?? '', `guess ${n}`)) ?? 'closed';
      replies.set(reply, (replies.get(reply) ?? 0) + 1);
      await client.end();
      if (n === 2000) grownEarly = memoryOf(server) - before;
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
  assert.equal(looked + (replies.get(putOff) ?? 0), addresses);
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
  // Five processes, each of which lets garbage lie for a while: what is kept of an address is less than a tenth of this.
  assert.ok(grownEarly > 0 && grownEarly < 150, `${grownEarly} MB for 2,000 addresses`);
  const grown = memoryOf(server) - before;
  assert.ok(grown < 300, `${grown} MB for ${addresses} addresses`);
  await servedAsEver(house);
});
