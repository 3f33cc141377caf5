/** The octet loops in TypeScript: used where WebAssembly has no SIMD, and the measure that the kernel is held to. */

export const LF = 0x0a;
export const CR = 0x0d;
const DOT = 0x2e;

/** Goes over octets; the same results whichever way it is made. */
export interface OctetLoops {
  /** LFs in octets[start, end). */
  countLf(octets: Uint8Array, start: number, end: number): number;
  /** LFs in octets[start, end) that have no CR before them. `previous`: the octet before `start`, 0 if none. */
  countBareLf(octets: Uint8Array, start: number, end: number, previous: number): number;
  /**
   * At rest → wire: LF without CR becomes CRLF, `.` at the start of a line is doubled. `previous`: the octet before, LF at the start of a
   * message. Returns the octets written to `into`, which must have room for them: `wireRoom` or twice the length.
   */
  toWire(from: Uint8Array, into: Uint8Array, previous: number): number;
  /**
   * Wire → at rest: the CR of a CRLF goes, unless another CR stands before it; other CRs stay, one at the very end too. So CR CR LF, a line
   * that ends in a CR of its own, stays what it is and can't be taken for a blank line. Returns the octets written to `into`.
   */
  toRest(from: Uint8Array, into: Uint8Array, previous: number): number;
}

export const plainLoops: OctetLoops = {
  countLf(octets, start, end) {
    let count = 0;
    for (let i = start; i < end; i++) if (octets[i] === LF) count++;
    return count;
  },

  countBareLf(octets, start, end, previous) {
    let count = 0;
    let before = previous;
    for (let i = start; i < end; i++) {
      const octet = octets[i] ?? 0;
      if (octet === LF && before !== CR) count++;
      before = octet;
    }
    return count;
  },

  toWire(from, into, previous) {
    let written = 0;
    let before = previous;
    for (let i = 0; i < from.length; i++) {
      const octet = from[i] ?? 0;
      if (octet === LF) {
        if (before !== CR) into[written++] = CR;
      } else if (octet === DOT && before === LF) {
        into[written++] = DOT;
      }
      into[written++] = octet;
      before = octet;
    }
    return written;
  },

  toRest(from, into, previous) {
    let written = 0;
    let before = previous;
    for (let i = 0; i < from.length; i++) {
      const octet = from[i] ?? 0;
      if (octet !== CR || before === CR || from[i + 1] !== LF) into[written++] = octet;
      before = octet;
    }
    return written;
  },
};
