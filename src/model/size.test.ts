import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSize } from './size.ts';

test('sizes as people write them', () => {
  const table: [unknown, number | undefined][] = [
    [0, 0],
    [1234, 1234],
    ['1234', 1234],
    ['500 MB', 500_000_000],
    ['500MB', 500_000_000],
    ['500 mb', 500_000_000],
    ['2 KiB', 2048],
    ['1.5 GiB', 1_610_612_736],
    ['7 B', 7],
    ['1 TB', 1e12],
    [-1, undefined],
    [1.5, undefined],
    [Number.NaN, undefined],
    [2 ** 60, undefined],
    ['', undefined],
    ['MB', undefined],
    ['-5 MB', undefined],
    ['5 XB', undefined],
    ['5  MB', undefined],
    ['5 MB ', undefined],
    ['0x10', undefined],
    ['1e6', undefined],
    ['99999999999 TB', undefined],
    [true, undefined],
    [undefined, undefined],
  ];
  for (const [written, octets] of table) assert.equal(parseSize(written), octets, JSON.stringify(written));
});
