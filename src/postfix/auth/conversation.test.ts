/** What dialogues in test/dialogues/sasl don't show: limits, who goes away, and octets that mean nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { FakeClock } from '../../admission/fakes.test.ts';
import type { Directory } from '../../model/directory.ts';
import { Fault } from '../../model/fault.ts';
import type { LogFields } from '../../model/log.ts';
import { type Attempt, type LoginGate, openGate, type Passage, Throttled } from '../../model/loginGate.ts';
import { Networks } from '../../model/networks.ts';
import { noAuthCounts } from '../../model/report.ts';
import { fakeDirectory } from '../../sasl/fakes.test.ts';
import { createSpeaker } from '../../texts/speaker.ts';
import { AuthConversation, masked } from './conversation.ts';
import { fieldsOf, lineOf } from './fields.ts';

const plain = (login: string, password: string) => Buffer.from(`\0${login}\0${password}`).toString('base64');
const right = plain('ada', 'lovelace');

interface Parts {
  readonly gate?: LoginGate;
  readonly directory?: Partial<Directory>;
  readonly minor?: number;
}

function talk({ gate = openGate, directory = {}, minor = 1 }: Parts = {}) {
  const clock = new FakeClock();
  const said: string[] = [];
  const events: [string, LogFields][] = [];
  const add = (event: string, fields: LogFields = {}) => void events.push([event, fields]);
  const counts = noAuthCounts();
  const state = { closed: false, idle: 0 };
  const conversation = new AuthConversation(
    {
      directory: { ...fakeDirectory(new Map([['ada', 'lovelace']])), ...directory },
      gate,
      speaker: createSpeaker(),
      log: { debug: add, info: add, warn: add, error: add },
      clock,
      random: (octets) => Buffer.alloc(octets, 0x61),
      hostname: 'mail.example.org',
      mechanisms: undefined,
      plaintextNetworks: new Networks(['192.0.2.0/24']),
      isOverloaded: () => false,
      counts,
      processId: 1,
    },
    'c',
    {
      say: (line) => void said.push(line),
      hangUp() {
        state.closed = true;
      },
      idle() {
        state.idle++;
      },
    },
  );
  const send = (...fields: (string | number)[]) => conversation.line(fields.join('\t'));
  send('VERSION', 1, minor);
  send('CPID', 1);
  const auth = (id: number, response = right, ...more: string[]) =>
    send('AUTH', id, 'PLAIN', 'service=smtp', 'rip=192.0.2.7', ...more, `resp=${response}`);
  return { clock, said, events, counts, state, conversation, send, auth };
}

async function settled(): Promise<void> {
  for (let n = 0; n < 20; n++) await turn();
}

/** A gate that is told what happened, and lets nobody through before it is opened. */
function closedGate() {
  const told: string[] = [];
  const opened = Promise.withResolvers<void>();
  const passage: Passage = {
    failed() {
      told.push('failed');
      return { heldBackMs: 0, isRepeated: false };
    },
    succeeded: ({ mailbox }, begins) => void told.push(`succeeded ${mailbox.name} ${begins}`),
    ended: () => void told.push('ended'),
  };
  const gate: LoginGate = {
    enter({ claim, method, remoteAddress, tls, patienceMs, isProxy }: Attempt) {
      told.push(`enter ${claim.login} ${method} ${remoteAddress}${tls ? ' tls' : ''} ${patienceMs} ${isProxy}`);
      const { promise, resolve, reject } = Promise.withResolvers<Passage>();
      void opened.promise.then(() => resolve(passage));
      return {
        passage: promise,
        giveUp() {
          told.push('given up');
          reject(new Throttled('too many attempts, try again later', 0));
        },
      };
    },
    turnedAway: ({ remoteAddress }) => {
      told.push(`turned away ${remoteAddress}`);
      return { heldBackMs: 0, isRepeated: false };
    },
  };
  return { gate, told, open: () => opened.resolve() };
}

test('fields are escaped, and come back as they were', () => {
  const table: [string[], string][] = [
    [['OK', '1', 'user=ada'], 'OK\t1\tuser=ada'],
    [['a\tb', 'c\nd', 'e\rf', 'g\0h', 'i\x01j'], 'a\x01tb\tc\x01ld\te\x01rf\tg\x010h\ti\x011j'],
    [[''], ''],
    [['', ''], '\t'],
  ];
  for (const [fields, line] of table) {
    assert.equal(lineOf(fields), line);
    assert.deepEqual(fieldsOf(line), fields);
  }
  // An escape that means nothing stands for what comes after it, and one at the end for nothing.
  assert.deepEqual(fieldsOf('a\x01xb\t\x01'), ['axb', '']);
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), (fields) => assert.deepEqual(fieldsOf(lineOf(fields)), fields)),
  );
});

test('a trace shows no response', () => {
  assert.equal(masked(`AUTH\t1\tPLAIN\tservice=smtp\tresp=${right}`), 'AUTH\t1\tPLAIN\tservice=smtp\tresp=(secret)');
  assert.equal(masked(`CONT\t1\t${right}`), 'CONT\t1\t(secret)');
  assert.equal(masked('CANCEL\t1'), 'CANCEL\t1');
});

test('the gate is asked before the directory, with the little patience that Postfix has, and told that no session begins', async () => {
  const { gate, told, open } = closedGate();
  const { said, auth, events, counts } = talk({ gate });
  auth(7, right, 'secured');
  await settled();
  assert.deepEqual(said, []);
  open();
  await settled();
  assert.deepEqual(told, ['enter ada PLAIN 192.0.2.7 tls 7000 false', 'succeeded ada nothing', 'ended']);
  assert.deepEqual(said, ['OK\t7\tuser=ada\n']);
  assert.deepEqual(events, [
    ['smtp-auth.login', { session: 'c.7', remote: '192.0.2.7', mailbox: 'ada', method: 'PLAIN', tls: true, ms: 0 }],
  ]);
  assert.deepEqual(counts, { logins: 1, failures: { auth: 0, throttled: 0, temporary: 0, permanent: 0 } });
});

test('who goes away, or gives up, gives their place to others and hears nothing', async () => {
  for (const leave of ['CANCEL', 'the connection'] as const) {
    const { gate, told, open } = closedGate();
    const { said, send, auth, conversation, state } = talk({ gate });
    auth(1);
    if (leave === 'CANCEL') send('CANCEL', 1);
    else conversation.lost();
    open();
    await settled();
    assert.deepEqual(told.slice(1), ['given up']);
    assert.deepEqual(said, []);
    assert.equal(conversation.isIdle, true);
    assert.ok(state.idle > 0);
  }
});

test('a failure is in the log with its reason, fields in the order that fail2ban knows', async () => {
  const { said, events, auth, counts } = talk();
  auth(1, plain('ada', 'wrong'), 'secured');
  auth(2, plain('eve', 'wrong'));
  auth(3, Buffer.from('eve\0ada\0lovelace').toString('base64'));
  await settled();
  assert.deepEqual(said.sort(), [
    'FAIL\t1\tuser=ada\treason=wrong name or password\n',
    'FAIL\t2\tuser=eve\treason=wrong name or password\n',
    'FAIL\t3\treason=wrong name or password\n',
  ]);
  const from = { remote: '192.0.2.7', method: 'PLAIN' };
  const [first] = events.find(([, { session }]) => session === 'c.1') ? [events.find(([, { session }]) => session === 'c.1')] : [];
  assert.deepEqual(first, [
    'smtp-auth.failed',
    { session: 'c.1', ...from, login: 'ada', tls: true, kind: 'auth', reason: 'authentication failed' },
  ]);
  assert.deepEqual(Object.keys(first?.[1] ?? {}), ['session', 'remote', 'method', 'login', 'tls', 'kind', 'reason']);
  assert.equal(counts.failures.auth, 3);
});

test('trouble of ours is no wrong password', async () => {
  const broken = {
    authenticate: async () => {
      throw new Fault('temporary', 'accounts can not be looked up just now', { cause: new Error('the disc') });
    },
  };
  const modern = talk({ directory: broken });
  modern.auth(1);
  await settled();
  assert.deepEqual(modern.said, ['FAIL\t1\ttemp\tcode=temp_fail\treason=accounts can not be looked up just now\n']);
  assert.deepEqual(modern.counts.failures, { auth: 0, throttled: 0, temporary: 1, permanent: 0 });
  assert.equal(modern.events[0]?.[0], 'smtp-auth.trouble');
  // What nobody foresaw, too.
  const odd = talk({
    directory: {
      authenticate() {
        throw new TypeError('a slip');
      },
    },
  });
  odd.auth(1);
  await settled();
  assert.deepEqual(odd.said, ['FAIL\t1\ttemp\tcode=temp_fail\treason=internal error\n']);

  // Postfix takes no notice of `temp`: it loses the connection, but not while others are answered on it.
  const postfix = talk({ directory: broken, minor: 0 });
  postfix.auth(1);
  await settled();
  assert.deepEqual([postfix.said, postfix.state.closed], [[], true]);
  let fail: (thrown: Error) => void = () => {};
  const slow = talk({
    minor: 0,
    directory: {
      authenticate: ({ login }) =>
        new Promise((_, reject) => {
          if (login === 'ada') fail = reject;
          else reject(new Fault('temporary', 'internal error'));
        }),
    },
  });
  slow.auth(1);
  slow.auth(2, plain('bea', 'x'));
  await settled();
  assert.deepEqual([slow.said, slow.state.closed], [['FAIL\t2\ttemp\tcode=temp_fail\treason=internal error\n'], false]);
  fail(new Fault('auth', 'authentication failed'));
  await settled();
  assert.deepEqual(slow.said.slice(1), ['FAIL\t1\tuser=ada\treason=wrong name or password\n']);
});

test('so many requests at a time, and no more', async () => {
  const { gate, open } = closedGate();
  const { said, auth } = talk({ gate });
  for (let id = 1; id <= 300; id++) auth(id);
  await settled();
  assert.equal(said.length, 300 - 256);
  assert.equal(said[0], 'FAIL\t257\ttemp\tcode=temp_fail\treason=too many requests at a time, try again later\n');
  open();
  await settled();
  assert.equal(said.filter((line) => line.startsWith('OK\t')).length, 256);
});

test('of requests whose clients have gone away the oldest are forgotten', async () => {
  const { said, send } = talk();
  for (let id = 1; id <= 1000; id++) {
    send('AUTH', id, 'LOGIN', 'service=smtp', 'rip=192.0.2.7');
    if (id % 100 === 0) await settled();
  }
  assert.equal(said.length, 1000);
  send('CONT', 744, 'YWRh');
  send('CONT', 1000, 'YWRh');
  assert.equal(said[1000], 'FAIL\t744\treason=there is no such request\n');
});

test('whatever comes in, each line is answered by lines of the protocol or by closing, and nothing is thrown', async () => {
  const word = fc.oneof(
    fc.constantFrom(
      'AUTH',
      'CONT',
      'CANCEL',
      'VERSION',
      'CPID',
      '1',
      '2',
      '3',
      '0',
      '-1',
      '1e0',
      '4294967295',
      '4294967296',
      'PLAIN',
      'LOGIN',
    ),
    fc.constantFrom(
      'CRAM-MD5',
      'SCRAM-SHA-1',
      'SCRAM-SHA-256',
      'service=smtp',
      'rip=192.0.2.7',
      'rip=::',
      'rip=x',
      'secured',
      `resp=${right}`,
      'resp=',
    ),
    fc.constantFrom('resp==', 'resp=YWRh', right, '', '=', '\x01', '\x01\x01', 'constructor', '__proto__', 'YWRh', '\0', '\r'),
    fc.string({ unit: 'binary-ascii', maxLength: 8 }),
  );
  const line = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.tuple(fc.constantFrom('AUTH\t1', 'AUTH\t2', 'CONT\t1', 'CONT\t2', 'CANCEL\t1'), fc.array(word, { maxLength: 6 })),
    },
    { weight: 1, arbitrary: fc.tuple(word, fc.array(word, { maxLength: 6 })) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 12 }), async (lines) => {
      const { conversation, said, state } = talk();
      for (const [first, words] of lines) conversation.line([first, ...words].join('\t').replaceAll('\n', ''));
      await settled();
      for (const each of said)
        assert.match(each, /^(?:OK\t\d+\tuser=ada(?:\tresp=\S+)?|CONT\t\d+\t[A-Za-z0-9+/=]*|FAIL\t\d+(?:\t[a-z]+(?:=[^\t\n]*)?)+)\n$/);
      assert.ok(said.length <= lines.length);
      if (state.closed) assert.equal(conversation.isIdle, true);
    }),
    { numRuns: 300 },
  );
});
