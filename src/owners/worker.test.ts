/** A worker against fronts without manners: what was shown on a connection is all that may be done on it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { envelope, mailboxNamed, text } from '../../test/support/mail.ts';
import { directoryOf, usualWorker } from '../../test/support/ownerWorkers.ts';
import { createMemoryStore } from '../maildrops/memory/index.ts';
import { parseAddress } from '../model/address.ts';
import { Fault } from '../model/fault.ts';
import type { Maildrop, MaildropStore } from '../model/maildrop.ts';
import { plainFrame } from './codec.ts';
import { anyFrame, claimOf, doneFrame, loginFrame, messageFrame, password, type Wire, workerFor } from './fakes.test.ts';
import { readFault } from './faults.ts';
import { Unwritable } from './frameStream.ts';
import { ask, MESSAGE, tell } from './frames.ts';
import { readAccountReply, readAdmitted, readFirstReply } from './replies.ts';
import { writeAccountRequest, writeAuthenticate, writeDeliver, writeFirst, writeOpen, writeRetrieve } from './requests.ts';

const ada = mailboxNamed('ada@kvt.dk');
const bob = mailboxNamed('bob@kvt.dk');
const release = plainFrame(ask.release);
const update = plainFrame(ask.update);
const endOfMessage = plainFrame(ask.endOfMessage);

/** Ada has one message and bob has one. */
async function withMail(): Promise<MaildropStore> {
  const store = createMemoryStore();
  await store.deliver(ada, [text('for ada')], envelope);
  await store.deliver(bob, [text('for bob')], envelope);
  return store;
}

async function loggedIn(front: Wire, login?: string): Promise<void> {
  front.send(loginFrame(login));
  const { opening } = readAdmitted(await front.expect(tell.admitted));
  assert.equal(opening.kind, 'open');
  if (opening.kind === 'open' && opening.listing.messages > 0) await front.expect(tell.listing);
}

async function faultFrom(front: Wire): Promise<[string, string, unknown]> {
  const { kind, text: said, cause } = readFault(await front.expect(tell.fault));
  return [kind, said, cause];
}

function deliverFrame(to = 'ada@kvt.dk'): Buffer {
  const address = parseAddress(to);
  assert.ok(address);
  return writeDeliver({ to: { address, system: false }, envelope });
}

test('a login opens the maildrop of that account and of no other', async (t) => {
  const { front, server } = await workerFor(t, await withMail());
  const wire = await front();
  await loggedIn(wire, 'bob@kvt.dk');
  assert.deepEqual(server.counts().byDomain, new Map([['kvt.dk', 1]]));
  wire.send(writeRetrieve(0, 0));
  const message = await wire.next();
  assert.deepEqual([message?.type, message?.octets.toString()], [MESSAGE, text('for bob').toString()]);
  await wire.expect(tell.done);
});

test('without a login there is nothing to retrieve, to mark, to remove or to open', async (t) => {
  const { front, events } = await workerFor(t, await withMail());
  for (const request of [writeRetrieve(0, 0), anyFrame(ask.mark, Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 0, 0)), update, writeOpen(false)]) {
    const wire = await front();
    wire.send(request);
    assert.equal(await wire.next(), undefined, 'the connection is closed');
  }
  assert.deepEqual(
    events.map(({ event, fields }) => [event, fields.from]),
    Array.from({ length: 4 }, () => ['owners.malformed', 'front']),
  );
});

test('a wrong password opens nothing, and takes away what was open', async (t) => {
  const { front, server } = await workerFor(t, await withMail());
  const wire = await front();
  await loggedIn(wire);
  wire.send(loginFrame('bob@kvt.dk', 'guess'));
  assert.deepEqual(await faultFrom(wire), ['auth', 'authentication failed', 'wrong password']);
  assert.equal(server.counts().sessions, 0);
  wire.send(writeRetrieve(0, 0));
  assert.equal(await wire.next(), undefined);
});

test('after a release, an update or another login the maildrop before it is out of reach, and free for others', async (t) => {
  const { front } = await workerFor(t, await withMail());
  for (const letGo of [release, update, loginFrame('bob@kvt.dk')]) {
    const wire = await front();
    await loggedIn(wire);
    wire.send(letGo);
    assert.ok([tell.done, tell.admitted].includes((await wire.next())?.type as never));
    const other = await front();
    await loggedIn(other, 'ada@kvt.dk');
    if (letGo !== release && letGo !== update) await wire.expect(tell.listing);
    else {
      wire.send(writeRetrieve(0, 0));
      assert.equal(await wire.next(), undefined);
    }
    wire.socket.destroy();
    other.send(release);
    await other.expect(tell.done);
  }
});

test('a login for something else than POP3 opens nothing', async (t) => {
  const { front } = await workerFor(t, await withMail());
  const wire = await front();
  wire.send(
    writeAuthenticate({ claim: claimOf('ada@kvt.dk'), proof: password('secret'), service: 'smtp-auth', opens: true, noStatus: false }),
  );
  assert.deepEqual(readAdmitted(await wire.expect(tell.admitted)).opening, { kind: 'none' });
  wire.send(writeOpen(false));
  assert.equal(await wire.next(), undefined);
});

test('a login that opens later opens once', async (t) => {
  const { front } = await workerFor(t, await withMail());
  const wire = await front();
  wire.send(writeAuthenticate({ claim: claimOf('ada@kvt.dk'), proof: password('secret'), service: 'pop3', opens: false, noStatus: false }));
  assert.deepEqual(readAdmitted(await wire.expect(tell.admitted)).opening, { kind: 'none' });
  wire.send(writeOpen(false));
  await wire.expect(tell.opened);
  await wire.expect(tell.listing);
  wire.send(release);
  await wire.expect(tell.done);
  wire.send(writeOpen(false));
  assert.equal(await wire.next(), undefined);
});

test('what one connection has shown is nothing to another', async (t) => {
  const { front } = await workerFor(t, await withMail());
  const [one, other] = [await front(), await front()];
  await loggedIn(one);
  other.send(writeRetrieve(0, 0));
  assert.equal(await other.next(), undefined);
  const third = await front();
  third.send(loginFrame());
  const { opening } = readAdmitted(await third.expect(tell.admitted));
  assert.deepEqual(opening.kind === 'fault' && [opening.fault.kind, opening.fault.text], ['in-use', 'another session has this maildrop']);
  one.socket.destroy();
  await one.closed;
  // The worker hears of it by itself; until then the maildrop is in use.
  for (;;) {
    third.send(loginFrame());
    const { opening: again } = readAdmitted(await third.expect(tell.admitted));
    if (again.kind === 'open') break;
    assert.equal(again.kind === 'fault' && again.fault.kind, 'in-use');
  }
});

test('a request before the answer to the last one ends the connection', async (t) => {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const slow = createMemoryStore();
  const disposed = Promise.withResolvers<void>();
  const store: MaildropStore = {
    ...slow,
    async open(mailbox) {
      await opened;
      const maildrop = await slow.open(mailbox);
      const wrapped: Maildrop = {
        messages: maildrop.messages,
        retrieve: (message) => maildrop.retrieve(message),
        update: (...marks) => maildrop.update(...marks),
        async [Symbol.asyncDispose]() {
          await maildrop[Symbol.asyncDispose]();
          disposed.resolve();
        },
      };
      return wrapped;
    },
  };
  const { front, server } = await workerFor(t, store);
  const wire = await front();
  wire.send(loginFrame(), loginFrame('bob@kvt.dk'));
  assert.equal(await wire.next(), undefined);
  // What was being opened meanwhile is let go of.
  open();
  await disposed.promise;
  await server.stop(0);
  assert.equal(server.counts().sessions, 0);
});

test('looking up and delivering take no password', async (t) => {
  const store = await withMail();
  const { front, server } = await workerFor(t, store);
  const wire = await front();
  const address = parseAddress('ada@kvt.dk');
  assert.ok(address);
  wire.send(writeAccountRequest({ address, system: false }));
  assert.deepEqual(readAccountReply(await wire.expect(tell.account))?.mailbox, ada);
  wire.send(deliverFrame(), messageFrame(Buffer.from('Subject: two')), messageFrame(Buffer.from('\r\n\r\n')), endOfMessage);
  await wire.expect(tell.done);
  assert.equal(server.counts().deliveries, 1);
  await using maildrop = await store.open(ada);
  assert.deepEqual(
    maildrop.messages.map(({ octets }) => octets),
    [text('for ada').length, 16],
  );
});

test('a user of the host is not an account of a domain, nor the other way round', async (t) => {
  const { front } = await workerFor(t, await withMail());
  const wire = await front();
  const address = parseAddress('ada@kvt.dk');
  assert.ok(address);
  wire.send(writeAccountRequest({ address, system: true }));
  assert.equal(readAccountReply(await wire.expect(tell.account)), undefined);
});

test('what has no room by the own files is refused here, whatever a front thinks of it, and nothing of it stays', async (t) => {
  const store = await withMail();
  const limits = { mailboxOctets: 100, domainOctets: undefined };
  const { quota, domains } = usualWorker(directoryOf('ada@kvt.dk', 'bob@kvt.dk'), store, limits);
  const { front, server } = await workerFor(t, store, { quota, domains });
  const wire = await front();
  const before = await store.usage(ada);
  for (const pieces of [[Buffer.alloc(101, 'x')], [Buffer.alloc(50, 'x'), Buffer.alloc(51, 'x')]]) {
    wire.send(deliverFrame());
    for (const piece of pieces) wire.send(messageFrame(piece));
    wire.send(endOfMessage);
    assert.deepEqual(await faultFrom(wire), ['over-quota', 'the mailbox is full', undefined]);
  }
  assert.deepEqual(await store.usage(ada), before);
  wire.send(deliverFrame());
  wire.send(messageFrame(Buffer.alloc(100 - before.octets, 'x')));
  wire.send(endOfMessage);
  await wire.expect(tell.done);
  assert.equal(server.counts().deliveries, 1);
});

test('what was done once is remembered for accounts of its own, and for nobody else', async (t) => {
  const { front } = await workerFor(t, await withMail());
  const wire = await front();
  const ask = (name: string, system = false) => {
    const address = parseAddress(name);
    assert.ok(address);
    wire.send(writeFirst({ of: { address, system }, topic: 'vacation', key: 'bob@example.org', lastsS: 3600 }));
  };
  for (const expected of [true, false]) {
    ask('ada@kvt.dk');
    assert.equal(readFirstReply(await wire.expect(tell.first)), expected);
  }
  for (const [name, system] of [
    ['nobody@kvt.dk', false],
    ['ada@other.example', false],
    ['ada@kvt.dk', true],
  ] as const) {
    ask(name, system);
    assert.deepEqual(await faultFrom(wire), ['temporary', 'no such user here', undefined]);
  }
});

test('a delivery that is refused, or whose front gives up, leaves nothing and the connection usable', async (t) => {
  const store = await withMail();
  const { front } = await workerFor(t, store);
  const wire = await front();
  wire.send(deliverFrame('nobody@kvt.dk'));
  assert.deepEqual(await faultFrom(wire), ['temporary', 'no such user here', undefined]);
  // The rest was on its way already, and the next request comes right behind it.
  wire.send(
    messageFrame(Buffer.alloc(1000)),
    endOfMessage,
    deliverFrame(),
    messageFrame(Buffer.from('half')),
    plainFrame(ask.messageFailed),
  );
  assert.deepEqual(await faultFrom(wire), ['temporary', 'internal error', 'the front could not send the message to its end']);
  await loggedIn(wire);
});

test('a front that is gone in the middle of a message has delivered nothing', async (t) => {
  const store = await withMail();
  const { promise: failed, resolve: fail } = Promise.withResolvers<unknown>();
  const watched: MaildropStore = {
    ...store,
    async deliver(...delivery) {
      await store.deliver(...delivery).catch((thrown: unknown) => {
        fail(thrown);
        throw thrown;
      });
    },
  };
  const { front } = await workerFor(t, watched);
  const wire = await front();
  wire.send(deliverFrame(), messageFrame(Buffer.from('Subject: half')));
  wire.socket.end();
  assert.deepEqual(await failed, new Unwritable('the front is gone'));
  await using maildrop = await store.open(ada);
  assert.equal(maildrop.messages.length, 1);
});

test('LOGIN-DELAY is kept here: RFC 2449 section 6.5', async (t) => {
  const noted: string[] = [];
  const lastLogins = {
    tooSoon: ({ name }: { name: string }) => noted.includes(name),
    note: ({ name }: { name: string }) => void noted.push(name),
  };
  const { front } = await workerFor(t, await withMail(), { lastLogins, loginDelayS: 60 });
  const wire = await front();
  await loggedIn(wire);
  assert.deepEqual(noted, ['ada@kvt.dk']);
  wire.send(loginFrame());
  const { opening } = readAdmitted(await wire.expect(tell.admitted));
  const said = 'too soon after the last login: {seconds} seconds must lie between';
  assert.deepEqual(opening.kind === 'fault' && [opening.fault.kind, opening.fault.text, opening.fault.values], [
    'login-delay',
    said,
    { seconds: 60 },
  ]);
});

test('a login that could not be opened is not noted', async (t) => {
  const noted: string[] = [];
  const lastLogins = { tooSoon: () => false, note: ({ name }: { name: string }) => void noted.push(name) };
  const store: MaildropStore = {
    ...createMemoryStore(),
    open: () => Promise.reject(new Fault('in-use', 'another session has this maildrop')),
  };
  const { front, server } = await workerFor(t, store, { lastLogins, loginDelayS: 60 });
  const wire = await front();
  wire.send(loginFrame());
  assert.equal(readAdmitted(await wire.expect(tell.admitted)).opening.kind, 'fault');
  assert.deepEqual([noted, server.counts().sessions], [[], 0]);
});

test('no more maildrops than may be open', async (t) => {
  const { front, server } = await workerFor(t, await withMail(), { maxSessions: 1 });
  const [one, other] = [await front(), await front()];
  await loggedIn(one);
  other.send(loginFrame('bob@kvt.dk'));
  const { opening } = readAdmitted(await other.expect(tell.admitted));
  assert.deepEqual(opening.kind === 'fault' && [opening.fault.kind, opening.fault.text], [
    'temporary',
    'too many connections, try again later',
  ]);
  one.send(release);
  await one.expect(tell.done);
  await loggedIn(other, 'bob@kvt.dk');
  assert.equal(server.counts().sessions, 1);
});

test('only the fronts are let in', async (t) => {
  const own = process.getuid?.() ?? 0;
  const { path, events } = await workerFor(t, await withMail(), { frontUid: own + 1 });
  const socket = connect(path);
  socket.on('data', () => assert.fail('a greeting for a stranger'));
  await once(socket, 'close');
  assert.deepEqual(events, [{ event: 'owners.refused-peer', fields: { uid: own, pid: process.pid, frontUid: own + 1 } }]);
});

test('whatever a front sends, it gets nothing without a password, and the others are served', async (t) => {
  const { front, server } = await workerFor(t, await withMail());
  const given = new Set<number>([
    tell.done,
    tell.fault,
    tell.account,
    tell.domain,
    tell.scramParameters,
    tell.explained,
    tell.located,
    tell.first,
    tell.receipt,
    tell.usage,
  ]);
  const type = fc.oneof(fc.constantFrom(...Object.values(ask), MESSAGE), fc.nat(255));
  const payload = fc.array(fc.oneof(fc.constantFrom(0, 0, 1, 2, 4), fc.nat(255)), { maxLength: 60 });
  const good = fc.constantFrom(
    loginFrame('ada@kvt.dk', 'guess'),
    loginFrame('nobody@kvt.dk'),
    writeOpen(false),
    writeRetrieve(0, 0),
    update,
    release,
    deliverFrame('nobody@kvt.dk'),
    messageFrame(Buffer.from('x')),
    endOfMessage,
    plainFrame(ask.stop),
    doneFrame,
  );
  const frame = fc.oneof(
    good,
    fc.tuple(type, payload).map(([kind, octets]) => anyFrame(kind, Uint8Array.from(octets))),
  );
  const noise = fc.uint8Array({ maxLength: 40 }).map((octets) => Buffer.from(octets));
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 8 }), noise, async (sent, rest) => {
      const wire = await front();
      wire.send(...sent, rest);
      wire.socket.end();
      for (let one = await wire.next(); one !== undefined; one = await wire.next()) assert.ok(given.has(one.type), `type ${one.type}`);
    }),
    { numRuns: 300 },
  );
  assert.equal(server.counts().sessions, 0);
  await loggedIn(await front());
});

test('the worker says goodbye when nobody has needed it, and closes when everybody has gone', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const idle = Promise.withResolvers<void>();
  const { front, path, server } = await workerFor(t, await withMail(), { idleMs: 1000, onIdle: idle.resolve });
  const wires = [await front(), await front()];
  t.mock.timers.tick(1000);
  for (const wire of wires) await wire.expect(tell.bye);
  assert.equal(server.counts().connections, 2);
  for (const wire of wires) wire.socket.end();
  await idle.promise;
  await assert.rejects(once(connect(path), 'connect'), (error: NodeJS.ErrnoException) => /^(ECONNREFUSED|ENOENT)$/.test(error.code ?? ''));
});

test('a request that crosses the goodbye is served, and the worker stays until the next one', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const idle = Promise.withResolvers<void>();
  const { front, server } = await workerFor(t, await withMail(), { idleMs: 1000, onIdle: idle.resolve });
  const [one, other] = [await front(), await front()];
  t.mock.timers.tick(1000);
  await loggedInAfterBye(one);
  await other.expect(tell.bye);
  other.socket.end();
  await other.closed;
  // Neither the old goodbye nor a new one while a maildrop is open.
  t.mock.timers.tick(10_000);
  one.send(writeRetrieve(0, 0));
  assert.deepEqual(await one.typesUntil(tell.done), [MESSAGE, tell.done]);
  one.send(release);
  await one.expect(tell.done);
  assert.equal(typeof server.counts().idleSinceMs, 'number');
  t.mock.timers.tick(1000);
  await one.expect(tell.bye);
  one.socket.end();
  await idle.promise;
});

test('a front that does not heed the goodbye is cut off', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const idle = Promise.withResolvers<void>();
  const { front } = await workerFor(t, await withMail(), { idleMs: 1000, onIdle: idle.resolve });
  const wire = await front();
  t.mock.timers.tick(1000);
  await wire.expect(tell.bye);
  t.mock.timers.tick(5000);
  await idle.promise;
  await wire.closed;
});

test('a worker that nobody ever asked ends too', async (t) => {
  const idle = Promise.withResolvers<void>();
  await workerFor(t, undefined, { idleMs: 1, onIdle: idle.resolve });
  await idle.promise;
});

test('since when nobody is served', async (t) => {
  let now = 1000;
  const { front, server } = await workerFor(t, await withMail(), { now: () => now });
  assert.equal(server.counts().idleSinceMs, 1000);
  const wire = await front();
  await loggedIn(wire);
  assert.equal(server.counts().idleSinceMs, undefined);
  now = 2000;
  wire.send(release);
  await wire.expect(tell.done);
  wire.send(loginFrame('bob@kvt.dk', 'guess'));
  await wire.expect(tell.fault);
  assert.equal(server.counts().idleSinceMs, 2000);
  assert.equal(server.counts().requests, 3);
});

test('a worker that is stopped lets sessions go on until their time is over', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const store = await withMail();
  const { front, server, path } = await workerFor(t, store);
  const [resting, busy, lasting] = [await front(), await front(), await front()];
  await loggedIn(busy);
  await loggedIn(lasting, 'bob@kvt.dk');
  const stopped = server.stop(1000);
  await resting.expect(tell.bye);
  busy.send(release);
  await busy.expect(tell.done);
  await busy.expect(tell.bye);
  resting.socket.end();
  busy.socket.end();
  await assert.rejects(once(connect(path), 'connect'));
  t.mock.timers.tick(1000);
  assert.equal(await lasting.next(), undefined);
  await stopped;
  await (await store.open(bob))[Symbol.asyncDispose]();
});

async function loggedInAfterBye(front: Wire): Promise<void> {
  front.send(loginFrame());
  await front.expect(tell.bye);
  await front.expect(tell.admitted);
  await front.expect(tell.listing);
}
