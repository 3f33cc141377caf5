/** What each `OnceMemory` is held to. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { OnceMemory } from '../../src/model/onceMemory.ts';
import { mailboxNamed } from '../support/mail.ts';

export interface OnceMemoryUnderTest {
  readonly once: OnceMemory;
  /** Another one that remembers the same, as another process has, or this one after a restart. */
  again(): OnceMemory;
}

/** Accounts that there must be: abc@kvt.dk, kvt@kvt.dk. */
export function onceMemoryContract(name: string, make: (t: TestContext, now: () => number) => OnceMemoryUnderTest): void {
  const abc = mailboxNamed('abc@kvt.dk');
  const kvt = mailboxNamed('kvt@kvt.dk');
  const day = 86_400;

  test(`${name}: the first time is true, and then false until the time is over`, async (t) => {
    let now = Date.parse('2026-11-29T12:00:00Z');
    const { once, again } = make(t, () => now);
    assert.equal(await once.first(abc, 'vacation', 'ada@example.org', 7 * day), true);
    assert.equal(await once.first(abc, 'vacation', 'ada@example.org', 7 * day), false);
    assert.equal(await again().first(abc, 'vacation', 'ada@example.org', 7 * day), false);
    now += 7 * day * 1000 - 1;
    assert.equal(await once.first(abc, 'vacation', 'ada@example.org', 7 * day), false);
    now += 1;
    assert.equal(await again().first(abc, 'vacation', 'ada@example.org', 7 * day), true);
    assert.equal(await once.first(abc, 'vacation', 'ada@example.org', 7 * day), false);
  });

  test(`${name}: mailboxes, topics and keys don't know of each other`, async (t) => {
    const { once } = make(t, Date.now);
    const asked = [
      [abc, 'vacation', 'a'],
      [abc, 'vacation', 'b'],
      [abc, 'vacation', ''],
      [abc, 'receipt', 'a'],
      [abc, 'quota-warning', 'a'],
      [kvt, 'vacation', 'a'],
      [abc, 'vacation', 'A'],
      [abc, 'vacation', `${'æ'.repeat(1000)}1`],
      [abc, 'vacation', `${'æ'.repeat(1000)}2`],
      [abc, 'vacation', '../../a\0b\n'],
    ] as const;
    for (const expected of [true, false]) {
      for (const [mailbox, topic, key] of asked) assert.equal(await once.first(mailbox, topic, key, day), expected, `${topic} ${key}`);
    }
  });

  test(`${name}: of those who ask at the same time one is the first`, async (t) => {
    const { once, again } = make(t, Date.now);
    const other = again();
    const asked = Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? once : other).first(abc, 'receipt', `key ${n % 4 < 2 ? 1 : 2}`, day));
    const answers = await Promise.all(asked);
    assert.equal(answers.filter((first) => first).length, 2);
  });

  test(`${name}: a clock that is put back keeps nobody out for longer than the time`, async (t) => {
    let now = Date.parse('2030-01-01T00:00:00Z');
    const { once } = make(t, () => now);
    assert.equal(await once.first(abc, 'vacation', 'a', day), true);
    now -= 1000;
    assert.equal(await once.first(abc, 'vacation', 'a', day), false);
    now = Date.parse('2026-11-29T12:00:00Z');
    assert.equal(await once.first(abc, 'vacation', 'a', day), true);
    assert.equal(await once.first(abc, 'vacation', 'a', day), false);
  });
}
