import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../model/fault.ts';
import type { Maildrop } from '../model/maildrop.ts';
import { answer } from './dialogue.ts';
import { type Fakes, facts, fakes } from './fakes.test.ts';
import type { Reply } from './replies.ts';
import { disconnected, type Session, startSession } from './session.ts';

async function login({ host }: Fakes): Promise<Session> {
  const { session } = startSession(host, facts);
  await answer(session, 'USER ada');
  const { enters } = await answer(session, 'PASS lovelace');
  assert.ok(enters);
  return enters;
}

/** What is seen of a reply, without the sessions in it. */
function seen({ status, line, then, penalty, enters }: Reply): unknown[] {
  return [status, line, then, penalty, enters?.state];
}

test('a login, a retrieved message and QUIT, as the log tells it', async () => {
  let nowMs = 1_790_000_000_000;
  const fake = fakes({ host: { now: () => nowMs } });
  const session = await login(fake);
  nowMs += 1500;
  (await answer(session, 'RETR 1')).sent?.();
  await answer(session, 'RETR 2'); // not sent whole
  await answer(session, 'DELE 2');
  await answer(session, 'QUIT');
  assert.deepEqual(fake.acts, ['update, 1 deleted, 1 retrieved', 'release']);
  assert.deepEqual(fake.events, [
    {
      level: 'info',
      event: 'pop3.login',
      fields: { session: 's1', remote: '192.0.2.7', mailbox: 'ada', method: 'USER', tls: true, messages: 2, octets: 48, ms: 0 },
    },
    {
      level: 'info',
      event: 'pop3.quit',
      fields: {
        session: 's1',
        remote: '192.0.2.7',
        mailbox: 'ada',
        commands: 6,
        deleted: 1,
        expired: 0,
        left: 1,
        retrieved: 1,
        octetsSent: 24,
        ms: 1500,
      },
    },
  ]);
  const { loginFailures, ...counts } = fake.host.counts;
  assert.deepEqual(counts, { logins: 1, retrieved: 1, retrievedOctets: 24, deleted: 1, expired: 0 });
  assert.deepEqual(loginFailures, { auth: 0, 'in-use': 0, 'login-delay': 0, throttled: 0, temporary: 0, permanent: 0 });
});

test('a failed login: the reason is for the log, the reply waits', async () => {
  const fake = fakes();
  const { session } = startSession(fake.host, facts);
  await answer(session, 'USER nobody');
  assert.deepEqual(seen(await answer(session, 'PASS lovelace')), ['-ERR', '[AUTH] authentication failed', undefined, 'auth', undefined]);
  const reply = await answer(session, 'AUTH PLAIN AG5vYm9keQBsb3ZlbGFjZQ==');
  assert.deepEqual(seen(reply), ['-ERR', '[AUTH] authentication failed', undefined, 'auth', undefined]);
  const common = { session: 's1', remote: '192.0.2.7', tls: true, kind: 'auth', reason: 'no such account' };
  assert.deepEqual(
    fake.events.map(({ event, fields }) => [event, fields]),
    [
      ['pop3.login-failed', { ...common, method: 'USER', login: 'nobody' }],
      ['pop3.login-failed', { ...common, method: 'PLAIN', login: 'nobody' }],
    ],
  );
  assert.deepEqual([fake.host.counts.logins, fake.host.counts.loginFailures.auth], [0, 2]);
});

test('only a wrong proof costs a penalty', async () => {
  const inUse = new Fault('in-use', 'another session has this maildrop');
  const fake = fakes({ store: { open: () => Promise.reject(inUse) } });
  const { session } = startSession(fake.host, facts);
  await answer(session, 'USER ada');
  const refused = ['-ERR', '[IN-USE] another session has this maildrop', undefined, undefined, undefined];
  assert.deepEqual(seen(await answer(session, 'PASS lovelace')), refused);
  assert.deepEqual(seen(await answer(session, 'AUTH PLAIN')), ['+', '', undefined, undefined, 'EXCHANGE']);
  assert.deepEqual(seen(await answer(session, 'AUTH PLAIN !')), ['-ERR', 'not base64', undefined, undefined, undefined]);
});

test('trouble nobody foresaw is an internal error to the client, and its cause is in the log', async () => {
  const cause = new TypeError('/var/spool/virtual is not what it was');
  const fake = fakes({ store: { open: () => Promise.reject(cause) } });
  const { session } = startSession(fake.host, facts);
  await answer(session, 'USER ada');
  assert.deepEqual(seen(await answer(session, 'PASS lovelace')), ['-ERR', '[SYS/TEMP] internal error', undefined, undefined, undefined]);
  assert.deepEqual(fake.events, [
    {
      level: 'error',
      event: 'pop3.trouble',
      fields: { session: 's1', remote: '192.0.2.7', mailbox: undefined, kind: 'temporary', text: 'internal error', cause },
    },
  ]);
});

test('a message that cannot be found again is refused, and the session goes on', async () => {
  const fake = fakes({
    maildrop: {
      retrieve() {
        throw new Fault('temporary', 'internal error', { cause: new Error('the mailbox was rewritten') });
      },
    },
  });
  const session = await login(fake);
  assert.deepEqual(seen(await answer(session, 'RETR 1')), ['-ERR', '[SYS/TEMP] internal error', undefined, undefined, undefined]);
  assert.deepEqual(seen(await answer(session, 'TOP 1 0')), ['-ERR', '[SYS/TEMP] internal error', undefined, undefined, undefined]);
  assert.deepEqual(seen(await answer(session, 'STAT')), ['+OK', '2 48', undefined, undefined, undefined]);
});

test('an UPDATE that will never succeed is [SYS/PERM]; the maildrop is released and the connection closes', async () => {
  const acts: string[] = [];
  const fake = fakes({
    maildrop: {
      update: () => Promise.reject(new Fault('permanent', 'internal error')),
      async [Symbol.asyncDispose]() {
        acts.push('release');
      },
    },
  });
  const session = await login(fake);
  await answer(session, 'DELE 1');
  const text = '[SYS/PERM] the messages could not be deleted, all of them are still there';
  assert.deepEqual(seen(await answer(session, 'QUIT')), ['-ERR', text, 'close', undefined, 'UPDATE']);
  assert.deepEqual(acts, ['release']);
});

test('a lock that cannot be given back does not undo what QUIT did', async () => {
  const cause = new Error('EIO');
  const fake = fakes({ maildrop: { [Symbol.asyncDispose]: () => Promise.reject(cause) } });
  const session = await login(fake);
  assert.deepEqual(seen(await answer(session, 'QUIT')), ['+OK', 'goodbye (2 messages left)', 'close', undefined, 'UPDATE']);
  const troubles = fake.events.filter(({ level }) => level === 'error').map(({ fields }) => fields.cause);
  assert.deepEqual(troubles, [cause]);
});

test('a maildrop that is lost ends the session with the first refusal that comes of it', async () => {
  const lost = new Fault('temporary', 'the mailbox can not be read just now', { cause: new Error('the worker is gone') });
  const broken = { retrieve: () => assert.fail(lost) };
  for (const [maildrop, then] of [
    [{ ...broken, lost: true }, 'close'],
    [broken, undefined],
  ] as const) {
    const session = await login(fakes({ maildrop }));
    assert.deepEqual(seen(await answer(session, 'RETR 1')), [
      '-ERR',
      '[SYS/TEMP] the mailbox can not be read just now',
      then,
      undefined,
      undefined,
    ]);
    // What has nothing to do with it is answered as ever.
    assert.deepEqual(seen(await answer(session, 'NOPE')), ['-ERR', 'unknown command', undefined, undefined, undefined]);
  }
});

test('a maildrop that is lost in the middle of an UPDATE: nobody knows how far it came', async () => {
  const fault = new Fault('temporary', 'the mailbox can not be written just now');
  const told = async (lostBefore: boolean, lostAfter: boolean) => {
    const fake: Fakes = fakes({
      maildrop: {
        lost: lostBefore,
        async update() {
          Object.assign(fake.maildrop, { lost: lostAfter });
          throw fault;
        },
      },
    });
    const session = await login(fake);
    await answer(session, 'DELE 1');
    return seen(await answer(session, 'QUIT'));
  };
  const all = '[SYS/TEMP] the messages could not be deleted, all of them are still there';
  assert.deepEqual(await told(false, true), [
    '-ERR',
    '[SYS/TEMP] it is not known whether the messages were deleted',
    'close',
    undefined,
    'UPDATE',
  ]);
  assert.deepEqual(await told(false, false), ['-ERR', all, 'close', undefined, 'UPDATE']);
  // It didn't begin.
  assert.deepEqual(await told(true, true), ['-ERR', all, 'close', undefined, 'UPDATE']);
});

test('a lost connection releases the maildrop once and updates nothing', async () => {
  const fake = fakes();
  const session = await login(fake);
  await answer(session, 'DELE 1');
  await disconnected(session);
  await disconnected(session);
  assert.deepEqual(fake.acts, ['release']);
  assert.deepEqual(fake.events.at(-1), {
    level: 'info',
    event: 'pop3.disconnected',
    fields: { session: 's1', remote: '192.0.2.7', mailbox: 'ada', commands: 3, marked: 1, octetsSent: 0, ms: 0 },
  });
});

test('a connection lost while QUIT is at work takes nothing away from the update', async () => {
  const { promise: updated, resolve: finish } = Promise.withResolvers<void>();
  const acts: string[] = [];
  const fake = fakes({
    maildrop: {
      async update() {
        acts.push('update begins');
        await updated;
        acts.push('update ends');
      },
      async [Symbol.asyncDispose]() {
        acts.push('release');
      },
    },
  });
  const session = await login(fake);
  const quitting = answer(session, 'QUIT');
  await disconnected(session);
  finish();
  const { enters } = await quitting;
  assert.equal(enters?.state, 'UPDATE');
  await disconnected(enters);
  assert.deepEqual(acts, ['update begins', 'update ends', 'release']);
});

for (const [how, first, second] of [
  ['PASS', 'USER ada', 'PASS lovelace'],
  ['AUTH', 'AUTH PLAIN', 'AGFkYQBsb3ZlbGFjZQ=='],
] as const) {
  test(`a connection lost while ${how} opens the maildrop leaves it to nobody`, async () => {
    const opening = Promise.withResolvers<Maildrop>();
    const asked = Promise.withResolvers<void>();
    const open = () => {
      asked.resolve();
      return opening.promise;
    };
    const fake = fakes({ store: { open } });
    const { session } = startSession(fake.host, facts);
    const { enters = session } = await answer(session, first);
    const pending = answer(enters, second);
    await asked.promise;
    await disconnected(enters);
    opening.resolve(fake.maildrop);
    assert.equal((await pending).status, '-ERR');
    assert.deepEqual(fake.acts, ['release']);
    assert.deepEqual(fake.events, []);
  });
}

test('the timestamp differs from greeting to greeting, and is a message-id of our host', () => {
  let count = 0n;
  const random = (octets: number) => {
    const buffer = Buffer.alloc(octets);
    buffer.writeBigUInt64BE(count++, octets - 8);
    return buffer;
  };
  const { host } = fakes({ host: { random } });
  const greetings = [1, 2].map(() => startSession(host, facts).greeting.line);
  assert.deepEqual(greetings, [
    'POP3 server ready <0.1790000000000@pop.example.org>',
    'POP3 server ready <1.1790000000000@pop.example.org>',
  ]);
});
