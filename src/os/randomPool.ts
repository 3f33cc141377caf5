import { randomFillSync } from 'node:crypto';

/** For each of them the generator of OpenSSL costs about the same, however few octets are asked for: those of many greetings are made at once. */
const POOL = 4096;

/** Gives that many octets (1 to 4096) nobody can guess, each of them once. */
export function createRandomPool(fill: (pool: Buffer) => Buffer = randomFillSync): (octets: number) => Buffer {
  let pool: Buffer = Buffer.alloc(0);
  return (octets) => {
    // A pool of its own each time: who was given some of the last one may still hold it.
    if (pool.length < octets) pool = fill(Buffer.allocUnsafeSlow(POOL));
    const given = pool.subarray(0, octets);
    pool = pool.subarray(octets);
    return given;
  };
}
