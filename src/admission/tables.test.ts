/** The tables one by one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDomainName } from '../model/address.ts';
import { claimKey, deviceMark } from './claimKey.ts';
import { KnownWays } from './knownWays.ts';
import { Places } from './places.ts';
import { RecentMap } from './recentMap.ts';
import { passwordMark, Repeats } from './repeats.ts';
import { Tally } from './tally.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;

test('tally: each time adds one, and time takes one back', () => {
  const tally = new Tally({ forgetMs: minuteMs, most: 5, capacity: 10 });
  assert.deepEqual([tally.add('a', 0), tally.add('a', 0)], [1, 2]);
  assert.deepEqual([tally.level('a', minuteMs / 2), tally.level('a', 2 * minuteMs), tally.level('a', 3 * minuteMs)], [1.5, 0, 0]);
  assert.equal(tally.level('b', 0), 0);
});

test('tally: a level has its most, so that it is forgotten in time after any number', () => {
  const tally = new Tally({ forgetMs: minuteMs, most: 5, capacity: 10 });
  for (let n = 0; n < 1000; n++) tally.add('a', 0);
  assert.equal(tally.level('a', 0), 5);
  assert.equal(tally.level('a', 5 * minuteMs), 0);
});

test('tally: a clock that is set back by years holds nobody back for longer, and one set forward forgets', () => {
  const tally = new Tally({ forgetMs: minuteMs, most: 5, capacity: 10 });
  for (let n = 0; n < 5; n++) tally.add('a', 400 * dayMs);
  assert.equal(tally.level('a', 0), 5);
  assert.equal(tally.level('a', 3 * minuteMs), 2);
  assert.equal(tally.level('a', 800 * dayMs), 0);
});

test('recent map: bounded whatever is set, and never without what was set in the last half of its capacity', () => {
  const acts = fc.array(fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 3 })), { maxLength: 200 });
  fc.assert(
    fc.property(acts, (sets) => {
      const map = new RecentMap<number, number>(20, (weight) => weight);
      sets.forEach(([key, weight], n) => {
        map.set(key, weight);
        assert.equal(map.get(key), weight);
        assert.ok(map.size <= 24, 'the capacity, and what one entry more may weigh in each generation');
        const all = [...map];
        assert.equal(new Map(all).size, all.length);
        assert.equal(
          all.reduce((sum, [, each]) => sum + each, 0),
          map.size,
        );
        for (const [recent] of sets.slice(Math.max(0, n - 3), n)) assert.notEqual(map.get(recent), undefined);
      });
    }),
  );
});

test('tally: bounded, and what was counted last is kept', () => {
  const tally = new Tally({ forgetMs: minuteMs, most: 5, capacity: 4 });
  for (const key of ['kept', 'a', 'b', 'kept', 'c']) tally.add(key, 0);
  assert.equal(tally.size, 3);
  assert.deepEqual(
    ['kept', 'a', 'b', 'c'].map((key) => tally.level(key, 0)),
    [2, 0, 1, 1],
  );
});

const ways = () =>
  new KnownWays({
    rememberedMs: 30 * dayMs,
    refreshMs: dayMs,
    perAccount: 3,
    capacity: 5,
    allowance: 2,
    most: 10,
    forgetMs: minuteMs,
  });
const home = { source: '192.0.2.1', network: '192.0.2.0/24', device: 1 };

test('known ways: how somebody is known who comes by another', () => {
  const known = ways();
  known.succeeded('ada', home, 0);
  const cases: [object, string][] = [
    [{}, 'known'],
    [{ device: 2 }, 'near'],
    [{ source: '192.0.2.9' }, 'near'],
    [{ source: '192.0.2.9', device: 2 }, 'stranger'],
    [{ source: '203.0.113.1', network: '203.0.113.0/24' }, 'stranger'],
  ];
  for (const [change, familiarity] of cases) {
    assert.equal(known.familiarity('ada', { ...home, ...change }, 0), familiarity, JSON.stringify(change));
  }
  assert.equal(known.familiarity('eve', home, 0), 'stranger');
});

test('known ways: remembered for thirty days after the last use, and told of once a day', () => {
  const known = ways();
  assert.equal(known.succeeded('ada', home, 0), true);
  assert.equal(known.succeeded('ada', home, dayMs - 1), false);
  assert.equal(known.succeeded('ada', home, dayMs), true);
  assert.equal(known.familiarity('ada', home, 31 * dayMs), 'known');
  assert.equal(known.familiarity('ada', home, 31 * dayMs + 1), 'stranger');
  // A clock that was years ahead for a while has made nobody a stranger.
  assert.equal(known.familiarity('ada', home, 2 * dayMs), 'known');
});

test('known ways: used while the clock was years ahead, they are remembered on', () => {
  const known = ways();
  known.succeeded('ada', home, 4000 * dayMs);
  assert.equal(known.familiarity('ada', home, dayMs), 'known');
  assert.equal(known.succeeded('ada', home, dayMs), true);
  assert.equal(known.familiarity('ada', home, 32 * dayMs), 'stranger');
});

test('known ways: so many of an account, and so many in all', () => {
  const known = ways();
  for (const device of [1, 2, 3, 4]) known.succeeded('ada', { ...home, device }, device);
  assert.equal(known.size, 3);
  assert.deepEqual(
    [1, 2, 3, 4].map((device) => known.familiarity('ada', { ...home, device }, 10)),
    ['near', 'known', 'known', 'known'],
  );
  for (const account of ['bob', 'cid', 'dan']) known.succeeded(account, home, 20);
  // Ada's were used longest ago, and go together.
  assert.equal(known.size, 3);
  assert.deepEqual(
    ['ada', 'bob', 'cid', 'dan'].map((account) => known.familiarity(account, { ...home, device: account === 'ada' ? 4 : 1 }, 20)),
    ['stranger', 'known', 'known', 'known'],
  );
});

test("known ways: failures are the way's own affair up to its allowance; beyond it somebody else may be there", () => {
  const known = ways();
  assert.equal(known.failed('ada', home, 0), false);
  known.succeeded('ada', home, 0);
  assert.deepEqual([known.failed('ada', home, 0), known.failed('ada', home, 0), known.failed('ada', home, 0)], [true, true, false]);
  assert.equal(known.familiarity('ada', home, 0), 'near');
  assert.equal(known.familiarity('ada', home, 2 * minuteMs), 'known');
});

test('repeats: the same password of the same source for the same account, within a day of the last time', () => {
  const repeats = new Repeats({ rememberedMs: dayMs, capacity: 3 });
  const key = Buffer.alloc(32, 1);
  const mark = (source: string, account: string, password: string) => passwordMark(key, source, account, Buffer.from(password));
  const marks = [mark('a', 'ada', 'x'), mark('b', 'ada', 'x'), mark('a', 'eve', 'x'), mark('a', 'ada', 'y')];
  assert.equal(new Set(marks).size, 4);
  assert.notEqual(passwordMark(Buffer.alloc(32, 2), 'a', 'ada', Buffer.from('x')), marks[0]);
  const [one = 0, ...others] = marks;
  assert.deepEqual(
    [repeats.tried(one, 0), repeats.tried(one, dayMs), repeats.tried(one, 2 * dayMs), repeats.tried(one, 3 * dayMs + 1)],
    [false, true, true, false],
  );
  for (const other of others) repeats.tried(other, 0);
  assert.ok(repeats.size <= 3);
  assert.equal(repeats.tried(one, 0), false);
});

test('places: all that are needed or none', () => {
  const places = new Places();
  const a = { kind: 'a', most: 1 };
  const b = { kind: 'b', most: 2 };
  assert.deepEqual([places.take([a, b]), places.take([b, a]), places.take([b]), places.take([b])], [true, false, true, false]);
  places.give([a, b]);
  assert.deepEqual([places.take([a, b]), places.take([b])], [true, false]);
  places.give([a, b]);
  places.give([b]);
  assert.equal(places.size, 0);
});

test('what a login is counted under', () => {
  const kvt = parseDomainName('kvt.dk');
  const example = parseDomainName('example.org');
  assert.ok(kvt && example);
  const rules = { delimiters: '@%', options: true, defaultDomain: example, addresses: new Map([['192.0.2.10', kvt]]) };
  const cases: [login: string, localAddress: string, serverName: string | undefined, key: string | undefined][] = [
    ['ada@kvt.dk', '192.0.2.1', undefined, 'ada@kvt.dk'],
    ['ADA%KVT.dk.', '192.0.2.1', undefined, 'ada@kvt.dk'],
    ['s-ada@kvt.dk', '192.0.2.1', undefined, 'ada@kvt.dk'],
    ['ada', '192.0.2.10', undefined, 'ada@kvt.dk'],
    ['ada', '192.0.2.1', undefined, 'ada@example.org'],
    // A client can ask for any name: no new key for each.
    ['ada', '192.0.2.1', 'made-up.example', 'ada@example.org'],
    ['../ada', '192.0.2.1', undefined, undefined],
    ['', '192.0.2.1', undefined, undefined],
    ['x'.repeat(5000), '192.0.2.1', undefined, undefined],
  ];
  for (const [login, localAddress, serverName, key] of cases) {
    assert.equal(claimKey({ login, arrival: { localAddress, serverName } }, rules), key, login);
  }
  assert.equal(
    claimKey({ login: 'ada', arrival: { localAddress: undefined, serverName: undefined } }, { ...rules, defaultDomain: undefined }),
    'ada@',
  );
});

test('a device mark depends on each habit and on nothing else', () => {
  const arrival = { localAddress: '192.0.2.1', serverName: 'mail.example.org', remoteAddress: '192.0.2.7' };
  const mark = deviceMark({ login: 'ada', arrival }, 'PLAIN', true);
  assert.equal(
    deviceMark({ login: 'ada', arrival: { ...arrival, remoteAddress: '203.0.113.1', localAddress: '::1' } }, 'PLAIN', true),
    mark,
  );
  const others = [
    deviceMark({ login: 'ADA', arrival }, 'PLAIN', true),
    deviceMark({ login: 'ada', arrival }, 'LOGIN', true),
    deviceMark({ login: 'ada', arrival }, 'PLAIN', false),
    deviceMark({ login: 'ada', arrival: { ...arrival, serverName: undefined } }, 'PLAIN', true),
    deviceMark({ login: 'PLAINada', arrival }, '', true),
  ];
  assert.equal(new Set([mark, ...others]).size, 6);
  for (const each of [mark, ...others]) assert.ok(Number.isInteger(each) && each >= 0 && each < 2 ** 32);
});
