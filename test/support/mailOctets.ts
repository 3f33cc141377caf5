/** Octets for property tests of whatever reads messages: rich in the octets that mean something, cut at any place. */
import fc from 'fast-check';
import type { Octets } from '../../src/model/octets.ts';

const octet = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(0x0a, 0x0d, 0x2e, 0x20, 0x3a, 0x46, 0x3e, 0x61) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
);
const nasty = fc.array(octet, { maxLength: 300, size: 'max' }).map((octets) => Buffer.from(octets));
const line = fc.tuple(
  fc.integer({ min: 0, max: 130 }),
  fc.constantFrom('', '.', '..', '\r', 'From '),
  fc.constantFrom('\n', '\r\n', '\n\n', '\r'),
);
const text = fc
  .array(line, { maxLength: 30, size: 'max' })
  .map((lines) => Buffer.from(lines.map(([width, start, end]) => start + 'x'.repeat(width) + end).join(''), 'latin1'));

/** Short octets out of which each has a meaning, and lines of ordinary lengths. */
export const messageOctets: fc.Arbitrary<Buffer> = fc.oneof(nasty, text);

/** Where to cut, in thousandths of the length. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 12 });

/** The octets cut there; empty pieces among them. */
export function cutUp(octets: Uint8Array, places: readonly number[]): Uint8Array[] {
  const offsets = [0, ...places.map((place) => Math.floor((place * octets.length) / 1000)).sort((a, b) => a - b), octets.length];
  return offsets.slice(1).map((end, index) => octets.subarray(offsets[index], end));
}

/** Each piece in memory that is overwritten as soon as the next is asked for: as a store that reads into a borrowed slot hands them out. */
export function* lent(pieces: Iterable<Uint8Array>): Generator<Uint8Array, void> {
  for (const piece of pieces) {
    const copy = Buffer.from(piece);
    yield copy;
    copy.fill(0x21);
  }
}

/** All of it in one piece, copied as it comes. */
export async function whole(octets: Octets): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of octets) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}
