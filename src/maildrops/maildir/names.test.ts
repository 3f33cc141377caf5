import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newName, readName, sizeIn, withSeen } from './names.ts';

test('names of several programs', () => {
  const facts = (name: string) => {
    const { uniqueId, size, octets, receivedAtUs } = readName(name);
    return [uniqueId, size, octets, receivedAtUs];
  };
  const none = undefined;
  for (const [name, expected] of [
    ['1700000000.M5P7_1.mx,S=10,W=12:2,RS', ['1700000000.M5P7_1.mx', 10, 12, 1_700_000_000_000_005]],
    ['1700000000.M5P7_1.mx,S=10,W=12', ['1700000000.M5P7_1.mx', 10, 12, 1_700_000_000_000_005]],
    ['1700000000.M5P7_1.mx:2,S', ['1700000000.M5P7_1.mx', none, none, 1_700_000_000_000_005]],
    // Postfix
    ['1085151234.V302I5ae0M872231.mx', ['1085151234.V302I5ae0M872231.mx', none, none, 1_085_151_234_872_231]],
    // qmail
    ['1085151234.20356.mx,S=7', ['1085151234.20356.mx', 7, none, 1_085_151_234_000_000]],
    ['hello', ['hello', none, none, none]],
    // Fields of others stay
    ['1.a.mx,U=5,S=7,FMD5=x:2,', ['1.a.mx,U=5,FMD5=x', 7, none, none]],
    ['1700000000.a.mx,S=7x,W=', ['1700000000.a.mx,S=7x,W=', none, none, 1_700_000_000_000_000]],
  ] as const) {
    assert.deepEqual(facts(name), expected, name);
  }
});

test('what would be no unique-id is stood for by a hash of it', () => {
  for (const name of ['a b', 'æ', 'x'.repeat(71), `${'x'.repeat(71)},S=1`]) {
    assert.match(readName(name).uniqueId, /^[\x21-\x7e]{43}$/);
  }
  assert.notEqual(readName('a b').uniqueId, readName('a c').uniqueId);
  assert.equal(readName('a b,S=7,W=8:2,S').uniqueId, readName('a b').uniqueId);
});

test('a unique-id is valid, and stays when flags come or sizes are added', () => {
  const base = fc.string({ minLength: 1, maxLength: 100 }).filter((text) => !/[:/\0]|,[SW]=/.test(text));
  const flags = fc.string({ unit: fc.constantFrom('D', 'F', 'R', 'S', 'T', 'a'), maxLength: 4 });
  fc.assert(
    fc.property(base, flags, fc.nat(), fc.nat(), (name, letters, size, octets) => {
      const { uniqueId } = readName(name);
      assert.match(uniqueId, /^[\x21-\x7e]{1,70}$/);
      assert.equal(readName(`${name}:2,${letters}`).uniqueId, uniqueId);
      assert.equal(readName(`${name},S=${size}:2,${letters}`).uniqueId, uniqueId);
      assert.equal(readName(`${name},S=${size},W=${octets}`).uniqueId, uniqueId);
    }),
  );
});

test('the seen flag joins the others in ASCII order', () => {
  for (const [name, expected] of [
    ['x', 'x:2,S'],
    ['x,S=1', 'x,S=1:2,S'],
    ['x:2,', 'x:2,S'],
    ['x:2,RFT', 'x:2,FRST'],
    ['x:2,S', 'x:2,S'],
    ['x:1,experimental', undefined],
  ] as const) {
    assert.equal(withSeen(name), expected);
  }
});

test('new names differ, say when, and sort as they were given', () => {
  const at = Date.UTC(2026, 0, 1) + 999;
  const names = Array.from({ length: 50 }, () => newName(at, 'a/b:c,d', () => at));
  assert.equal(new Set(names).size, 50);
  for (const name of names) assert.match(name, /^1767225600\.M9990\d\dP\d+_\d+\.a\\057b\\072c\\054d$/);
  const times = names.map((name) => readName(name).receivedAtUs ?? 0);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(times).size, 50);
  assert.equal(Math.floor((times[0] ?? 0) / 1000), at);
});

test('the size alone is the one that the whole reading finds', () => {
  for (const name of [
    '1.M1P1.h,S=12,W=13',
    '1.M1P1.h,S=12,W=13:2,S',
    '1.M1P1.h,W=13,S=12:2,',
    '1.M1P1.h,S=12',
    '1.M1P1.h,S=0:2,S',
    '1.M1P1.h,S=123456789012345',
    '1.M1P1.h,S=1234567890123456',
    '1.M1P1.h,S=',
    '1.M1P1.h,S=x',
    '1.M1P1.h,S=12x',
    '1.M1P1.h,S=-1',
    '1.M1P1.h,W=13',
    '1.M1P1.h',
    '',
  ])
    assert.equal(sizeIn(name), readName(name).size, name);
});
