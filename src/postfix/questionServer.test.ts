import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LogFields } from '../model/log.ts';
import { silent } from '../model/log.ts';
import { noPolicyCounts } from '../model/report.ts';
import { lookupsOf, served, speaker } from './fakes.test.ts';
import { policyDialogue } from './policy.ts';
import type { QuestionDialogue } from './questions.ts';
import { netstring, socketmapDialogue } from './socketmap.ts';
import { cutLine, tcpTableDialogue } from './tcpTable.ts';

/** Lines that are answered when the test says so, or at once by themselves. */
function slow() {
  const waiting = new Map<string, (reply: string | undefined) => void>();
  let asked: (() => void) | undefined;
  const dialogue: QuestionDialogue = {
    cut: cutLine,
    async answer(request) {
      const line = request.toString();
      if (line === 'reject') throw new Error('a slip of ours');
      if (!line.startsWith('slow')) return Buffer.from(`${line}!\n`);
      const { promise, resolve } = Promise.withResolvers<string | undefined>();
      waiting.set(line, resolve);
      asked?.();
      const reply = await promise;
      return reply === undefined ? undefined : Buffer.from(reply);
    },
    late: () => Buffer.from('later\n'),
  };
  return {
    dialogue,
    reply: (line: string, reply: string | undefined) => waiting.get(line)?.(reply),
    async asked(line: string): Promise<void> {
      while (!waiting.has(line)) {
        await new Promise<void>((resolve) => {
          asked = resolve;
        });
      }
    },
  };
}

test('questions are answered in their turn, however they are split, and the connection is kept', async (t) => {
  const { connect, server } = await served(t, socketmapDialogue(lookupsOf({ a: '1', b: '2' }), speaker));
  const client = await connect();
  const replies = `${netstring('OK 1')}${netstring('NOTFOUND ')}${netstring('OK 2')}`;
  client.write(Buffer.concat(['aliases a', 'aliases c', 'aliases b'].map(netstring)));
  assert.equal(await client.read(replies.length), replies);
  for (const octet of netstring('aliases b')) client.write(Buffer.from([octet]));
  assert.equal(await client.read(7), String(netstring('OK 2')));
  assert.deepEqual(server.counts(), {
    states: [{ protocol: 'socketmap', state: 'idle', connections: 1 }],
    accepted: new Map([['socketmap', 1]]),
    turnedAway: 0,
    malformed: 0,
    late: 0,
  });
});

test('what is no request ends the connection, without a word and after the answers that are due', async (t) => {
  const events: [string, LogFields | undefined][] = [];
  const log = { ...silent, warn: (event: string, fields?: LogFields) => events.push([event, fields]) };
  const { connect, server } = await served(t, socketmapDialogue(lookupsOf({ a: '1' }), speaker), { log });
  const client = await connect();
  client.write(`${netstring('aliases a')}GET / HTTP/1.1\r\n`);
  assert.equal(await client.read(100), String(netstring('OK 1')));
  await client.closed;
  assert.equal(server.counts().malformed, 1);
  assert.deepEqual(events, [
    ['lookup.malformed', { protocol: 'socketmap', connection: '1', reason: 'a netstring that begins with no length' }],
  ]);
});

test('a request that gets no answer ends the connection, too', async (t) => {
  const { dialogue, reply, asked } = slow();
  const { connect } = await served(t, dialogue);
  const client = await connect();
  client.write('slow\nnext\n');
  await asked('slow');
  reply('slow', undefined);
  assert.equal(await client.read(1), '');
  await client.closed;
});

test('when there is no answer in time it is "try again", and what comes late is not sent', async (t) => {
  const { dialogue, reply, asked } = slow();
  const { connect, server, clock } = await served(t, dialogue, { answerMs: 10_000 });
  const client = await connect();
  client.write('slow\nnext\n');
  await asked('slow');
  clock.ms = 9_999;
  server.sweep();
  assert.deepEqual(server.counts().states, [{ protocol: 'socketmap', state: 'asked', connections: 1 }]);
  clock.ms = 10_000;
  server.sweep();
  assert.equal(await client.read(12), 'later\nnext!\n');
  reply('slow', 'too late\n');
  client.write('again\n');
  assert.equal(await client.read(7), 'again!\n');
  assert.equal(server.counts().late, 1);
});

test('trouble that nobody foresaw is "try again"', async (t) => {
  const { dialogue } = slow();
  const { connect } = await served(t, dialogue);
  const client = await connect();
  client.write('reject\nnext\n');
  assert.equal(await client.read(12), 'later\nnext!\n');
});

test('trouble with what has come ends the connection, and no other', async (t) => {
  const { dialogue } = slow();
  const broken: QuestionDialogue = {
    ...dialogue,
    cut(octets, lookedAt) {
      if (octets.includes('break')) throw new Error('a slip of ours');
      return dialogue.cut(octets, lookedAt);
    },
  };
  const { connect } = await served(t, broken);
  const [one, other] = [await connect(), await connect()];
  one.write('break\n');
  await one.closed;
  other.write('x\n');
  assert.equal(await other.read(3), 'x!\n');
});

test('a connection without a whole request is closed after the idle time', async (t) => {
  const { dialogue } = slow();
  const { connect, server, clock } = await served(t, dialogue, { idleTimeoutMs: 600_000 });
  const quiet = await connect();
  const busy = await connect();
  quiet.write('half a li');
  clock.ms = 300_000;
  busy.write('x\n');
  assert.equal(await busy.read(3), 'x!\n');
  clock.ms = 600_000;
  server.sweep();
  await quiet.closed;
  busy.write('y\n');
  assert.equal(await busy.read(3), 'y!\n');
});

test('who is one too many is cut off, and so is who comes while there is too much to do', async (t) => {
  const { dialogue } = slow();
  const overload = { isOver: false };
  const { connect, server } = await served(t, dialogue, { maxConnections: 1, overload });
  const first = await connect();
  first.write('x\n');
  assert.equal(await first.read(3), 'x!\n');
  const second = await connect();
  await second.closed;
  first.socket.end();
  await first.closed;
  overload.isOver = true;
  const third = await connect();
  await third.closed;
  overload.isOver = false;
  const fourth = await connect();
  fourth.write('y\n');
  assert.equal(await fourth.read(3), 'y!\n');
  assert.equal(server.counts().turnedAway, 2);
});

test('who has closed its half still gets the answer', async (t) => {
  const { dialogue, reply, asked } = slow();
  const { connect } = await served(t, dialogue);
  const client = await connect();
  client.socket.end('slow\nlast\n');
  await asked('slow');
  reply('slow', 'here\n');
  assert.equal(await client.read(100), 'here\nlast!\n');
  await client.closed;
});

for (const [way, end] of [
  ['stop', (server: { stop(ms: number): Promise<void> }) => server.stop(60_000)],
  ['drain', (server: { drain(): Promise<void> }) => server.drain()],
] as const) {
  test(`${way}: what has been asked is answered, and quiet connections are closed at once`, async (t) => {
    const { dialogue, reply, asked } = slow();
    const { connect, server } = await served(t, dialogue);
    const quiet = await connect();
    const busy = await connect();
    quiet.write('x\n');
    assert.equal(await quiet.read(3), 'x!\n');
    busy.write('slow\n');
    await asked('slow');
    const ended = end(server);
    await quiet.closed;
    reply('slow', 'here\n');
    assert.equal(await busy.read(100), 'here\n');
    await Promise.all([busy.closed, ended]);
    assert.deepEqual(server.counts().states, []);
  });
}

test('stop cuts off what takes longer than its grace', async (t) => {
  const { dialogue, asked } = slow();
  const { connect, server } = await served(t, dialogue);
  const client = await connect();
  client.write('slow\n');
  await asked('slow');
  await server.stop(0);
  await client.closed;
});

const refuser = {
  hostedName: async () => undefined,
  hostedDomain: async () => undefined,
  resolve: () => assert.fail(),
  loginsOf: async () => [],
  addressOf: () => '',
};
const policy = policyDialogue({
  rules: { permitsRecentLogins: true, checksSenders: true },
  addresses: refuser,
  recentLogins: { has: () => false },
  speaker,
  counts: noPolicyCounts(),
  log: silent,
});
const dialogues: readonly [name: string, dialogue: QuestionDialogue, question: string, answer: string, pieces: readonly string[]][] = [
  [
    'socketmap',
    socketmapDialogue(lookupsOf({ a: '1' }), speaker),
    '9:aliases a,',
    '4:OK 1,',
    ['99999', '100000:', '9:', 'aliases a', ',', '0:,'],
  ],
  ['tcp_table', tcpTableDialogue('aliases', lookupsOf({ a: '1' }), speaker), 'get a\n', '200 1\n', ['get ', '%41', '%', 'put a b\n', '\n']],
  [
    'policy',
    policy,
    'request=smtpd_access_policy\n\n',
    'action=DUNNO\n\n',
    ['request=smtpd_access_policy\n', 'protocol_state=RCPT\n', 'recipient=a@b\n', '\n', '=', 'a=b'],
  ],
];

for (const [name, dialogue, question, answer, pieces] of dialogues) {
  test(`${name}: random octets in random pieces: each connection ends or waits, and the next one is served`, async (t) => {
    const { connect } = await served(t, dialogue);
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((octets) => Buffer.from(octets)),
      fc.constantFrom(question, ...pieces).map((text) => Buffer.from(text)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (all) => {
        const client = await connect();
        for (const octets of all) client.write(octets);
        client.socket.end();
        await client.closed;
        const next = await connect();
        next.write(question);
        assert.equal(await next.read(answer.length), answer);
        next.socket.destroy();
      }),
      { numRuns: 100 },
    );
  });

  test(`${name}: what never ends is cut off`, async (t) => {
    const { connect, server } = await served(t, dialogue);
    const client = await connect();
    // A netstring of the longest length that never gets its comma, or a line without an end.
    client.write(name === 'socketmap' ? '100000:' : '');
    const more = Buffer.alloc(16_384, 'x');
    while (!client.socket.destroyed) {
      if (!client.socket.write(more)) await Promise.race([client.closed, once(client.socket, 'drain').catch(() => undefined)]);
      await turn();
    }
    assert.equal(server.counts().malformed, 1);
  });
}

test('a client that asks on and on without reading what it is told fills its own buffers', async (t) => {
  let answered = 0;
  const large = Buffer.alloc(65_536, 'x');
  const dialogue: QuestionDialogue = {
    cut: cutLine,
    async answer() {
      answered++;
      return large;
    },
    late: () => large,
  };
  const { connect } = await served(t, dialogue);
  const client = await connect();
  client.socket.pause();
  client.write('x\n'.repeat(500));
  let before = -1;
  for (let quiet = 0; quiet < 200; quiet++) {
    if (answered !== before) quiet = 0;
    before = answered;
    await turn();
  }
  assert.ok(answered > 0 && answered < 500, String(answered));
  client.socket.resume();
  assert.equal((await client.read(500 * large.length)).length, 500 * large.length);
});

/** Of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
