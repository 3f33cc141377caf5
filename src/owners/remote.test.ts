/** A front's directory and store: what they make of logins, and of workers that go, hang or lie. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { scramProof } from '../../test/contracts/directory.ts';
import { envelope, mailboxNamed, text } from '../../test/support/mail.ts';
import { whole } from '../../test/support/mailOctets.ts';
import { directoryOf, type OwnerWorker, ownerHouse } from '../../test/support/ownerWorkers.ts';
import { createMemoryDirectory } from '../directory/memory/index.ts';
import { createMemoryStore } from '../maildrops/memory/index.ts';
import { parseAddress, parseDomainName } from '../model/address.ts';
import { Fault } from '../model/fault.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { MaildropStore, OpenOptions } from '../model/maildrop.ts';
import { plainFrame } from './codec.ts';
import {
  anyFrame,
  claimOf,
  doneFrame,
  folderFor,
  frontFor,
  helloFrame,
  loginFrame,
  messageFrame,
  password,
  playedWorker,
  type Wire,
  workerFor,
} from './fakes.test.ts';
import { MESSAGE, PROTOCOL, tell } from './frames.ts';
import { writeListing } from './listing.ts';
import { writeAccountReply, writeAdmitted, writeDomainReply } from './replies.ts';
import type { Worker } from './whereabouts.ts';

const ada = mailboxNamed('ada@kvt.dk');
const adaAccount = { mailbox: ada, services: new Set(['pop3'] as const), language: undefined };
const nothing: ReadonlySet<never> = new Set();
const cannotLookUp = { kind: 'temporary', text: 'accounts can not be looked up just now' };
const cannotRead = { kind: 'temporary', text: 'the mailbox can not be read just now' };
const cannotWrite = { kind: 'temporary', text: 'the mailbox can not be written just now' };

function address(text: string) {
  const parsed = parseAddress(text);
  assert.ok(parsed);
  return parsed;
}

function domainName(text: string) {
  const parsed = parseDomainName(text);
  assert.ok(parsed);
  return parsed;
}

/** A worker of the test's own making answers each request in turn, and greets first. */
function answering(...answers: readonly Buffer[]): (wire: Wire) => Promise<void> {
  return async (wire) => {
    wire.send(helloFrame);
    for (const answer of answers) {
      if ((await wire.next()) === undefined) return;
      wire.send(answer);
    }
  };
}

const admittedFrame = (messages = [{ uniqueId: 'a', octets: 3, receivedAtMs: 0 }]): Buffer => {
  const listing = writeListing(messages);
  return Buffer.concat([
    writeAdmitted({ account: adaAccount, noStatus: false }, { kind: 'open', listing: listing.size }),
    ...listing.frames,
  ]);
};

test('one connection serves one session after the other', async (t) => {
  const worker = await workerFor(t);
  const front = frontFor(t, [{ path: worker.path, owner: '601:100' }]);
  for (let round = 0; round < 5; round += 1) {
    const { maildrop } = await front.login();
    assert.equal(front.store.counts().sessions, 1);
    await assert.rejects(front.directory.authenticate(claimOf('bob@kvt.dk'), password('guess'), 'pop3'), { kind: 'auth' });
    await (round % 2 === 0 ? maildrop.update(nothing, nothing) : maildrop[Symbol.asyncDispose]());
    await maildrop[Symbol.asyncDispose]();
  }
  assert.deepEqual(front.store.counts(), { connections: 2, idle: 2, sessions: 0 });
  assert.equal(worker.server.counts().connections, 2);
});

test('a mailbox that nobody has logged in to here is not opened, and one that has is opened once', async (t) => {
  const worker = await workerFor(t);
  const front = frontFor(t, [{ path: worker.path, owner: '601:100' }]);
  await assert.rejects(front.store.open(ada), { kind: 'permanent', text: 'the mailbox can not be used' });
  const { maildrop, mailbox } = await front.login();
  await assert.rejects(front.store.open(mailbox), { kind: 'permanent' });
  await maildrop[Symbol.asyncDispose]();
});

test('an admission that nobody wants gives the maildrop back', async (t) => {
  const worker = await workerFor(t);
  const front = frontFor(t, [{ path: worker.path, owner: '601:100' }]);
  const admission = await front.directory.authenticate(claimOf('ada@kvt.dk'), password('secret'), 'pop3');
  assert.equal(worker.server.counts().sessions, 1);
  admission.abandon?.();
  admission.abandon?.();
  await assert.rejects(front.store.open(admission.account.mailbox), { kind: 'permanent' });
  // The next request waits for nothing: it may be the worker's turn still.
  const { maildrop } = await until(() => front.login());
  // Too late to take anything away.
  admission.abandon?.();
  assert.equal(worker.server.counts().sessions, 1);
  await maildrop[Symbol.asyncDispose]();
});

test('SCRAM opens the maildrop when the client has agreed to the proof, or not at all', async (t) => {
  const worker = await workerFor(t);
  const front = frontFor(t, [{ path: worker.path, owner: '601:100' }]);
  const login = async () => {
    const { salt, iterations } = await front.directory.scramParameters(claimOf('ada@kvt.dk'), 'sha256');
    const { proof, signature } = scramProof('sha256', 'secret', salt, iterations);
    const admission = await front.directory.authenticate(claimOf('ada@kvt.dk'), proof, 'pop3');
    assert.deepEqual(admission.serverSignature, signature);
    return admission;
  };
  const first = await login();
  assert.equal(worker.server.counts().sessions, 0);
  first.abandon?.();
  const second = await login();
  const maildrop = await front.store.open(second.account.mailbox);
  assert.equal(worker.server.counts().sessions, 1);
  await maildrop[Symbol.asyncDispose]();
  assert.deepEqual([front.store.counts().sessions, worker.server.counts().sessions], [0, 0]);
});

test('why a maildrop can not be opened is said when it is opened', async (t) => {
  const worker = await workerFor(t, undefined, { loginDelayS: 60, lastLogins: { tooSoon: () => true, note() {} } });
  const front = frontFor(t, [{ path: worker.path, owner: '601:100' }]);
  const { account } = await front.directory.authenticate(claimOf('ada@kvt.dk'), password('secret'), 'pop3');
  await assert.rejects(front.store.open(account.mailbox), { kind: 'login-delay', values: { seconds: 60 } });
  assert.deepEqual(front.store.counts(), { connections: 1, idle: 1, sessions: 0 });
});

test('s- reaches the store, at once and with SCRAM', async (t) => {
  const opened: (OpenOptions | undefined)[] = [];
  const store = createMemoryStore();
  const watched: MaildropStore = {
    ...store,
    open(mailbox, options) {
      opened.push(options);
      return store.open(mailbox);
    },
  };
  const worker = await workerFor(t, watched);
  const front = frontFor(t, [{ path: worker.path, owner: '601:100' }]);
  for (const login of ['ada@kvt.dk', 's-ada@kvt.dk']) await (await front.login(login)).maildrop[Symbol.asyncDispose]();
  const { salt, iterations } = await front.directory.scramParameters(claimOf('s-ada@kvt.dk'), 'sha1');
  const admission = await front.directory.authenticate(
    claimOf('s-ada@kvt.dk'),
    scramProof('sha1', 'secret', salt, iterations).proof,
    'pop3',
  );
  await (await front.store.open(admission.account.mailbox))[Symbol.asyncDispose]();
  assert.deepEqual(opened, [{ noStatus: false }, { noStatus: true }, { noStatus: true }]);
});

test('domains that are nobody\u2019s: the words of a wrong password, the reason for the log, and a salt that stays', async (t) => {
  const front = frontFor(t, []);
  for (const [login, cause] of [
    ['ada@nowhere.example', 'no such domain'],
    ['ada', 'no such user'],
    ['../../etc/passwd', 'no such user'],
  ] as const) {
    await assert.rejects(front.directory.authenticate(claimOf(login), password('secret'), 'pop3'), {
      kind: 'auth',
      text: 'authentication failed',
      cause,
    });
  }
  const invented = await front.directory.scramParameters(claimOf('ada@nowhere.example'), 'sha256');
  assert.deepEqual([invented.salt.length, invented.iterations], [16, 4096]);
  assert.deepEqual(await frontFor(t, []).directory.scramParameters(claimOf('s-ADA%nowhere.example'), 'sha256'), invented);
  assert.equal(await front.directory.account(address('ada@nowhere.example')), undefined);
  assert.equal(await front.directory.domain(domainName('nowhere.example')), undefined);
  const { steps, account } = await front.directory.explain(claimOf('ada@nowhere.example'));
  assert.deepEqual(
    [steps.at(-2), steps.at(-1), account],
    [{ rule: 'account ada@nowhere.example', outcome: 'not a domain of ours' }, { rule: 'account', outcome: 'none' }, undefined],
  );
  await assert.rejects(front.store.deliver(mailboxNamed('ada@nowhere.example'), [text('x')], envelope), cannotWrite);
});

/** The host's user jens, kvt.dk as default domain with ada and s-ann in it, and other.example. */
function hostHouse(t: TestContext) {
  const jens: Mailbox = { name: 'jens', user: address('jens@kvt.dk').user, domain: undefined, home: undefined, owner: undefined };
  const ann: Mailbox = { ...jens, name: 'ann', user: address('ann@kvt.dk').user };
  const system = (mailbox: Mailbox): OwnerWorker => {
    const directory = createMemoryDirectory(new Map([[mailbox.name, { mailbox, password: 'secret' }]]), {
      defaultDomain: domainName('kvt.dk'),
    });
    return {
      domains: [],
      systemUsers: [mailbox.name],
      directory: {
        ...directory,
        authenticate(claim, ...proof) {
          // Whatever else a login could mean is in files that this user may not read.
          assert.deepEqual([claim.login, claim.arrival.serverName], [mailbox.name, undefined]);
          return directory.authenticate(claim, ...proof);
        },
      },
      store: createMemoryStore(),
    };
  };
  const rules = { delimiters: '@%', options: true, defaultDomain: domainName('kvt.dk'), addresses: new Map() };
  const owners: OwnerWorker[] = [
    system(jens),
    system(ann),
    { domains: ['kvt.dk'], directory: directoryOf('ada@kvt.dk', 's-ann@kvt.dk', 'jens@kvt.dk'), store: createMemoryStore() },
    { domains: ['other.example'], directory: directoryOf('jens@other.example'), store: createMemoryStore() },
  ];
  return { jens, ...ownerHouse(t, owners, { rules, systemUsers: true }) };
}

test('users of the host come before accounts of the default domain, name by name', async (t) => {
  const { directory } = hostHouse(t);
  const table: [string, string, boolean][] = [
    ['jens', 'jens', false],
    ['jens@kvt.dk', 'jens', false],
    ['s-JENS%kvt.dk', 'jens', true],
    ['ada', 'ada@kvt.dk', false],
    ['s-ada', 'ada@kvt.dk', true],
    // An account that is really called so comes before the option.
    ['s-ann', 's-ann@kvt.dk', false],
    ['ann', 'ann', false],
    ['jens@other.example', 'jens@other.example', false],
  ];
  for (const [login, name, noStatus] of table) {
    const admission = await directory.authenticate(claimOf(login), password('secret'), 'pop3');
    assert.deepEqual([login, admission.account.mailbox.name, admission.noStatus], [login, name, noStatus]);
    admission.abandon?.();
  }
  for (const login of ['nobody', 's-nobody', 'nobody@kvt.dk', 's-nobody@other.example']) {
    await assert.rejects(directory.authenticate(claimOf(login), password('secret'), 'pop3'), {
      kind: 'auth',
      text: 'authentication failed',
    });
  }
});

test('mail for a user of the host goes to that user\u2019s worker', async (t) => {
  const { directory, jens, servers, store } = hostHouse(t);
  assert.deepEqual((await directory.account(address('jens@kvt.dk')))?.mailbox, jens);
  await store.deliver(jens, [text('for jens')], envelope);
  assert.equal((await store.locate(jens)).path, 'jens');
  const { account } = await directory.authenticate(claimOf('jens'), password('secret'), 'pop3');
  const maildrop = await store.open(account.mailbox);
  assert.deepEqual(servers[0]?.counts().byDomain, new Map([[null, 1]]));
  assert.deepEqual(await whole(maildrop.retrieve(present(maildrop.messages[0]))), text('for jens'));
  await maildrop[Symbol.asyncDispose]();
});

test('a default domain without accounts of its own is ours as long as the host\u2019s users may log in', async (t) => {
  const rules = { delimiters: '@%', options: true, defaultDomain: domainName('jth.net'), addresses: new Map() };
  assert.deepEqual(await frontFor(t, [], { rules, systemUsers: true }).directory.domain(domainName('jth.net')), {
    name: 'jth.net',
    unknownUsers: { kind: 'bounce' },
  });
  assert.equal(await frontFor(t, [], { rules }).directory.domain(domainName('jth.net')), undefined);
});

test('what is announced: passwords, and what the host wants, until a domain\u2019s worker has said more', async (t) => {
  const worker = await workerFor(t);
  const arrival = { localAddress: undefined, serverName: 'KVT.dk' };
  const front = frontFor(t, [{ path: worker.path, owner: '601:100' }]);
  assert.deepEqual([...front.directory.proofKinds(arrival)], ['password']);
  // It is asked meanwhile.
  const kinds = await until(async () => {
    const found = front.directory.proofKinds(arrival);
    assert.ok(found.size > 1);
    return found;
  });
  assert.deepEqual([...kinds].sort(), ['apop', 'cram-md5', 'password', 'scram-sha-1', 'scram-sha-256']);
  const firm = frontFor(t, [], { mechanisms: ['PLAIN', 'SCRAM-SHA-256-PLUS'] });
  for (const at of [arrival, { localAddress: undefined, serverName: undefined }]) {
    assert.deepEqual([...firm.directory.proofKinds(at)].sort(), ['password', 'scram-sha-256']);
  }
});

test('a worker that is not there any more is forgotten, and the next one is asked', async (t) => {
  const gone: Worker = { path: join(folderFor(t), 'gone.sock'), owner: '601:100' };
  const deaf = await playedWorker(t, (wire) => wire.socket.destroy());
  const worker = await workerFor(t);
  const front = frontFor(t, [gone, deaf, { path: worker.path, owner: '601:100' }]);
  const { maildrop } = await front.login();
  assert.deepEqual(front.forgotten, [gone, deaf]);
  await maildrop[Symbol.asyncDispose]();
});

test('a delivery goes to the worker that takes it, whole', async (t) => {
  const store = createMemoryStore();
  const worker = await workerFor(t, store);
  const deaf = await playedWorker(t, (wire) => wire.socket.destroy());
  const front = frontFor(t, [deaf, { path: worker.path, owner: '601:100' }]);
  let begun = 0;
  const message = (async function* () {
    begun += 1;
    for (const piece of ['Subject: ', 'whole\r\n', '\r\n', 'yes\r\n']) yield Buffer.from(piece);
  })();
  await front.store.deliver(ada, message, envelope);
  await using maildrop = await store.open(ada);
  assert.deepEqual(await Promise.all(maildrop.messages.map(async (one) => (await whole(maildrop.retrieve(one))).toString())), [
    'Subject: whole\r\n\r\nyes\r\n',
  ]);
  assert.equal(begun, 1);
});

test('workers that never take a connection: asked so many times, and then it is a matter for later', async (t) => {
  let connections = 0;
  const deaf = await playedWorker(t, (wire) => {
    connections += 1;
    wire.socket.destroy();
  });
  const front = frontFor(t, [deaf]);
  await assert.rejects(front.login(), cannotLookUp);
  assert.equal(connections, 4);
  await assert.rejects(front.store.deliver(ada, [text('x')], envelope), cannotWrite);
  await assert.rejects(front.store.locate(ada), cannotRead);
  await assert.rejects(front.once.first(ada, 'receipt', 'x', 1), cannotWrite);
  await assert.rejects(front.store.usage(ada), cannotRead);
});

test('a worker that dies with a login in its hands: the login is made again', async (t) => {
  const worker = await workerFor(t);
  const dying = await playedWorker(t, async (wire, connection) => {
    if (connection === 1) wire.send(helloFrame);
    if (connection === 1) await wire.next();
    wire.socket.destroy();
  });
  const front = frontFor(t, [dying, { path: worker.path, owner: '601:100' }]);
  const { maildrop } = await front.login();
  assert.deepEqual(front.forgotten, [dying]);
  await maildrop[Symbol.asyncDispose]();
});

test('a worker that dies with a delivery in its hands: it is not made again, the sender is told to come back', async (t) => {
  let connections = 0;
  const dying = await playedWorker(t, async (wire) => {
    connections += 1;
    wire.send(helloFrame);
    await wire.typesUntil(MESSAGE);
    wire.socket.destroy();
  });
  const front = frontFor(t, [dying]);
  const endless = (async function* () {
    for (;;) yield Buffer.alloc(60_000);
  })();
  for (const message of [[text('x')], endless]) await assert.rejects(front.store.deliver(ada, message, envelope), cannotWrite);
  assert.equal(connections, 2);
});

test('a worker that dies with what is to be done once in its hands: whether it was remembered, nobody knows', async (t) => {
  let connections = 0;
  const dying = await playedWorker(t, async (wire) => {
    connections += 1;
    wire.send(helloFrame);
    await wire.next();
    wire.socket.destroy();
  });
  const front = frontFor(t, [dying]);
  await assert.rejects(front.once.first(ada, 'receipt', 'x', 3600), cannotWrite);
  assert.equal(connections, 1, 'it is not asked again');
  await assert.rejects(front.once.first(ada, 'receipt', 'x'.repeat(5000), 3600), cannotWrite);
  assert.equal(connections, 1, 'nor is what no worker reads');
});

test('a worker that lies about what a mailbox or a domain holds is cut off, and mail waits', async (t) => {
  const usage = (...octets: number[]) => anyFrame(tell.usage, Uint8Array.from(octets));
  const zero = [0, 0, 0, 0, 0, 0, 0, 0];
  for (const lie of [
    usage(),
    usage(...zero),
    usage(...zero, 2),
    usage(...zero, 0, 0),
    usage(...zero, 1),
    // -1, and not a number.
    usage(0, 0, 0, 0, 0, 0, 0xf0, 0xbf, 0),
    usage(0, 0, 0, 0, 0, 0, 0xf8, 0x7f, 0),
    doneFrame,
    writeAccountReply(undefined),
  ]) {
    for (const ask of ['mailbox', 'domain'] as const) {
      const front = frontFor(t, [await playedWorker(t, answering(lie))]);
      await assert.rejects(ask === 'mailbox' ? front.store.usage(ada) : front.store.domains.of(domainName('kvt.dk')), cannotRead);
      assert.equal(front.events[0]?.event, 'owners.malformed');
    }
  }
});

test('usage of a mailbox and of a domain is what the worker finds; nobody knows that of a domain elsewhere', async (t) => {
  const store = createMemoryStore();
  const worker = await workerFor(t, store);
  const front = frontFor(t, [{ path: worker.path, owner: '601:100' }]);
  for (const name of ['ada@kvt.dk', 'bob@kvt.dk']) await front.store.deliver(mailboxNamed(name), [text('x')], envelope);
  const octets = text('x').length;
  assert.deepEqual(await front.store.usage(ada), { octets, messages: 1 });
  assert.deepEqual(await front.store.domains.of(domainName('kvt.dk'), true), { octets: 2 * octets, messages: 2 });
  await assert.rejects(front.store.domains.of(domainName('other.example')), cannotRead);
  await assert.rejects(front.store.usage(mailboxNamed('ada@other.example')), cannotRead);
});

test('a worker that lies about what was done once is cut off', async (t) => {
  for (const lie of [
    anyFrame(tell.first, Uint8Array.of()),
    anyFrame(tell.first, Uint8Array.of(2)),
    anyFrame(tell.first, Uint8Array.of(1, 1)),
    doneFrame,
    writeAccountReply(undefined),
  ]) {
    const front = frontFor(t, [await playedWorker(t, answering(lie))]);
    await assert.rejects(front.once.first(ada, 'receipt', 'x', 3600), cannotWrite);
    assert.equal(front.events[0]?.event, 'owners.malformed');
  }
});

test('a message that breaks off on this side is delivered to nobody, and says why', async (t) => {
  const store = createMemoryStore();
  const worker = await workerFor(t, store);
  const front = frontFor(t, [{ path: worker.path, owner: '601:100' }]);
  const broken = (async function* () {
    yield Buffer.alloc(100_000, 'x');
    throw new Error('the spool is gone');
  })();
  await assert.rejects(front.store.deliver(ada, broken, envelope), new Error('the spool is gone'));
  assert.equal((await store.locate(ada)).exists, false);
  assert.deepEqual(front.store.counts(), { connections: 1, idle: 1, sessions: 0 });
});

test('a disc that is slow makes the sender wait, and the message is whole in the end', async (t) => {
  const { promise: ready, resolve: begin } = Promise.withResolvers<void>();
  const got: Buffer[] = [];
  const slow: MaildropStore = {
    ...createMemoryStore(),
    async deliver(_, message) {
      await ready;
      for await (const piece of message) got.push(Buffer.from(piece));
    },
  };
  const worker = await workerFor(t, slow);
  const front = frontFor(t, [{ path: worker.path, owner: '601:100' }]);
  let sent = 0;
  const pieces = Array.from({ length: 200 }, (_, n) => Buffer.alloc(100_000, `piece ${n}\n`));
  const message = (async function* () {
    for (const piece of pieces) {
      sent += piece.length;
      yield piece;
    }
  })();
  const delivered = front.store.deliver(ada, message, envelope);
  // Time enough for a message that nothing holds back.
  for (let question = 0; question < 200; question += 1) await front.directory.account(address('ada@kvt.dk'));
  assert.ok(sent > 0 && sent < 2_000_000, `${sent} octets are on their way`);
  begin();
  await delivered;
  assert.ok(Buffer.concat(got).equals(Buffer.concat(pieces)));
});

test('a delivery that is refused early is not sent to its end', async (t) => {
  const full: MaildropStore = {
    ...createMemoryStore(),
    deliver: () => Promise.reject(new Fault('over-quota', 'the mailbox can not be used')),
  };
  const worker = await workerFor(t, full);
  const front = frontFor(t, [{ path: worker.path, owner: '601:100' }]);
  let closed = false;
  const endless = (async function* () {
    try {
      for (;;) yield Buffer.alloc(60_000);
    } finally {
      closed = true;
    }
  })();
  await assert.rejects(front.store.deliver(ada, endless, envelope), { kind: 'over-quota' });
  assert.equal(closed, true);
  // The connection is in order.
  const { maildrop } = await front.login();
  assert.equal(front.store.counts().connections, 1);
  await maildrop[Symbol.asyncDispose]();
});

test('a maildrop whose worker is gone: every way to it ends in a fault, and letting go of it does not', async (t) => {
  const store = createMemoryStore();
  await store.deliver(ada, [text('one')], envelope);
  const worker = await workerFor(t, store);
  const front = frontFor(t, [{ path: worker.path, owner: '601:100' }]);
  const { maildrop } = await front.login();
  const [message] = maildrop.messages;
  assert.ok(message);
  assert.equal(maildrop.lost, false);
  await worker.server.stop(0);
  await assert.rejects(async () => whole(maildrop.retrieve(message)), cannotRead);
  assert.equal(maildrop.lost, true);
  await assert.rejects(maildrop.update(nothing, nothing), cannotWrite);
  await maildrop[Symbol.asyncDispose]();
  assert.deepEqual(front.store.counts(), { connections: 0, idle: 0, sessions: 0 });
});

test('a worker that dies in the middle of a message, of an update, of a listing', async (t) => {
  const login = admittedFrame();
  const table: [string, Buffer, (front: ReturnType<typeof frontFor>) => Promise<unknown>, object][] = [
    [
      'retrieve',
      Buffer.concat([login, messageFrame(Buffer.from('Sub'))]),
      async (front) => {
        const { maildrop } = await front.login();
        return whole(maildrop.retrieve(present(maildrop.messages[0])));
      },
      cannotRead,
    ],
    ['update', login, async (front) => (await front.login()).maildrop.update(nothing, nothing), cannotWrite],
    ['listing', login.subarray(0, -1), (front) => front.login(), cannotLookUp],
  ];
  for (const [what, octets, act, fault] of table) {
    const dying = await playedWorker(t, async (wire) => {
      wire.send(helloFrame);
      await wire.next();
      wire.send(octets.subarray(0, login.length));
      if (octets.length >= login.length) await wire.next();
      wire.send(octets.subarray(login.length));
      wire.socket.end();
    });
    await assert.rejects(act(frontFor(t, [dying])), fault, what);
  }
});

test('a worker that hangs is given up', async (t) => {
  const login = admittedFrame();
  const mute = await playedWorker(t, () => {});
  const hanging = await playedWorker(t, answering());
  const lazy = await playedWorker(t, answering(login));
  const options = { timeoutMs: 60 };
  await assert.rejects(frontFor(t, [mute], options).login(), cannotLookUp);
  await assert.rejects(frontFor(t, [hanging], options).login(), cannotLookUp);
  await assert.rejects(frontFor(t, [hanging], options).store.deliver(ada, [text('x')], envelope), cannotWrite);
  const front = frontFor(t, [lazy], options);
  const { maildrop } = await front.login();
  await assert.rejects(async () => whole(maildrop.retrieve(present(maildrop.messages[0]))), cannotRead);
  await assert.rejects((await front.login()).maildrop.update(nothing, nothing), cannotWrite);
  // Nobody hears that it is given back, and nobody waits for ever.
  await (await front.login()).maildrop[Symbol.asyncDispose]();
});

test('a goodbye: a connection that rests is closed, and one that is needed serves to the end of its session', async (t) => {
  const wires: Wire[] = [];
  const bye = plainFrame(tell.bye);
  const leaving = await playedWorker(t, async (wire) => {
    wires.push(wire);
    await answering(admittedFrame(), doneFrame)(wire);
  });
  const front = frontFor(t, [leaving]);
  const needed = (await front.login()).maildrop;
  wires[0]?.send(bye);
  await needed.update(nothing, nothing);
  await wires[0]?.closed;

  await (await front.login()).maildrop.update(nothing, nothing);
  assert.deepEqual(front.store.counts(), { connections: 1, idle: 1, sessions: 0 });
  wires[1]?.send(bye);
  await wires[1]?.closed;
  await until(async () => assert.deepEqual(front.store.counts(), { connections: 0, idle: 0, sessions: 0 }));
  assert.deepEqual(front.forgotten, []);
});

test('a worker that idles ends with a front connected to it, and the next login finds another', async (t) => {
  const idle = Promise.withResolvers<void>();
  const worker = await workerFor(t, undefined, { onIdle: idle.resolve });
  const next = await workerFor(t);
  const front = frontFor(t, [
    { path: worker.path, owner: '601:100' },
    { path: next.path, owner: '601:100' },
  ]);
  await (await front.login()).maildrop[Symbol.asyncDispose]();
  worker.server.endIfIdle();
  await idle.promise;
  await (await front.login()).maildrop[Symbol.asyncDispose]();
  assert.equal(next.server.counts().requests, 2);
});

test('another version of the protocol is not spoken to', async (t) => {
  const other = await playedWorker(t, (wire) => wire.send(plainFrame(tell.hello, PROTOCOL + 1)));
  const front = frontFor(t, [other]);
  await assert.rejects(front.login(), cannotLookUp);
  assert.deepEqual(front.events[0], { event: 'owners.malformed', fields: { from: 'worker 601:100', reason: 'no greeting that we know' } });
});

test('a worker that lies is cut off: lines in a unique-id, accounts of others, answers to nothing', async (t) => {
  const bad = { uniqueId: 'a\r\n+OK', octets: 3, receivedAtMs: 0 };
  const bob = { ...adaAccount, mailbox: mailboxNamed('bob@kvt.dk') };
  const elsewhere = { ...adaAccount, mailbox: mailboxNamed('ada@other.example') };
  const login = (front: ReturnType<typeof frontFor>) => front.login();
  const lookUp = (front: ReturnType<typeof frontFor>) => front.directory.account(address('ada@kvt.dk'));
  const lies: [Buffer, (front: ReturnType<typeof frontFor>) => Promise<unknown>][] = [
    [admittedFrame([bad]), login],
    [admittedFrame([{ ...bad, uniqueId: 'a', octets: -1 }]), login],
    [admittedFrame([{ ...bad, uniqueId: 'a', octets: Number.NaN }]), login],
    [writeAdmitted({ account: elsewhere, noStatus: false }, { kind: 'open', listing: { messages: 0, octets: 0 } }), login],
    [writeAdmitted({ account: adaAccount, noStatus: false }, { kind: 'none' }), login],
    [writeAdmitted({ account: adaAccount, noStatus: false }, { kind: 'open', listing: { messages: 2 ** 31, octets: 2 ** 32 - 1 } }), login],
    [writeAdmitted({ account: adaAccount, noStatus: false }, { kind: 'open', listing: { messages: 2, octets: 3 } }), login],
    [writeAccountReply(bob), lookUp],
    [writeAccountReply(elsewhere), lookUp],
    [doneFrame, lookUp],
    [messageFrame(Buffer.from('x')), lookUp],
    [loginFrame(), lookUp],
    [
      writeDomainReply({ domain: { name: domainName('other.example'), unknownUsers: { kind: 'bounce' } }, kinds: new Set() }),
      (front) => front.directory.domain(domainName('kvt.dk')),
    ],
  ];
  for (const [index, [lie, act]] of lies.entries()) {
    const front = frontFor(t, [await playedWorker(t, answering(lie))]);
    await assert.rejects(act(front), cannotLookUp, `lie ${index}`);
    assert.equal(front.events[0]?.event, 'owners.malformed', `lie ${index}`);
    assert.equal(front.store.counts().connections, 0);
  }
});

test('whatever a worker sends, a front ends with an answer or a fault', async (t) => {
  const type = fc.oneof(fc.constantFrom(...Object.values(tell), MESSAGE), fc.nat(255));
  const payload = fc.array(fc.oneof(fc.constantFrom(0, 0, 1, 2, 4), fc.nat(255)), { maxLength: 60 });
  const good = fc.constantFrom(
    helloFrame,
    doneFrame,
    admittedFrame(),
    writeAccountReply(adaAccount),
    messageFrame(Buffer.from('x')),
    plainFrame(tell.bye),
  );
  const frame = fc.oneof(
    { weight: 3, arbitrary: good },
    { weight: 1, arbitrary: fc.tuple(type, payload).map(([kind, octets]) => anyFrame(kind, Uint8Array.from(octets))) },
  );
  let script: readonly Buffer[] = [];
  const random = await playedWorker(t, async (wire) => {
    wire.send(helloFrame);
    await wire.next();
    for (const octets of script) {
      wire.send(octets);
      await new Promise((resolve) => setImmediate(resolve));
    }
    wire.socket.end();
  });
  const front = frontFor(t, [random]);
  const noise = fc.uint8Array({ maxLength: 40 }).map((octets) => Buffer.from(octets));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(frame, noise), { maxLength: 6 }), async (octets) => {
      script = octets;
      const acts = [
        async () => {
          const { maildrop } = await front.login();
          for (const message of maildrop.messages) await whole(maildrop.retrieve(message));
          await maildrop.update(new Set(maildrop.messages), nothing);
        },
        () => front.directory.account(address('ada@kvt.dk')),
        () => front.store.deliver(ada, [text('x')], envelope),
        () => front.once.first(ada, 'receipt', 'x', 1),
        () => front.store.usage(ada),
      ];
      for (const act of acts) {
        await act().catch((thrown: unknown) => {
          assert.ok(thrown instanceof Fault, String(thrown));
        });
      }
    }),
    { numRuns: 150 },
  );
  assert.equal(front.store.counts().sessions, 0);
});

test('close lets go of maildrops and waits for deliveries', async (t) => {
  const store = createMemoryStore();
  const { promise: slowly, resolve: deliver } = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const slow: MaildropStore = {
    ...store,
    async deliver(...delivery) {
      begun.resolve();
      await slowly;
      await store.deliver(...delivery);
    },
  };
  const worker = await workerFor(t, slow);
  const front = frontFor(t, [{ path: worker.path, owner: '601:100' }]);
  const { maildrop } = await front.login();
  const delivered = front.store.deliver(ada, [text('one')], envelope);
  await begun.promise;
  const closed = front.store.close();
  await assert.rejects(maildrop.update(nothing, nothing), cannotWrite);
  deliver();
  await Promise.all([delivered, closed]);
  assert.deepEqual(front.store.counts(), { connections: 0, idle: 0, sessions: 0 });
  assert.equal((await until(() => store.open(ada))).messages.length, 1);
});

function present<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}

/** As soon as it succeeds: what the other side does meanwhile can be seen in no other way. */
async function until<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
