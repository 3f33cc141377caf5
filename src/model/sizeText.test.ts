import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSize } from './sizeText.ts';

test('sizes for people', () => {
  for (const [octets, expected] of [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [1550, '1.6 kB'],
    [10_400, '10 kB'],
    [999_499, '999 kB'],
    [999_500, '1 MB'],
    [500_000_000, '500 MB'],
    [1_500_000_000, '1.5 GB'],
    [12_345_678_901_234, '12 TB'],
    [5e15, '5000 TB'],
  ] as const)
    assert.equal(formatSize(octets), expected, String(octets));
});
