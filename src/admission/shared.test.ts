/** Several fronts that hear each other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { accountOf, enter, FakeClock, type Front, fail, logIn, makeFronts, type Try, waitOf } from './fakes.test.ts';
import { beginNews, writeNews } from './news.ts';

const home: Try = { from: '198.51.100.7', password: 'right' };
const batchMs = 50;

/** All fronts by their number; a test that asks for one too many is wrong. */
function front(fronts: readonly Front[], n: number): Front {
  const found = fronts[n];
  assert.ok(found);
  return found;
}

test('failures seen by one front count in all of them, and the same wrong password once in all', () => {
  const { clock, fronts } = makeFronts(3);
  const delays: number[] = [];
  for (let n = 0; n < 4; n++) {
    delays.push(fail(front(fronts, n % 3), { from: '192.0.2.1', login: `user${n}` }).heldBackMs);
    clock.pass(batchMs);
  }
  assert.deepEqual(delays, [2000, 4000, 8000, 15_000]);
  const phone: Try = { from: '192.0.2.2', password: 'old' };
  fail(front(fronts, 0), phone);
  clock.pass(batchMs);
  assert.deepEqual(fail(front(fronts, 1), phone), { heldBackMs: 2000, isRepeated: true });
});

test('an account guessed at through one front makes strangers wait at the others, and its owner nowhere', async () => {
  const { clock, fronts } = makeFronts(2);
  logIn(front(fronts, 1), home);
  for (let n = 0; n < 10; n++) fail(front(fronts, 0), { from: `192.0.2.${n}` });
  clock.pass(batchMs);
  assert.ok('waiting' in enter(front(fronts, 1), { from: '203.0.113.1' }));
  assert.equal(await waitOf({ ...front(fronts, 0), clock }, home), 0);
});

test('places to wait in are dealt out among the fronts', () => {
  const { clock, fronts } = makeFronts(2);
  for (let n = 0; n < 10; n++) fail(front(fronts, 0), { from: `192.0.2.${n}` });
  clock.pass(batchMs);
  for (const each of fronts) {
    const waiting = Array.from({ length: 100 }, (_, n) => enter(each, { from: `10.${n}.0.1` })).filter((entry) => 'waiting' in entry);
    assert.equal(waiting.length, 32);
  }
});

test('attacks are told to the log of one front, also those that another sees', () => {
  const { clock, fronts } = makeFronts(2);
  for (let n = 0; n < 10; n++) fail(front(fronts, 1), { from: `192.0.2.${n}` });
  clock.pass(batchMs);
  assert.deepEqual(
    fronts.map(({ events }) => events.map(([event]) => event)),
    [['throttle.account-attacked'], []],
  );
});

test('logins by ways that are known cost no message; a new way costs one, and then one a day', () => {
  const { clock, fronts, published } = makeFronts(2);
  const poll = () => {
    logIn(front(fronts, 0), home);
    logIn(front(fronts, 1), home);
    clock.pass(60_000);
  };
  poll();
  // Both saw it before either had heard of it.
  assert.equal(published.length, 2);
  for (let minute = 1; minute < 24 * 60; minute++) poll();
  assert.equal(published.length, 2);
  for (let minute = 0; minute < 24 * 60; minute++) poll();
  assert.equal(published.length, 4);
});

test('a flood of failures is a message every 50 ms, of limited size, and no timer stays behind', () => {
  const { clock, fronts, published } = makeFronts(2);
  const flooded = front(fronts, 0);
  for (let n = 0; n < 20_000; n++) {
    const entry = enter(flooded, { from: `10.${n >> 8}.${n & 255}.1`, login: `user${n}@example.org` });
    if ('passage' in entry) entry.passage.failed();
  }
  clock.pass(batchMs);
  assert.equal(published.length, 1);
  assert.ok((published[0]?.length ?? 0) <= 61_500);
  clock.pass(3_600_000);
  assert.equal(published.length, 1);
});

test('a front alone publishes nothing', () => {
  const { clock, fronts, published } = makeFronts(1);
  const alone = front(fronts, 0);
  logIn(alone, home);
  for (let n = 0; n < 5; n++) fail(alone, { from: '192.0.2.1', password: `${n}` });
  const counts = alone.admission.connections('pop3', 4);
  for (let n = 0; n < 5; n++) counts.enter('192.0.2.1');
  clock.pass(3_600_000);
  assert.deepEqual(published, []);
});

test('connections of a source count in all fronts, to within a quarter of the limit', () => {
  const limit = 100;
  const { clock, fronts } = makeFronts(4);
  const tables = fronts.map(({ admission }) => admission.connections('pop3', limit));
  let open = 0;
  let counted = 0;
  while (counted <= limit) {
    const table = tables[open % tables.length];
    assert.ok(table);
    counted = table.enter('192.0.2.1');
    open++;
    clock.pass(batchMs);
  }
  assert.ok(open > limit * 0.75 && open <= limit * 1.25, `${open} were let in`);
});

test('connections: the sum is never wrong by more than it may be, whatever comes and goes', () => {
  const steps = fc.array(fc.tuple(fc.nat(2), fc.boolean()), { maxLength: 400 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 60 }), (acts, limit) => {
      const { clock, fronts } = makeFronts(3);
      const tables = fronts.map(({ admission }) => admission.connections('pop3', limit));
      const own = [0, 0, 0];
      const step = Math.max(2, Math.floor(limit / 12));
      for (const [n, enters] of acts) {
        const table = tables[n];
        assert.ok(table);
        if (enters) {
          own[n] = (own[n] ?? 0) + 1;
          const counted = table.enter('s');
          const truth = own.reduce((sum, count) => sum + count, 0);
          assert.ok(Math.abs(counted - truth) <= 2 * (step - 1), `${counted} for ${truth}`);
        } else if ((own[n] ?? 0) > 0) {
          own[n] = (own[n] ?? 0) - 1;
          table.leave('s');
        }
        clock.pass(batchMs);
      }
    }),
    { numRuns: 200 },
  );
});

test('counts of a front that is gone are forgotten, those of one that is there stay', () => {
  const clock = new FakeClock();
  let isAlive = true;
  const { fronts } = makeFronts(2, { fronts: 3 }, clock);
  const publish = (octets: Buffer) => {
    if (isAlive) for (const { admission } of fronts) admission.receive(octets);
  };
  const { fronts: dying } = makeFronts(1, { fronts: 3, publish }, clock);
  const [here, there, gone] = [...fronts, ...dying].map(({ admission }) => admission.connections('pop3', 40));
  assert.ok(here && there && gone);
  for (let n = 0; n < 12; n++) {
    there.enter('s');
    gone.enter('s');
  }
  clock.pass(3_600_000);
  assert.equal(here.enter('s'), 25);
  isAlive = false;
  clock.pass(130_000);
  assert.equal(here.enter('s'), 14);
});

test('a front that stops takes its counts back', () => {
  const { clock, fronts } = makeFronts(2);
  const [here, there] = fronts.map(({ admission }) => admission.connections('pop3', 16));
  assert.ok(here && there);
  for (let n = 0; n < 4; n++) there.enter('s');
  clock.pass(batchMs);
  assert.equal(here.enter('s'), 5);
  front(fronts, 1).admission.stop();
  assert.equal(here.enter('s'), 2);
});

test('tables of connections do not mix', () => {
  const { clock, fronts } = makeFronts(2);
  const pop3 = fronts.map(({ admission }) => admission.connections('pop3', 16));
  const lmtp = fronts.map(({ admission }) => admission.connections('lmtp', 16));
  for (let n = 0; n < 8; n++) pop3[0]?.enter('s');
  clock.pass(batchMs);
  assert.deepEqual([pop3[1]?.enter('s'), lmtp[1]?.enter('s')], [9, 1]);
});

test('sessions of an account count in all fronts', () => {
  const { clock, fronts } = makeFronts(2, { maxConnectionsPerAccount: 4 });
  const open = (n: number) => {
    const entry = enter(front(fronts, n), home);
    assert.ok('passage' in entry);
    entry.passage.succeeded(accountOf());
    clock.pass(batchMs);
  };
  for (const n of [0, 1, 0, 1]) open(n);
  assert.throws(() => open(0), { text: 'too many connections for this account, try again later' });
});

test('anything may be received: nothing throws, and what was known stays', () => {
  const good = beginNews();
  writeNews(good, { kind: 'failure', account: 'ada@example.org', source: '192.0.2.1', device: 1, password: undefined });
  writeNews(good, { kind: 'way', account: 'ada@example.org', source: '192.0.2.1', device: 1 });
  writeNews(good, { kind: 'count', front: 1, table: 'account', key: 'ada@example.org', connections: 3 });
  const whole = Buffer.from(good.take());
  const cut = fc.nat(whole.length).map((length) => whole.subarray(0, length));
  const flipped = fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, octet]) => {
    const octets = Buffer.from(whole);
    octets[at] = octet;
    return octets;
  });
  const random = fc.uint8Array({ maxLength: 400 }).map((octets) => Buffer.from(octets));
  const versioned = random.map((octets) => Buffer.concat([Buffer.from([1]), octets]));
  const { clock, fronts } = makeFronts(1);
  const receiver = front(fronts, 0);
  logIn(receiver, home);
  fc.assert(
    fc.property(fc.oneof(cut, flipped, random, versioned), (octets) => {
      receiver.admission.receive(octets);
      clock.pass(10);
    }),
    { numRuns: 5000 },
  );
  clock.pass(3_600_000);
  logIn(receiver, home);
});

test('a message of any length and any number of them take up bounded memory', () => {
  const { fronts } = makeFronts(2);
  const receiver = front(fronts, 0);
  const counts = receiver.admission.connections('pop3', 100);
  for (let batch = 0; batch < 40; batch++) {
    const writer = beginNews();
    for (let n = 0; n < 5000; n++) {
      const id = batch * 5000 + n;
      writeNews(writer, {
        kind: 'failure',
        account: `u${id}@example.org`,
        source: `10.${id >> 16}.${(id >> 8) & 255}.${id & 255}`,
        device: 0,
        password: id + 1,
      });
      writeNews(writer, { kind: 'count', front: 1, table: 'pop3', key: `key ${id}`, connections: 1000 });
    }
    receiver.admission.receive(writer.take());
  }
  assert.ok(receiver.admission.figures().sources <= 50_000);
  assert.ok(receiver.admission.snapshot().length < 10_000_000);
  // The first keys were taken in, and those beyond the cap were not.
  assert.equal(counts.enter('key 0'), 1001);
  assert.equal(counts.enter('key 199999'), 1);
});
