import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayAt, isTimeZone, parseDay } from './day.ts';

test('days that there are', () => {
  const table: [unknown, string | undefined][] = [
    ['2026-12-31', '2026-12-31'],
    ['2024-02-29', '2024-02-29'],
    ['2026-02-29', undefined],
    ['2026-13-01', undefined],
    ['2026-00-10', undefined],
    ['2026-1-1', undefined],
    ['2026-12-31T00:00:00Z', undefined],
    [' 2026-12-31', undefined],
    ['', undefined],
    [20261231, undefined],
    [undefined, undefined],
  ];
  for (const [written, day] of table) assert.equal(parseDay(written), day, JSON.stringify(written));
});

test('which day it is depends on where one is', () => {
  const newYear = Date.UTC(2027, 0, 1, 0, 30);
  assert.equal(dayAt(newYear, 'UTC'), '2027-01-01');
  assert.equal(dayAt(newYear, 'America/New_York'), '2026-12-31');
  assert.equal(dayAt(Date.UTC(2026, 11, 31, 23, 30), 'Europe/Copenhagen'), '2027-01-01');
  // Summer time.
  assert.equal(dayAt(Date.UTC(2026, 6, 1, 22, 30), 'Europe/Copenhagen'), '2026-07-02');
});

test('time zones', () => {
  assert.equal(isTimeZone('Europe/Copenhagen'), true);
  assert.equal(isTimeZone('Europe/Nowhere'), false);
  assert.equal(isTimeZone(''), false);
});
