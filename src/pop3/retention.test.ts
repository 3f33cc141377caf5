import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mailboxNamed } from '../../test/support/mail.ts';
import { type Account, noAccountRules } from '../model/directory.ts';
import { type Days, expireDaysDiffer, expireDaysOf, strictestExpireDays } from './retention.ts';

function accountWith(expireDays: Days | undefined): Account {
  return { mailbox: mailboxNamed('abc@kvt.dk'), services: new Set(), language: undefined, rules: { ...noAccountRules, expireDays } };
}

test('what an account has: its own days, but no fewer than the host allows; else those of the host', () => {
  const cases: readonly [own: Days | undefined, host: Days, least: Days | undefined, expected: Days][] = [
    [undefined, 'never', 0, 'never'],
    [undefined, 30, 0, 30],
    // The host may have fewer than it allows others.
    [undefined, 5, 30, 5],
    [10, 'never', 0, 10],
    [10, 30, 0, 10],
    [60, 30, 0, 60],
    ['never', 30, 0, 'never'],
    [0, 30, 0, 0],
    [0, 30, 7, 7],
    [10, 5, 30, 30],
    [10, 30, 'never', 'never'],
    // The host has said nothing: owners may have more, and not less.
    [10, 'never', undefined, 'never'],
    [10, 30, undefined, 30],
    [60, 30, undefined, 60],
    [0, 0, undefined, 0],
  ];
  for (const [own, expireDays, leastExpireDays, expected] of cases)
    assert.equal(expireDaysOf(accountWith(own), { expireDays, leastExpireDays }), expected, `${own} ${expireDays} ${leastExpireDays}`);
  assert.equal(
    expireDaysOf({ mailbox: mailboxNamed('abc@kvt.dk'), services: new Set(), language: undefined }, { expireDays: 3, leastExpireDays: 0 }),
    3,
  );
});

test('what is announced before login is the smallest value that any account may have, and says whether they differ', () => {
  const cases: readonly [host: Days, least: Days | undefined, expected: Days, differ: boolean][] = [
    ['never', 0, 0, true],
    ['never', 7, 7, true],
    [30, 0, 0, true],
    [30, 60, 30, true],
    [30, 'never', 30, true],
    ['never', 'never', 'never', false],
    ['never', undefined, 'never', false],
    [30, undefined, 30, true],
  ];
  for (const [expireDays, leastExpireDays, expected, differ] of cases) {
    assert.equal(strictestExpireDays({ expireDays, leastExpireDays }), expected);
    assert.equal(expireDaysDiffer({ expireDays, leastExpireDays }), differ);
    for (const own of [undefined, 0, 1, 7, 30, 60, 'never'] as const) {
      const has = expireDaysOf(accountWith(own), { expireDays, leastExpireDays });
      const atLeast = has === 'never' || (expected !== 'never' && has >= expected);
      assert.ok(atLeast, `${own} has ${has}, announced was ${expected}`);
    }
  }
});
