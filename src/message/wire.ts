/** A message on its way out: the body of a multi-line reply. RFC 1939 section 3. */
import { countLf, toWire } from './octetLoops.ts';
import { LF } from './plainLoops.ts';

const terminator = Buffer.from('.\r\n');
const lineEndAndTerminator = Buffer.from('\r\n.\r\n');

/** Octets that `end` gives at most. */
export const TERMINATOR_ROOM = lineEndAndTerminator.length;

/** One body: CRLF line ends and byte-stuffing in one pass. State carries over chunk edges, wherever they fall. A lone CR stays as it is. */
export class WireEncoder {
  #previous = LF;

  /**
   * Writes the wire form of `chunk` to `into` from offset `at` on, where there must be `wireRoom` for it. Returns the octets written.
   * The chunk has been read when it returns: whoever lent the memory may reuse it then.
   */
  encode(chunk: Uint8Array, into: Buffer, at: number): number {
    const written = toWire(chunk, into, at, this.#previous);
    this.#previous = chunk.at(-1) ?? this.#previous;
    return written;
  }

  /** CRLF if the last line had no end, then ".\r\n". */
  end(): Uint8Array {
    return this.#previous === LF ? terminator : lineEndAndTerminator;
  }
}

/** Octets that the wire form of `chunk` has at most: one more for each octet where every line is empty or a dot. */
export function wireRoom(chunk: Uint8Array): number {
  return chunk.length + 2 * countLf(chunk) + 1;
}

/** Whether the wire form of `chunk` is sure to fit into so many octets. Lines are only counted where it is close. */
export function fitsOnWire(chunk: Uint8Array, room: number): boolean {
  return chunk.length * 2 <= room || wireRoom(chunk) <= room;
}
