/** One front: who waits, for how long, and who doesn't. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Networks } from '../model/networks.ts';
import { accountOf, attempt, enter, fail, logIn, oneFront, type Try, waitOf } from './fakes.test.ts';

const home: Try = { from: '198.51.100.7', password: 'right' };

/** Addresses of many networks: number n. */
function stranger(n: number): string {
  return `${11 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}.1`;
}

/** Guesses by strangers, one address each, until the next one has to wait. */
function attack(front: ReturnType<typeof oneFront>, login?: string): void {
  for (let n = 0; n < 10; n++) fail(front, { from: stranger(n), password: `guess ${n}`, ...(login === undefined ? {} : { login }) });
}

test('each failure of a source doubles the delay of its next one, up to 15 seconds, whatever the account', () => {
  const front = oneFront();
  const delays = [1, 2, 3, 4, 5].map((n) => fail(front, { from: '192.0.2.1', login: `user${n}` }).heldBackMs);
  assert.deepEqual(delays, [2000, 4000, 8000, 15_000, 15_000]);
  assert.equal(fail(front, { from: '192.0.2.2', login: 'user1' }).heldBackMs, 2000);
});

test('a source of IPv6 is a /64', () => {
  const front = oneFront();
  const delays = ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', '2001:db8:0:2::1'].map(
    (from, n) => fail(front, { from, password: `${n}` }).heldBackMs,
  );
  assert.deepEqual(delays, [2000, 4000, 2000]);
});

test('each quiet minute takes one doubling back, also after many failures', () => {
  const front = oneFront();
  const guess = (n: number) => fail(front, { from: '192.0.2.1', login: `user${n}` }).heldBackMs;
  for (let n = 0; n < 30; n++) guess(n);
  front.clock.pass(60_000);
  assert.equal(guess(30), 8000);
  front.clock.pass(3 * 60_000);
  assert.equal(guess(31), 2000);
});

test('a failure before there was a proof counts for the source', () => {
  const front = oneFront();
  const visitor = { remoteAddress: '192.0.2.1', isProxy: false };
  assert.deepEqual(
    [1, 2].map(() => front.admission.gate.turnedAway(visitor).heldBackMs),
    [2000, 4000],
  );
  assert.equal(fail(front, { from: '192.0.2.1' }).heldBackMs, 8000);
});

test('0 switches delays off, before the proof and after; a first delay above the ceiling stays what it is', () => {
  const off = oneFront({ failureDelayMs: 0 });
  for (let n = 0; n < 100; n++) assert.equal(fail(off, { from: '192.0.2.1', password: `${n}` }).heldBackMs, 0);
  const long = oneFront({ failureDelayMs: 20_000 });
  assert.deepEqual(
    [1, 2].map((n) => fail(long, { from: '192.0.2.1', password: `${n}` }).heldBackMs),
    [20_000, 20_000],
  );
});

test('the same wrong password again counts once, at the source and at the account', async () => {
  const front = oneFront();
  const phone: Try = { from: '192.0.2.1', password: 'old' };
  assert.deepEqual(fail(front, phone), { heldBackMs: 2000, isRepeated: false });
  for (let n = 0; n < 50; n++) {
    front.clock.pass(10_000);
    assert.deepEqual(fail(front, phone), { heldBackMs: 2000, isRepeated: true });
  }
  assert.equal(fail(front, { from: '192.0.2.1', login: 'other', password: 'slip' }).heldBackMs, 2000);
  // The account isn't under attack either: somebody new need not wait.
  assert.equal(await waitOf(front, { from: '203.0.113.5' }), 0);
});

test('proofs that differ each time count each time', () => {
  const front = oneFront();
  const proof = (n: number) => ({ kind: 'cram-md5', challenge: `<${n}@x>`, digest: `${n}`.padStart(32, '0') }) as const;
  const delays = [1, 2, 3].map((n) => fail(front, { from: '192.0.2.1', method: 'CRAM-MD5', proof: proof(n) }));
  assert.deepEqual(
    delays.map(({ heldBackMs }) => heldBackMs),
    [2000, 4000, 8000],
  );
});

test('beyond the allowance of an account strangers wait before their proof is looked at, longer with each guess', async () => {
  const front = oneFront();
  attack(front);
  const waits: (number | 'refused')[] = [];
  for (let n = 10; n < 18; n++) {
    waits.push(await waitOf(front, { from: stranger(n), password: `guess ${n}` }));
  }
  assert.equal(waits[0], 2000);
  assert.ok(
    waits.every((wait, n) => n === 0 || Number(wait) >= Number(waits[n - 1])),
    String(waits),
  );
  assert.equal(waits.at(-1), 15_000);
  assert.equal(await waitOf(front, { from: stranger(99), login: 'eve@example.org' }), 0, 'another account');
});

test('an account that does not exist is protected like any other, so that waiting tells nothing', async () => {
  const front = oneFront();
  attack(front, 'nobody@nowhere.example');
  assert.equal(await waitOf(front, { from: stranger(50), login: 'nobody@nowhere.example' }), 2000);
});

test('an attack is forgotten half an hour after its end', async () => {
  const front = oneFront();
  attack(front);
  for (let n = 10; n < 60; n++) {
    await waitOf(front, { from: stranger(n), password: `guess ${n}` });
  }
  front.clock.pass(30 * 60_000);
  assert.equal(await waitOf(front, { from: stranger(99) }), 0);
});

test('a source and device that logged in before does not wait; near it one waits for a quarter; elsewhere like everybody', async () => {
  const front = oneFront();
  logIn(front, home);
  for (let n = 0; n < 40; n++) {
    await waitOf(front, { from: stranger(n), password: `guess ${n}` });
  }
  const waitNow = (given: Partial<Try>) => waitOf(front, { ...home, ...given });
  assert.equal(await waitNow({}), 0);
  assert.equal(await waitNow({ method: 'PLAIN' }), 3750, 'another program at home');
  assert.equal(await waitNow({ from: '198.51.100.99' }), 3750, 'the same program elsewhere in the network');
  assert.equal(await waitNow({ from: '203.0.113.1' }), 15_000, 'the same program far away');
});

test("the owner's own wrong passwords at home do not make the account one under attack", async () => {
  const front = oneFront();
  logIn(front, home);
  for (let n = 0; n < 10; n++) fail(front, { ...home, password: `slip ${n}` });
  assert.equal(await waitOf(front, { from: '203.0.113.1' }), 0);
});

test("who guesses behind the owner's own address becomes a stranger near home", async () => {
  const front = oneFront();
  logIn(front, home);
  attack(front);
  for (let n = 0; n < 10; n++) fail(front, { ...home, password: `guess ${n}` });
  const entry = enter(front, { ...home, password: 'one more' });
  assert.ok('waiting' in entry);
  entry.waiting.giveUp();
  await assert.rejects(entry.waiting.passage, { kind: 'temporary' });
});

test('attempts under way count as guesses until their outcome is known', () => {
  const front = oneFront();
  const entries = Array.from({ length: 11 }, (_, n) => enter(front, { from: stranger(n) }));
  assert.deepEqual(
    entries.map((entry) => 'passage' in entry),
    [...Array(10).fill(true), false],
  );
  for (const entry of entries) if ('passage' in entry) entry.passage.ended();
  assert.ok('passage' in enter(front, { from: stranger(20) }));
});

test('a bounded number waits at an account; who is one too many is sent away with [SYS/TEMP] and the delay of a failure', () => {
  const front = oneFront();
  attack(front);
  const entries = Array.from({ length: 100 }, (_, n) => enter(front, { from: stranger(100 + n) }));
  assert.equal(entries.filter((entry) => 'waiting' in entry).length, 64);
  const last = entries.at(-1);
  assert.ok(last !== undefined && 'refused' in last);
  assert.deepEqual(
    [last.refused.kind, last.refused.text, last.refused.heldBackMs],
    ['temporary', 'too many attempts, try again later', 2000],
  );
  // Those who leave make room.
  const [first] = entries;
  assert.ok(first !== undefined && 'waiting' in first);
  first.waiting.passage.catch(() => {});
  first.waiting.giveUp();
  assert.ok('waiting' in enter(front, { from: stranger(300) }));
  assert.ok('refused' in enter(front, { from: stranger(301) }));
});

test('one source takes two places at an account, one network eight', () => {
  const front = oneFront();
  attack(front);
  const waiting = (addresses: string[]) => addresses.filter((from) => 'waiting' in enter(front, { from })).length;
  assert.equal(waiting(Array(10).fill('203.0.113.1')), 2);
  assert.equal(waiting(Array.from({ length: 20 }, (_, n) => `192.0.2.${n}`)), 8);
  assert.equal(waiting(Array.from({ length: 20 }, (_, n) => `2001:db8:7:${n.toString(16)}::1`)), 8);
});

test('who has guessed before waits in places of their own, and leaves the others to those who have not', async () => {
  const front = oneFront();
  attack(front);
  // Each of these has failed twice, at other accounts.
  for (let n = 0; n < 200; n++) for (const login of ['bob', 'cid']) fail(front, { from: stranger(n), login: `${login}${n}` });
  const waiting = Array.from({ length: 200 }, (_, n) => enter(front, { from: stranger(n) })).filter((entry) => 'waiting' in entry);
  assert.equal(waiting.length, 8);
  assert.equal(await waitOf(front, { from: '203.0.113.1' }), 2000);
});

test('a network that guesses at many accounts makes its strangers wait, and those who are known there not', async () => {
  const front = oneFront();
  const office = (n: number) => `192.0.2.${n}`;
  logIn(front, { from: office(200), login: 'ada@example.org' });
  for (let n = 0; n < 50; n++) fail(front, { from: office(n), login: `user${n}` });
  logIn(front, { from: office(200), login: 'ada@example.org' });
  assert.equal(await waitOf(front, { from: '203.0.113.1', login: 'ada@example.org' }), 0, 'elsewhere');
  assert.equal(await waitOf(front, { from: office(201), login: 'bob@example.org' }), 2000);
  const entries = Array.from({ length: 200 }, (_, n) => enter(front, { from: office(n), login: `other${n}` }));
  assert.equal(entries.filter((entry) => 'waiting' in entry).length, 32);
});

test('IPv6 networks are /48', async () => {
  const front = oneFront();
  for (let n = 0; n < 50; n++) fail(front, { from: `2001:db8:7:${n.toString(16)}::1`, login: `user${n}` });
  assert.equal(await waitOf(front, { from: '2001:db8:8::1' }), 0);
  assert.ok('waiting' in enter(front, { from: '2001:db8:7:ffff::1' }));
});

test("the host itself is one source and no network: a webmail there makes nobody wait for another's guesses", async () => {
  const front = oneFront();
  for (let n = 0; n < 200; n++) fail(front, { from: '127.0.0.1', login: `user${n}` });
  assert.equal(await waitOf(front, { from: '127.0.0.1', login: 'somebody.else' }), 0);
  for (let n = 0; n < 200; n++) fail(front, { from: '::1', login: `user${n}` });
  assert.equal(await waitOf(front, { from: '::1', login: 'somebody.else' }), 0);
});

test('a proxy that speaks for itself and exempt networks are neither held back nor counted', async () => {
  const front = oneFront({ exemptNetworks: new Networks(['203.0.113.0/24', '2001:db8::/32']) });
  const exempt: Try[] = [{ from: '192.0.2.1', isProxy: true }, { from: '203.0.113.9' }, { from: '2001:db8::1' }];
  for (const who of exempt) {
    for (let n = 0; n < 100; n++) {
      assert.deepEqual(fail(front, { ...who, password: `guess ${n}` }), { heldBackMs: 2000, isRepeated: false });
      assert.deepEqual(front.admission.gate.turnedAway({ remoteAddress: who.from, isProxy: who.isProxy === true }), {
        heldBackMs: 2000,
        isRepeated: false,
      });
    }
  }
  assert.deepEqual(front.admission.figures(), { sources: 0, accounts: 0 });
  assert.equal(await waitOf(front, { from: '192.0.2.1' }), 0);
  for (let n = 0; n < 40; n++) {
    await waitOf(front, { from: stranger(n), password: `guess ${n}` });
  }
  for (const who of exempt) assert.equal(await waitOf(front, who), 0);
});

test('an account has so many sessions at a time, however it is written', () => {
  const front = oneFront({ maxConnectionsPerAccount: 2 });
  const open = (login: string) => {
    const entry = enter(front, { ...home, login });
    assert.ok('passage' in entry);
    entry.passage.succeeded(accountOf('ada@example.org'));
    return entry.passage;
  };
  const [one] = [open('ada@example.org'), open('ADA%example.org')];
  assert.throws(() => open('ada'), { kind: 'temporary', text: 'too many connections for this account, try again later' });
  one?.ended();
  one?.ended();
  const again = open('ada');
  assert.throws(() => open('ada'));
  again.ended();
  open('ada');
});

test('who begins no session is counted among none, however many there are', () => {
  const front = oneFront({ maxConnectionsPerAccount: 2 });
  const pass = () => {
    const entry = enter(front, home);
    assert.ok('passage' in entry);
    return entry.passage;
  };
  for (const _ of [1, 2]) pass().succeeded(accountOf());
  for (const _ of [1, 2, 3]) pass().succeeded(accountOf(), 'nothing');
  assert.throws(() => pass().succeeded(accountOf()), { text: 'too many connections for this account, try again later' });
});

test('who asks with little patience waits for no longer, and keeps the place for as long as anybody', async () => {
  const front = oneFront();
  // As long as it gets: 15 seconds.
  for (let n = 0; n < 26; n++) {
    const entry = enter(front, { from: stranger(n), password: `guess ${n}` });
    if ('passage' in entry) entry.passage.failed();
    else if ('waiting' in entry) {
      front.clock.pass(15_000);
      (await entry.waiting.passage).failed();
    }
  }
  const ask = (n: number) => front.admission.gate.enter({ ...attempt({ from: `203.0.113.${n}` }), patienceMs: 7000 });
  const entered = [1, 2, 3, 4, 5, 6, 7, 8].map(ask);
  let through = 0;
  for (const one of entered) {
    assert.ok('giveUp' in one);
    void one.passage.then((passage) => {
      through++;
      passage.failed();
    });
  }
  front.clock.pass(6999);
  await null;
  assert.equal(through, 0);
  front.clock.pass(1);
  await new Promise(setImmediate);
  assert.equal(through, 8);
  // The network has no more than eight places, and they are taken until the fifteen seconds are over.
  assert.throws(() => ask(9), { text: 'too many attempts, try again later' });
  front.clock.pass(8000);
  assert.ok('giveUp' in ask(9));
});

test('an outcome is counted once, and giving up after the wait changes nothing', async () => {
  const front = oneFront();
  attack(front);
  const entry = enter(front, { from: stranger(50) });
  assert.ok('waiting' in entry);
  front.clock.pass(15_000);
  entry.waiting.giveUp();
  const passage = await entry.waiting.passage;
  passage.succeeded(accountOf());
  passage.ended();
  passage.ended();
  assert.ok('passage' in enter(front, { from: stranger(50) }), 'known by now');
});

test('attacks on accounts and in networks are told of when they begin and when they are over', async () => {
  const front = oneFront();
  for (let n = 0; n < 40; n++) {
    await waitOf(front, { from: stranger(n), password: `guess ${n}` });
  }
  for (let n = 0; n < 60; n++) {
    const entry = enter(front, { from: `192.0.2.${n}`, login: `user${n}` });
    if ('passage' in entry) entry.passage.failed();
  }
  assert.equal(front.admission.figures().accounts, 1);
  front.clock.pass(60 * 60_000);
  assert.deepEqual(
    front.events.map(([event, fields]) => [event, fields.account ?? fields.network]),
    [
      ['throttle.account-attacked', 'ada@example.org'],
      ['throttle.network-attacked', '192.0.2.0/24'],
      ['throttle.network-calm', '192.0.2.0/24'],
      ['throttle.account-calm', 'ada@example.org'],
    ],
  );
  assert.deepEqual(front.admission.figures(), { sources: 0, accounts: 0 });
  assert.equal(front.clock.timers, 0, 'nothing is left to be done');
});

test('a clock that jumps holds nobody back for longer than 15 seconds, and makes nobody a stranger', async () => {
  const front = oneFront();
  logIn(front, home);
  attack(front);
  for (const jump of [-400, 800, -800, 400]) {
    front.clock.ms += jump * 86_400_000;
    assert.equal(await waitOf(front, home), 0);
    assert.ok(Number(await waitOf(front, { from: stranger(1000 + jump) })) <= 15_000);
  }
});

test('ten thousand addresses guess: the owner is in at once from home, and in the end from anywhere within 15 seconds', async () => {
  const front = oneFront();
  logIn(front, home);
  let lookedAt = 0;
  let refused = 0;
  /** Each address tries a different password every four minutes. */
  const guess = (n: number, turn: number): void => {
    front.clock.after(240_000, () => guess(n, turn + 1));
    const entry = enter(front, { from: stranger(n), password: `guess ${n} ${turn}` });
    if ('refused' in entry) {
      refused++;
    } else if ('passage' in entry) {
      lookedAt++;
      entry.passage.failed();
    } else {
      entry.waiting.passage.then((passage) => {
        lookedAt++;
        passage.failed();
      });
    }
  };
  for (let n = 0; n < 10_000; n++) front.clock.after(n * 24, () => guess(n, 0));
  const pass = async (seconds: number) => {
    for (let passed = 0; passed < seconds; passed++) {
      front.clock.pass(1000);
      await null;
    }
  };

  const hours: number[] = [];
  for (let hour = 0; hour < 2; hour++) {
    const before = lookedAt;
    for (let n = 0; n < 6; n++) {
      await pass(600);
      logIn(front, home);
    }
    hours.push(lookedAt - before);
  }
  // 64 and 8 at a time for 15 seconds each, where without the gate there would have been 150,000 an hour.
  assert.ok(
    hours.every((guesses) => guesses <= (72 * 3600) / 15 + 10),
    String(hours),
  );
  assert.ok(refused > 250_000, String(refused));

  // By now nearly all of these addresses are known to guess, so that there is room for a telephone in a new place.
  const telephone: Try = { from: '203.0.113.77', method: 'PLAIN' };
  const entry = enter(front, telephone);
  assert.ok('waiting' in entry);
  const since = front.clock.ms;
  const waited = entry.waiting.passage.then((passage) => {
    passage.succeeded(accountOf());
    passage.ended();
    return front.clock.ms - since;
  });
  await pass(16);
  assert.ok((await waited) <= 15_000);
  logIn(front, telephone);
});

test('who need not wait has a passage at once, and no timer was set', () => {
  const front = oneFront();
  const given = attempt(home);
  const entered = front.admission.gate.enter(given);
  assert.ok('succeeded' in entered);
  assert.equal(front.clock.timers, 0);
});
