/** What sessions tell the gate, and what they do with its answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Directory } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import { type Attempt, type LoginGate, type Passage, Throttled, type Waiting } from '../model/loginGate.ts';
import { answer } from './dialogue.ts';
import { facts, fakes } from './fakes.test.ts';
import type { Reply } from './replies.ts';
import { disconnected, lost, type Session, startSession } from './session.ts';

interface Acts {
  readonly gate: LoginGate;
  /** What the gate was asked and told, in order. */
  readonly told: string[];
}

/** Lets all in, after `waiting` where that is given. */
function watched(waiting?: Promise<void>): Acts {
  const told: string[] = [];
  const passage: Passage = {
    failed() {
      told.push('failed');
      return { heldBackMs: 1234, isRepeated: told.length > 2 };
    },
    succeeded({ mailbox }) {
      told.push(`succeeded ${mailbox.name}`);
    },
    ended() {
      told.push('ended');
    },
  };
  return {
    told,
    gate: {
      enter({ claim, method, proof, remoteAddress, isProxy, tls }: Attempt): Passage | Waiting {
        told.push(`enter ${claim.login} ${method} ${proof.kind} ${remoteAddress}${isProxy ? ' proxy' : ''}${tls ? ' tls' : ''}`);
        if (waiting === undefined) return passage;
        const { promise, resolve, reject } = Promise.withResolvers<Passage>();
        waiting.then(() => resolve(passage));
        const giveUp = () => {
          told.push('given up');
          reject(new Throttled('too many attempts, try again later', 0));
        };
        return { passage: promise, giveUp };
      },
      turnedAway({ remoteAddress }) {
        told.push(`turned away ${remoteAddress}`);
        return { heldBackMs: 77, isRepeated: false };
      },
    },
  };
}

async function say(session: Session, ...lines: string[]): Promise<{ session: Session; reply: Reply }> {
  let reply: Reply = { status: '+OK', line: '' };
  for (const line of lines) {
    reply = await answer(session, line);
    session = reply.enters ?? session;
  }
  return { session, reply };
}

function seen({ status, line, penalty, heldBackMs }: Reply): unknown[] {
  return [status, line, penalty, heldBackMs];
}

const plain = (login: string, password: string) => Buffer.from(`\0${login}\0${password}`).toString('base64');
const throttled = ['-ERR', '[SYS/TEMP] too many attempts, try again later', 'throttled', 500];

test('the gate is asked before the directory, told of the success, and told when the session ends', async () => {
  const { gate, told } = watched();
  const { host } = fakes({ host: { gate } });
  const { session } = startSession(host, facts);
  const inside = await say(session, 'USER ada', 'PASS lovelace');
  assert.deepEqual(told, ['enter ada USER password 192.0.2.7 tls', 'succeeded ada']);
  await say(inside.session, 'QUIT');
  assert.deepEqual(told.slice(2), ['ended']);
});

test('a session that is cut off ends at the gate too', async () => {
  const { gate, told } = watched();
  const { host } = fakes({ host: { gate } });
  const { session } = await say(
    startSession(host, { ...facts, isProxy: true, tls: false }).session,
    `AUTH PLAIN ${plain('ada', 'lovelace')}`,
  );
  await disconnected(session);
  assert.deepEqual(told, ['enter ada PLAIN password 192.0.2.7 proxy', 'succeeded ada', 'ended']);
});

test('a wrong password waits for as long as the gate says, and the log tells when it is the same again', async () => {
  const { gate, told } = watched();
  const fake = fakes({ host: { gate } });
  const { session } = startSession(fake.host, facts);
  const first = await say(session, 'USER ada', 'PASS byron');
  assert.deepEqual(seen(first.reply), ['-ERR', '[AUTH] authentication failed', 'auth', 1234]);
  const second = await say(session, `AUTH PLAIN ${plain('ada', 'byron')}`);
  assert.deepEqual(seen(second.reply), ['-ERR', '[AUTH] authentication failed', 'auth', 1234]);
  assert.deepEqual(told, ['enter ada USER password 192.0.2.7 tls', 'failed', 'enter ada PLAIN password 192.0.2.7 tls', 'failed']);
  const common = { session: 's1', remote: '192.0.2.7', login: 'ada', tls: true, kind: 'auth', reason: 'no such account' };
  assert.deepEqual(
    fake.events.map(({ event, fields }) => [event, fields]),
    [
      ['pop3.login-failed', { ...common, method: 'USER' }],
      ['pop3.login-failed', { ...common, method: 'PLAIN', repeated: true }],
    ],
  );
});

test('what the gate refuses is not looked at: [SYS/TEMP], and no trouble in the log', async () => {
  const asked: string[] = [];
  const base = fakes();
  const directory: Directory = {
    ...base.host.directory,
    authenticate: (claim) => {
      asked.push(claim.login);
      throw new Fault('auth', 'authentication failed');
    },
  };
  const gate: LoginGate = {
    ...watched().gate,
    enter() {
      throw new Throttled('too many attempts, try again later', 500);
    },
  };
  const fake = fakes({ host: { gate, directory } });
  const { session } = startSession(fake.host, facts);
  assert.deepEqual(seen((await say(session, 'USER ada', 'PASS lovelace')).reply), throttled);
  const challenged = await say(session, 'AUTH PLAIN');
  assert.equal(challenged.session.state, 'EXCHANGE');
  const refused = await say(challenged.session, plain('ada', 'lovelace'));
  assert.deepEqual(seen(refused.reply), throttled);
  assert.equal(refused.session.state, 'AUTHORIZATION');
  assert.deepEqual(asked, []);
  assert.deepEqual(
    fake.events.map(({ level, event }) => [level, event]),
    [
      ['debug', 'pop3.login-put-off'],
      ['debug', 'pop3.login-put-off'],
    ],
  );
});

test('an account with too many sessions: the one that is one too many ends at the gate', async () => {
  const { gate, told } = watched();
  const enter: LoginGate['enter'] = (attempt) => ({
    ...(gate.enter(attempt) as Passage),
    succeeded() {
      throw new Throttled('too many connections for this account, try again later', 0);
    },
  });
  const fake = fakes({ host: { gate: { ...gate, enter } } });
  const { reply } = await say(startSession(fake.host, facts).session, 'USER ada', 'PASS lovelace');
  assert.deepEqual(seen(reply), ['-ERR', '[SYS/TEMP] too many connections for this account, try again later', 'throttled', 0]);
  assert.deepEqual(told, ['enter ada USER password 192.0.2.7 tls', 'ended']);
  assert.deepEqual(fake.acts, []);
});

test('a maildrop in use, or trouble of ours, is no failure', async () => {
  const { gate, told } = watched();
  const { host } = fakes({
    host: { gate },
    store: { open: () => Promise.reject(new Fault('in-use', 'another session has this maildrop')) },
  });
  await say(startSession(host, facts).session, 'USER ada', 'PASS lovelace');
  const broken: Directory = { ...host.directory, authenticate: () => Promise.reject(new Error('EIO')) };
  await say(startSession({ ...host, directory: broken }, facts).session, 'USER ada', 'PASS lovelace');
  assert.deepEqual(told, [
    'enter ada USER password 192.0.2.7 tls',
    'succeeded ada',
    'ended',
    'enter ada USER password 192.0.2.7 tls',
    'ended',
  ]);
});

test('an admission by which no maildrop is opened is abandoned once', async () => {
  const { gate } = watched();
  const inUse = fakes({ store: { open: () => Promise.reject(new Fault('in-use', 'another session has this maildrop')) } });
  let abandoned = 0;
  const directory: Directory = {
    ...inUse.host.directory,
    authenticate: async (...asked) => ({ ...(await inUse.host.directory.authenticate(...asked)), abandon: () => abandoned++ }),
  };
  const host = { ...inUse.host, gate, directory };
  await say(startSession(host, facts).session, 'USER ada', 'PASS lovelace');
  assert.equal(abandoned, 1);
  await say(startSession(host, facts).session, 'AUTH PLAIN', plain('ada', 'lovelace'));
  assert.equal(abandoned, 2);
  const { session } = await say(
    startSession({ ...host, store: fakes().host.store }, facts).session,
    'AUTH PLAIN',
    plain('ada', 'lovelace'),
  );
  await disconnected(session);
  assert.equal(abandoned, 2);
});

test('a client that leaves while it waits gives up its place, and its password is never looked at', async () => {
  const { gate, told } = watched(new Promise(() => {}));
  const fake = fakes({ host: { gate } });
  for (const lines of [['USER ada', 'PASS lovelace'], [`AUTH PLAIN ${plain('ada', 'lovelace')}`]]) {
    const { session } = startSession(fake.host, facts);
    const last = lines.pop() ?? '';
    await say(session, ...lines);
    const pending = answer(session, last);
    lost(session);
    assert.equal((await pending).status, '-ERR');
    await disconnected(session);
  }
  assert.deepEqual(told, ['enter ada USER password 192.0.2.7 tls', 'given up', 'enter ada PLAIN password 192.0.2.7 tls', 'given up']);
  assert.deepEqual(fake.acts, []);
});

test('who waited is let in with the right password, and the log tells of the wait', async () => {
  const waiting = Promise.withResolvers<void>();
  const { gate } = watched(waiting.promise);
  const fake = fakes({ host: { gate } });
  const { session } = startSession(fake.host, facts);
  await say(session, 'USER ada');
  const pending = answer(session, 'PASS lovelace');
  assert.deepEqual(
    fake.events.map(({ level, event, fields }) => [level, event, fields]),
    [['debug', 'pop3.login-waits', { session: 's1', remote: '192.0.2.7', method: 'USER', login: 'ada', tls: true }]],
  );
  waiting.resolve();
  assert.equal((await pending).enters?.state, 'TRANSACTION');
  // The wait is over: there is nothing left to give up.
  lost(session);
});

test('a SCRAM exchange that ends between its proof and its last word ends at the gate', async () => {
  const { gate, told } = watched();
  const base = fakes();
  const { account } = await base.host.directory.authenticate(
    { login: 'ada', arrival: facts.arrival },
    { kind: 'password', password: Buffer.from('lovelace') },
    'pop3',
  );
  const directory: Directory = {
    ...base.host.directory,
    authenticate: async () => ({ account, noStatus: false, serverSignature: Buffer.alloc(32, 2) }),
  };
  const { host } = fakes({ host: { gate, directory } });
  for (const end of ['cancel', 'leave']) {
    told.length = 0;
    const first = await say(startSession(host, facts).session, `AUTH SCRAM-SHA-256 ${Buffer.from('n,,n=ada,r=abc').toString('base64')}`);
    const nonce = /r=([^,]*)/.exec(Buffer.from(first.reply.line, 'base64').toString())?.[1];
    const proof = Buffer.alloc(32, 1).toString('base64');
    const final = await say(first.session, Buffer.from(`c=biws,r=${nonce},p=${proof}`).toString('base64'));
    assert.deepEqual([final.reply.status, final.session.state], ['+', 'EXCHANGE']);
    if (end === 'cancel') await say(final.session, '*');
    else await disconnected(final.session);
    assert.deepEqual(told, ['enter ada SCRAM-SHA-256 scram 192.0.2.7 tls', 'succeeded ada', 'ended']);
  }
});

test('a mechanism that refuses without a proof counts as a failure of whoever is there', async () => {
  const { gate, told } = watched();
  const { host } = fakes({ host: { gate } });
  // Another name to act as than the one whose password it is: RFC 4616 section 2.
  const { reply } = await say(startSession(host, facts).session, `AUTH PLAIN ${Buffer.from('eve\0ada\0lovelace').toString('base64')}`);
  assert.deepEqual(seen(reply), ['-ERR', '[AUTH] authentication failed', 'auth', 77]);
  assert.deepEqual(told, ['turned away 192.0.2.7']);
});
