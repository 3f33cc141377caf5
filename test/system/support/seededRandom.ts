/** Chance that can be repeated: the seed is printed, and POSTKASSE_TEST_SEED sets it. */
import { randomInt } from 'node:crypto';
import type { TestContext } from 'node:test';

export interface SeededRandom {
  /** From 0 to below `limit`. */
  integer(limit: number): number;
  chance(probability: number): boolean;
  pick<T>(choices: readonly [T, ...T[]]): T;
}

export function seededRandom(t: TestContext): SeededRandom {
  const seed = Number(process.env.POSTKASSE_TEST_SEED ?? randomInt(2 ** 31));
  t.diagnostic(`POSTKASSE_TEST_SEED=${seed}`);
  const next = mulberry32(seed);
  const integer = (limit: number) => Math.floor(next() * limit);
  return {
    integer,
    chance: (probability) => next() < probability,
    pick: (choices) => choices[integer(choices.length)] ?? choices[0],
  };
}

/** From 0 to below 1. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
