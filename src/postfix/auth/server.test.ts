/** Connections of the auth protocol over real sockets: limits, lines in pieces, stopping. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { SaslClient } from '../../../test/support/saslClient.ts';
import { FakeClock } from '../../admission/fakes.test.ts';
import type { LogFields } from '../../model/log.ts';
import { type LoginGate, openGate } from '../../model/loginGate.ts';
import { Networks } from '../../model/networks.ts';
import { noAuthCounts } from '../../model/report.ts';
import { listeningSockets } from '../../os/sockets.ts';
import { fakeDirectory } from '../../sasl/fakes.test.ts';
import { createSpeaker } from '../../texts/speaker.ts';
import { AuthServer, type AuthServerOptions } from './server.ts';

async function served(t: TestContext, more: Partial<AuthServerOptions> = {}, gate: LoginGate = openGate) {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-auth-'));
  const path = join(folder, 'auth');
  const events: [string, LogFields][] = [];
  const add = (event: string, fields: LogFields = {}) => void events.push([event, fields]);
  const clock = new FakeClock();
  const traced: string[] = [];
  const server = new AuthServer({
    host: {
      directory: fakeDirectory(new Map([['ada', 'lovelace']])),
      gate,
      speaker: createSpeaker(),
      log: { debug: add, info: add, warn: add, error: add },
      clock,
      random: (octets) => Buffer.alloc(octets, 0x61),
      hostname: 'mail.example.org',
      mechanisms: undefined,
      plaintextNetworks: new Networks(),
      isOverloaded: () => false,
      counts: noAuthCounts(),
      processId: 1,
    },
    maxConnections: 10,
    idleTimeoutMs: 60_000,
    trace: (connection, line) => void traced.push(`${connection} ${line}`),
    ...more,
  });
  const { fds } = await listeningSockets({ path }, 1);
  await server.listen(fds[0] ?? assert.fail());
  t.after(async () => {
    await server.stop(0);
    rmSync(folder, { recursive: true });
  });
  const connect = async () => {
    const client = await SaslClient.connect({ path });
    t.after(() => client.close());
    return client;
  };
  return { server, connect, events, clock, traced, path };
}

const ok = (id: number) => `OK\t${id}\tuser=ada`;
/** Wrong passwords wait for the clock of the test. */
const slowGate: LoginGate = {
  ...openGate,
  enter: () => ({ failed: () => ({ heldBackMs: 2000, isRepeated: false }), succeeded() {}, ended() {} }),
};

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

test('lines come in any pieces, and several at a time', async (t) => {
  const { connect } = await served(t);
  const client = await connect();
  const response = Buffer.from('\0ada\0lovelace').toString('base64');
  const lines = [1, 2, 3].map((id) => `AUTH\t${id}\tPLAIN\tservice=smtp\tsecured\tresp=${response}\n`).join('');
  for (const octet of lines) {
    client.write(octet);
    await turn();
  }
  assert.deepEqual([await client.line(), await client.line(), await client.line()], [ok(1), ok(2), ok(3)]);
  client.write(lines);
  assert.deepEqual([await client.line(), await client.line(), await client.line()], [ok(1), ok(2), ok(3)]);
});

test('a line may have 16,384 octets with its end, and no more', async (t) => {
  const { connect, events } = await served(t);
  const line = `AUTH\t1\tPLAIN\tservice=smtp\tsecured\tresp=${Buffer.from('\0ada\0lovelace').toString('base64')}`;
  const padded = (octets: number) => line.replace('\tsecured', `\tx=${'y'.repeat(octets - 1 - line.length - 3)}\tsecured`);
  const good = await connect();
  assert.equal(padded(16_384).length, 16_383);
  good.write(`${padded(16_384)}\n`);
  assert.equal(await good.line(), ok(1));
  for (const octets of [`${padded(16_385)}\n`, 'x'.repeat(100_000)]) {
    const bad = await connect();
    bad.write(octets);
    assert.equal(await bad.line(), undefined);
  }
  const malformed = events.filter(([event]) => event === 'smtp-auth.malformed').map(([, { reason }]) => reason);
  assert.deepEqual(malformed, ['a line that is too long', 'a line that is too long']);
});

test('one connection too many is closed, and there is room again when one has gone', async (t) => {
  const { connect, events, server } = await served(t, { maxConnections: 2 });
  const [first] = [await connect(), await connect()];
  await assert.rejects(connect());
  assert.deepEqual(
    events.filter(([event]) => event === 'smtp-auth.too-many'),
    [['smtp-auth.too-many', { connections: 2 }]],
  );
  assert.deepEqual(server.counts(), {
    states: [{ protocol: 'sasl', state: 'idle', connections: 2 }],
    accepted: 2,
    turnedAway: 1,
    counts: noAuthCounts(),
  });
  first?.close();
  await until(() => server.counts().states[0]?.connections === 1);
  await connect();
});

test('who says nothing for too long is let go, but not while something is under way', async (t) => {
  const { connect, clock } = await served(t, { idleTimeoutMs: 50 }, slowGate);
  const idle = await connect();
  const busy = await connect();
  const answer = busy.plain(1, '198.51.100.7', 'ada', 'wrong');
  assert.equal(await idle.line(), undefined);
  await until(() => clock.timers > 0);
  clock.pass(2000);
  assert.equal(await answer, 'FAIL\t1\tuser=ada\treason=wrong name or password');
});

test('at a stop idle connections are closed, and what is under way is answered first', async (t) => {
  const { connect, clock, server } = await served(t, {}, slowGate);
  const idle = await connect();
  const busy = await connect();
  const answer = busy.plain(1, '198.51.100.7', 'ada', 'wrong');
  await until(() => clock.timers > 0);
  const drained = server.drain();
  assert.equal(await idle.line(), undefined);
  await until(() => server.counts().states.length === 1);
  assert.deepEqual(server.counts().states, [{ protocol: 'sasl', state: 'busy', connections: 1 }]);
  clock.pass(2000);
  assert.equal(await answer, 'FAIL\t1\tuser=ada\treason=wrong name or password');
  assert.equal(await busy.line(), undefined);
  await drained;
});

test('at a reload a connection that is in use goes on until it is quiet: a login that crosses our goodbye is answered', async (t) => {
  const { connect, server } = await served(t, {});
  const client = await connect();
  const drained = server.drain();
  for (const id of [1, 2]) assert.equal(await client.plain(id, '198.51.100.7', 'ada', 'lovelace'), ok(id));
  assert.equal(await client.line(), undefined);
  await drained;
});

test('and cut off when the time for it is up', async (t) => {
  const { connect, clock, server } = await served(t, {}, slowGate);
  const busy = await connect();
  const answer = busy.plain(1, '198.51.100.7', 'ada', 'wrong');
  await until(() => clock.timers > 0);
  await server.stop(0);
  assert.equal(await answer, undefined);
});

test('a trace shows the dialogue without what stands for a password', async (t) => {
  const { connect, traced } = await served(t);
  const client = await connect();
  assert.equal(await client.plain(1, '198.51.100.7', 'ada', 'lovelace'), ok(1));
  assert.deepEqual(traced.slice(-2), [
    '1 C: AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=192.0.2.25\trip=198.51.100.7\tsecured\tresp=(secret)',
    '1 S: OK\t1\tuser=ada',
  ]);
  assert.ok(!traced.join().includes(Buffer.from('lovelace').toString('base64')));
});

test('a client that doesn’t read fills its own buffers, not our memory', async (t) => {
  const { connect } = await served(t);
  const client = await connect();
  client.pause();
  const flood = Array.from({ length: 1000 }, (_, n) => `CONT\t${n + 1}\tYWRh\n`).join('');
  let rounds = 0;
  while (client.write(flood)) {
    rounds++;
    assert.ok(rounds < 1000, 'all of it was taken');
    await turn();
  }
  client.resume();
  assert.equal(await client.line(), 'FAIL\t1\treason=there is no such request');
});
