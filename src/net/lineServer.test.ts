import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { type ConnectionCounts, createLocalCounts } from '../model/connectionCounts.ts';
import type { Log } from '../model/log.ts';
import { Networks } from '../model/networks.ts';
import { Client, FakeDialogue, ok, serve, settled } from './fakes.test.ts';

function recording(into: [string, unknown][]): Log {
  const add = (event: string, fields?: unknown) => into.push([event, fields]);
  return { debug() {}, info() {}, warn: add, error: add };
}

/** Each wrong password waits for so long. */
function holdingBack(heldBackMs: number): FakeDialogue {
  const dialogue = new FakeDialogue();
  dialogue.answers.set('GUESS', () => ({ status: '-ERR', line: 'no', penalty: 'auth', heldBackMs }));
  return dialogue;
}

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'));

test('a failed login is held back from its arrival on, and nothing behind it runs meanwhile', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const clock = { now: 1000 };
  const dialogue = new FakeDialogue();
  const hashed = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  dialogue.answers.set('GUESS', async () => {
    asked.resolve();
    await hashed.promise;
    return { status: '-ERR', line: 'no', penalty: 'auth', heldBackMs: 2000 };
  });
  const { port, server } = await serve(t, { dialogue, clock: () => clock.now });
  const client = await Client.connect(port);
  await client.line();
  client.send('GUESS 1\r\nGUESS 2\r\nQUIT\r\n');
  await asked.promise;
  // Working out that it is wrong takes 300 ms; the client can't see that.
  clock.now = 1300;
  hashed.resolve();
  await settled(() => server.bytes.sent);
  t.mock.timers.tick(1699);
  await settled(() => server.bytes.sent);
  assert.equal(client.waiting, 0);
  assert.deepEqual(dialogue.sessions[0]?.lines, ['GUESS 1']);
  clock.now = 3000;
  t.mock.timers.tick(1);
  assert.equal(await client.line(), '-ERR no');
  await settled(() => server.bytes.sent);
  assert.deepEqual(dialogue.sessions[0]?.lines, ['GUESS 1', 'GUESS 2']);
  t.mock.timers.tick(1999);
  await settled(() => server.bytes.sent);
  assert.equal(client.waiting, 0);
  t.mock.timers.tick(1);
  assert.equal(await client.rest(), '-ERR no\r\n+OK bye\r\n');
});

test('somebody else who guesses does not delay who knows the password', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { port, dialogue } = await serve(t, { dialogue: holdingBack(2000), clock: () => 0 });
  const guesser = await Client.connect(port);
  guesser.send('GUESS\r\n');
  await guesser.line();
  await settled(() => dialogue.sessions[0]?.lines.length ?? 0);
  const owner = await Client.connect(port);
  owner.send('LOGIN\r\nQUIT\r\n');
  assert.equal(await owner.rest(), '+OK hello\r\n+OK in\r\n+OK bye\r\n');
  assert.equal(guesser.waiting, 0);
});

test('after max_failures the connection is closed with words, and commands behind are not executed', async (t) => {
  const { port, dialogue } = await serve(t, { settings: { maxFailures: 3 } });
  const client = await Client.connect(port);
  client.send('GUESS 1\r\nGUESS 2\r\nNOOP\r\nGUESS 3\r\nGUESS 4\r\nQUIT\r\n');
  assert.equal(await client.rest(), '+OK hello\r\n-ERR no\r\n-ERR no\r\n+OK NOOP\r\n-ERR [AUTH] enough\r\n');
  assert.deepEqual(dialogue.sessions[0]?.lines, ['GUESS 1', 'GUESS 2', 'NOOP', 'GUESS 3']);
});

test('a client that leaves while its failed login is held back is gone at once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { port, dialogue, server } = await serve(t, { dialogue: holdingBack(2000), clock: () => 0 });
  const client = await Client.connect(port);
  client.send('GUESS\r\n');
  while (dialogue.sessions[0]?.lines.length !== 1) await new Promise(setImmediate);
  client.socket.resetAndDestroy();
  while (server.counts().connections > 0) await new Promise(setImmediate);
  assert.equal(dialogue.gone.length, 1);
});

test('a client that leaves while its command is worked on is told of at once, and put away when that is done', async (t) => {
  const dialogue = new FakeDialogue();
  const asked = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  dialogue.answers.set('WAIT', async () => {
    asked.resolve();
    await release.promise;
    return ok('waited');
  });
  const { port, server } = await serve(t, { dialogue });
  const client = await Client.connect(port);
  client.send('WAIT\r\n');
  await asked.promise;
  client.socket.resetAndDestroy();
  while (dialogue.lostWhileAnswering.length === 0) await new Promise(setImmediate);
  assert.deepEqual([dialogue.lostWhileAnswering, dialogue.gone], [dialogue.sessions, []]);
  release.resolve();
  while (server.counts().connections > 0) await new Promise(setImmediate);
  assert.deepEqual([dialogue.lostWhileAnswering, dialogue.gone], [dialogue.sessions, dialogue.sessions]);
});

test('the dialogue is told who the client behind a proxy is, and when it is the proxy itself', async (t) => {
  const { port, dialogue } = await serve(t, { listen: { proxyFrom: new Networks(['127.0.0.1']) } });
  const headers = ['TCP4 192.0.2.1 192.0.2.9 1 110', 'TCP6 2001:db8::1 2001:db8::9 1 110', 'UNKNOWN'];
  for (const header of headers) {
    const client = await Client.connect(port);
    client.send(`PROXY ${header}\r\nQUIT\r\n`);
    assert.equal(await client.rest(), '+OK hello\r\n+OK bye\r\n');
  }
  assert.deepEqual(
    dialogue.sessions.map(({ facts: { remoteAddress, isProxy, arrival } }) => [remoteAddress, isProxy, arrival.remoteAddress]),
    [
      ['192.0.2.1', false, '192.0.2.1'],
      ['2001:db8::1', false, '2001:db8::1'],
      ['127.0.0.1', true, '127.0.0.1'],
    ],
  );
});

test('PROXY header: the client it names is the client, however it is cut, before TLS or plaintext', async (t) => {
  const dialogue = new FakeDialogue();
  const { port } = await serve(t, { dialogue, listen: { proxyFrom: new Networks(['127.0.0.0/8']) } });
  const versionTwo = Buffer.from('0d0a0d0a000d0a515549540a2111000cc0000201c6336402dc04006e', 'hex');
  for (const header of [Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 56324 110\r\n'), versionTwo]) {
    const client = await Client.connect(port);
    for (const octet of Buffer.concat([header, Buffer.from('NOOP\r')])) {
      client.send(Buffer.from([octet]));
      await new Promise(setImmediate);
    }
    client.send('\nQUIT\r\n');
    assert.equal(await client.rest(), '+OK hello\r\n+OK NOOP\r\n+OK bye\r\n');
  }
  for (const { facts } of dialogue.sessions) {
    assert.deepEqual([facts.remoteAddress, facts.arrival.localAddress, facts.secure], ['192.0.2.1', '198.51.100.2', false]);
  }
});

test('PROXY header: required from the listed, meaningless from others, and junk closes with a line in the log', async (t) => {
  const recorded: [string, unknown][] = [];
  const { port, dialogue } = await serve(t, { log: recording(recorded), listen: { proxyFrom: new Networks(['127.0.0.2']) } });
  const stranger = await Client.connect(port);
  stranger.send('PROXY UNKNOWN\r\nQUIT\r\n');
  assert.equal(await stranger.rest(), '+OK hello\r\n+OK PROXY UNKNOWN\r\n+OK bye\r\n');
  assert.equal(dialogue.sessions[0]?.facts.remoteAddress, '127.0.0.1');
  const proxy = await Client.connect(port, '127.0.0.2');
  proxy.send('CAPA\r\n');
  assert.equal(await proxy.rest(), '');
  assert.deepEqual(recorded, [['net.proxy-header-refused', { connection: '2', proxy: '127.0.0.2', reason: 'no PROXY header' }]]);
  assert.equal(dialogue.sessions.length, 1);
});

test('a proxy that speaks for itself is greeted under its own address', async (t) => {
  const { port, dialogue } = await serve(t, { listen: { proxyFrom: new Networks(['127.0.0.0/8']) } });
  const client = await Client.connect(port);
  client.send(Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex'));
  assert.equal(await client.line(), '+OK hello');
  assert.equal(dialogue.sessions[0]?.facts.remoteAddress, '127.0.0.1');
});

test('passwords may cross without TLS from the listed networks only', async (t) => {
  const { port, dialogue } = await serve(t, { settings: { plaintextNetworks: new Networks(['127.0.0.1']) } });
  for (const address of ['127.0.0.1', '127.0.0.2']) await (await Client.connect(port, address)).line();
  assert.deepEqual(
    dialogue.sessions.map(({ facts }) => [facts.remoteAddress, facts.secure, facts.canStartTls]),
    [
      ['127.0.0.1', true, false],
      ['127.0.0.2', false, false],
    ],
  );
});

test('over the limit, overall or from one source, the greeting is a refusal', async (t) => {
  const recorded: [string, unknown][] = [];
  const limits = { maxConnections: 3, maxConnectionsPerSource: 2 };
  const { port, server, dialogue } = await serve(t, { log: recording(recorded), settings: limits, clock: () => 0 });
  const [first, second, third, fourth, fifth] = [
    await Client.connect(port),
    await Client.connect(port),
    await Client.connect(port),
    await Client.connect(port, '127.0.0.2'),
    await Client.connect(port, '127.0.0.3'),
  ];
  const refused = '-ERR [SYS/TEMP] too many\r\n';
  for (const client of [first, second]) assert.equal(await client.line(), '+OK hello');
  assert.equal(await third.rest(), refused);
  assert.equal(await fourth.line(), '+OK hello');
  assert.equal(await fifth.rest(), refused);
  assert.deepEqual(recorded.slice(0, 1), [['net.too-many-connections', { source: '127.0.0.1', open: 3 }]]);
  assert.equal(recorded.length, 1);
  first.send('QUIT\r\n');
  await first.rest();
  while (server.counts().connections > 2) await new Promise(setImmediate);
  assert.equal(await (await Client.connect(port)).line(), '+OK hello');
  assert.equal(dialogue.sessions.length, 4);
});

test('connections of a source at other processes count too, and each that is let go is told', async (t) => {
  const elsewhere = 2;
  const here = createLocalCounts();
  const sources: ConnectionCounts = {
    enter: (key) => here.enter(key) + elsewhere,
    leave: (key) => here.leave(key),
    get size() {
      return here.size;
    },
  };
  const { port, server } = await serve(t, { sources, settings: { maxConnectionsPerSource: 3 } });
  const first = await Client.connect(port);
  assert.equal(await first.line(), '+OK hello');
  assert.equal(await (await Client.connect(port)).rest(), '-ERR [SYS/TEMP] too many\r\n');
  first.send('QUIT\r\n');
  await first.rest();
  while (server.counts().connections > 0) await new Promise(setImmediate);
  assert.equal(sources.size, 0);
});

test('a proxy that speaks for itself is not counted', async (t) => {
  const { port } = await serve(t, { settings: { maxConnectionsPerSource: 1 }, listen: { proxyFrom: new Networks(['127.0.0.1']) } });
  for (let n = 0; n < 3; n++) {
    const client = await Client.connect(port);
    client.send('PROXY UNKNOWN\r\n');
    assert.equal(await client.line(), '+OK hello');
  }
});

test('from a network that is not counted any number may come', async (t) => {
  const limits = { maxConnectionsPerSource: 1, uncountedNetworks: new Networks(['127.0.0.1/32']) };
  const { port } = await serve(t, { settings: limits });
  for (let n = 0; n < 3; n++) assert.equal(await (await Client.connect(port)).line(), '+OK hello');
  assert.equal(await (await Client.connect(port, '127.0.0.2')).line(), '+OK hello');
  assert.equal(await (await Client.connect(port, '127.0.0.2')).rest(), '-ERR [SYS/TEMP] too many\r\n');
});

test('who has been quiet for too long is closed without a word and without QUIT, and only then', async (t) => {
  const clock = { now: 0 };
  const { port, server, dialogue } = await serve(t, { clock: () => clock.now });
  const [quiet, lively, dribbling] = [await Client.connect(port), await Client.connect(port), await Client.connect(port)];
  for (const client of [quiet, lively, dribbling]) {
    client.send('LOGIN\r\n');
    await client.lines(2);
  }
  clock.now = 300_000;
  lively.send('NOOP\r\n');
  await lively.line();
  // Octets without a line are no command.
  dribbling.send('NO');
  await settled(() => server.bytes.received);
  clock.now = 599_999;
  server.sweep();
  quiet.send('NO');
  await settled(() => server.counts().connections);
  assert.equal(server.counts().connections, 3);
  clock.now = 600_000;
  server.sweep();
  assert.equal(await quiet.rest(), '');
  assert.equal(await dribbling.rest(), '');
  lively.send('QUIT\r\n');
  assert.equal(await lively.rest(), '+OK bye\r\n');
  assert.deepEqual(
    dialogue.sessions.map(({ lines }) => lines),
    [['LOGIN'], ['LOGIN', 'NOOP', 'QUIT'], ['LOGIN']],
  );
});

test('a command that takes longer than the idle time-out is not idle; a client that does not read is', async (t) => {
  const clock = { now: 0 };
  const dialogue = new FakeDialogue();
  const opened = Promise.withResolvers<void>();
  dialogue.answers.set('OPEN', async () => {
    await opened.promise;
    return ok('open');
  });
  dialogue.answers.set('RETR', () => ({ ...ok('here'), body: Array<Buffer>(1000).fill(Buffer.alloc(65_536, 'x')) }));
  const { port, server } = await serve(t, { dialogue, clock: () => clock.now });
  const client = await Client.connect(port);
  client.send('OPEN\r\n');
  while (dialogue.underWay === 0) await new Promise(setImmediate);
  clock.now = 700_000;
  server.sweep();
  opened.resolve();
  assert.deepEqual(await client.lines(2), ['+OK hello', '+OK open']);
  client.socket.pause();
  client.send('RETR\r\n');
  await settled(() => dialogue.sessions[0]?.lines.length ?? 0);
  clock.now = 1_000_000;
  server.sweep();
  clock.now = 1_600_000;
  server.sweep();
  clock.now = 2_200_000;
  server.sweep();
  while (server.counts().connections > 0) await new Promise(setImmediate);
  assert.equal(dialogue.gone.length, 1);
});

test('stop: who is not logged in goes at once, who is gets to say QUIT, and nobody new comes in', async (t) => {
  const { port, server, dialogue } = await serve(t);
  const [stranger, user] = [await Client.connect(port), await Client.connect(port)];
  await stranger.line();
  user.send('LOGIN\r\n');
  await user.lines(2);
  const stopped = server.stop(1_000_000);
  assert.equal(await stranger.rest(), '');
  await assert.rejects(Client.connect(port), { code: 'ECONNREFUSED' });
  user.send('DELE 1\r\n');
  assert.equal(await user.line(), '+OK DELE 1');
  user.send('QUIT\r\n');
  assert.equal(await user.rest(), '+OK bye\r\n');
  await stopped;
  assert.equal(server.counts().connections, 0);
  assert.equal(dialogue.gone.length, 2);
});

test('drain: who is there stays for as long as they like, nobody new comes in, and a stop can still follow', async (t) => {
  const { port, server } = await serve(t);
  const [leaving, staying] = [await Client.connect(port), await Client.connect(port)];
  for (const client of [leaving, staying]) await client.line();
  const drained = server.drain();
  await assert.rejects(Client.connect(port), { code: 'ECONNREFUSED' });
  leaving.send('LOGIN\r\nQUIT\r\n');
  assert.equal(await leaving.rest(), '+OK in\r\n+OK bye\r\n');
  staying.send('NOOP\r\n');
  assert.equal(await staying.line(), '+OK NOOP');
  const stopped = server.stop(0);
  assert.equal(await staying.rest(), '');
  await Promise.all([drained, stopped]);
});

test('stop: after the grace sessions are cut off, but a command under way is finished first', async (t) => {
  const { port, server, dialogue } = await serve(t);
  const asked = Promise.withResolvers<void>();
  const updated = Promise.withResolvers<void>();
  dialogue.answers.set('UPDATE', async (session) => {
    asked.resolve();
    await updated.promise;
    return { ...ok('updated'), enters: { ...session, state: 'TRANSACTION' } };
  });
  const [waiting, updating] = [await Client.connect(port), await Client.connect(port)];
  for (const client of [waiting, updating]) {
    client.send('LOGIN\r\n');
    await client.lines(2);
  }
  updating.send('UPDATE\r\n');
  await asked.promise;
  let isStopped = false;
  const stopped = server.stop(0).then(() => {
    isStopped = true;
  });
  assert.equal(await waiting.rest(), '');
  await settled(() => server.counts().connections);
  assert.deepEqual([server.counts().connections, isStopped], [1, false]);
  updated.resolve();
  await stopped;
  assert.deepEqual(
    dialogue.gone.map(({ lines }) => lines),
    [['LOGIN'], ['LOGIN', 'UPDATE']],
  );
});

test('stop: a login under way is answered, and has its grace', async (t) => {
  const { port, server, dialogue } = await serve(t);
  const asked = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  dialogue.answers.set('PASS', async (session, line) => {
    asked.resolve();
    await opened.promise;
    return line === 'PASS right' ? { ...ok('in'), enters: { ...session, state: 'TRANSACTION' } } : ok('not in');
  });
  const [right, wrong] = [await Client.connect(port), await Client.connect(port)];
  right.send('PASS right\r\n');
  wrong.send('PASS wrong\r\n');
  await asked.promise;
  while (dialogue.underWay < 2) await new Promise(setImmediate);
  const stopped = server.stop(1_000_000);
  opened.resolve();
  assert.equal(await wrong.rest(), '+OK hello\r\n+OK not in\r\n');
  assert.deepEqual(await right.lines(2), ['+OK hello', '+OK in']);
  right.send('QUIT\r\n');
  assert.equal(await right.rest(), '+OK bye\r\n');
  await stopped;
});

test('counts: connections by state, and octets', async (t) => {
  const { port, server } = await serve(t);
  const [one, two] = [await Client.connect(port), await Client.connect(port)];
  await one.line();
  two.send('LOGIN\r\n');
  await two.lines(2);
  assert.deepEqual(server.counts(), {
    connections: 2,
    states: [
      { protocol: 'pop3', state: 'AUTHORIZATION', connections: 1 },
      { protocol: 'pop3', state: 'TRANSACTION', connections: 1 },
    ],
    sessions: [{ domain: 'example.org', sessions: 1 }],
    accepted: new Map([['pop3', 2]]),
    turnedAway: 0,
    sources: 1,
    bytesReceived: 'LOGIN\r\n'.length,
    bytesSent: '+OK hello\r\n+OK hello\r\n+OK in\r\n'.length,
  });
});

test("a port in use is the system's error", async (t) => {
  const { port, server } = await serve(t);
  await assert.rejects(server.listen({ protocol: 'pop3', address: '127.0.0.1', port, tls: false }), { code: 'EADDRINUSE' });
});

test('several listeners share a port where they say so', async (t) => {
  const { port, server } = await serve(t, { listen: { reusePort: true } });
  await server.listen({ protocol: 'pop3', address: '127.0.0.1', port, tls: false, reusePort: true });
  const plain = createServer();
  plain.listen(port, '127.0.0.1');
  await once(plain, 'error');
});

test('IPv6, and IPv4 on the same listener', { skip: hasIpv6 ? false : 'this host has no IPv6' }, async (t) => {
  const { port, dialogue } = await serve(t, { listen: { address: '::' } });
  for (const host of ['::1', '127.0.0.1']) await (await Client.connect(port, host, host)).line();
  assert.deepEqual(
    dialogue.sessions.map(({ facts }) => [facts.remoteAddress, facts.arrival.localAddress]),
    [
      ['::1', '::1'],
      ['127.0.0.1', '127.0.0.1'],
    ],
  );
});

test('while there is too much to do, who connects is asked to come back later; who is there goes on', async (t) => {
  const overload = { isOver: false };
  const { port } = await serve(t, { overload });
  const early = await Client.connect(port);
  assert.equal(await early.line(), '+OK hello');
  overload.isOver = true;
  const late = await Client.connect(port);
  assert.equal(await late.rest(), '-ERR [SYS/TEMP] overloaded\r\n');
  early.send('LOGIN\r\n');
  assert.equal(await early.line(), '+OK in');
  overload.isOver = false;
  const again = await Client.connect(port);
  assert.equal(await again.line(), '+OK hello');
});

test('a connection that somebody else has accepted is served like any other', async (t) => {
  const { server } = await serve(t);
  const other = createServer({ allowHalfOpen: true }, (socket) => server.carry(socket, { protocol: 'pop3', tls: false })).listen(
    0,
    '127.0.0.1',
  );
  await once(other, 'listening');
  t.after(() => other.close());
  const address = other.address();
  const client = await Client.connect(typeof address === 'object' && address !== null ? address.port : 0);
  client.send('LOGIN\r\nQUIT\r\n');
  assert.equal(await client.rest(), '+OK hello\r\n+OK in\r\n+OK bye\r\n');
  assert.equal(server.counts().accepted.get('pop3'), 1);
});
