import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { connectionLimits } from './connectionLimit.ts';

test('as many as the descriptors allow; where there are too few, those who bring mail get a quarter of them', () => {
  const limits = (wanted: number, descriptors: number, fetching: number | undefined, ...bringing: number[]) => {
    const { fetching: ofFetching, bringing: ofBringing } = connectionLimits({ wanted, descriptors, reserve: 100, fetching, bringing });
    return [ofFetching, ofBringing];
  };
  assert.deepEqual(limits(10_000, 65_536, 2, 4), [10_000, 10_000]);
  assert.deepEqual(limits(100, 1024, 2, 4), [100, 100]);
  // 2,400 descriptors: a quarter is for 150 that bring mail, the rest for 900.
  assert.deepEqual(limits(10_000, 2500, 2, 4), [900, 150]);
  assert.deepEqual(limits(10_000, 2500, 2, 4, 4), [900, 75]);
  // What those who fetch mail can't need is for the others.
  assert.deepEqual(limits(1000, 2500, 2, 4), [900, 150]);
  assert.deepEqual(limits(500, 2500, 2, 4), [500, 350]);
  assert.deepEqual(limits(10_000, 1024, 2).at(0), 462);
  assert.deepEqual(limits(10_000, 1024, undefined, 4).at(1), 231);
  assert.deepEqual(limits(10_000, 64, 2, 4), [1, 1]);
});

test('all of them together never need more than there is, and none is given away that somebody could use', () => {
  const most = fc.integer({ min: 1, max: 8 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e6 }),
      fc.integer({ min: 300, max: 1e6 }),
      most,
      fc.array(most, { minLength: 0, maxLength: 2 }),
      (wanted, descriptors, fetching, bringing) => {
        const limits = connectionLimits({ wanted, descriptors, reserve: 100, fetching, bringing });
        const perBringing = bringing.reduce((sum, each) => sum + each, 0);
        const left = descriptors - 100 - fetching * limits.fetching - perBringing * limits.bringing;
        assert.ok(limits.fetching <= wanted && limits.bringing <= wanted);
        assert.ok(left >= 0);
        if (limits.fetching < wanted) assert.ok(left < fetching);
      },
    ),
  );
});
