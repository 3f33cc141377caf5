/**
 * mboxrd: a line of a message that begins with any number of `>` and `From ` gets one more `>` in the file, and loses it on the way out,
 * so that it comes back as it was. mbox(5).
 */
import type { Transformer } from '../../message/transform.ts';

const FROM = Buffer.from('From ');
const GT = 0x3e;
const LF = 0x0a;
const gt = Buffer.from('>');
const none = Buffer.alloc(0);

/** On the way into the file. */
export function quoter(): Transformer {
  return new FromLines('quote');
}

/** On the way out. */
export function unquoter(): Transformer {
  return new FromLines('unquote');
}

/** Adds or takes the last `>` before `From `: that it is the last rather than the first makes no difference, and bounds what is held back. */
class FromLines implements Transformer {
  readonly #unquote: boolean;
  /** The end of what came, if it may be the start of such a line: at most `>From`. */
  #held: Buffer = none;
  /** What went before `#held` in its line is nothing or only `>`. */
  #lineSoFar = true;

  constructor(way: 'quote' | 'unquote') {
    this.#unquote = way === 'unquote';
  }

  push(chunk: Uint8Array): readonly Uint8Array[] {
    if (chunk.length === 0) return [];
    const octets = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    const pieces: Uint8Array[] = [];
    let out = 0;
    let from = 0;
    for (let hit = octets.indexOf(FROM); hit >= 0; hit = octets.indexOf(FROM, from)) {
      from = hit + FROM.length;
      const run = this.#runBefore(octets, hit);
      if (run === undefined || (this.#unquote && run === 0)) continue;
      const stop = this.#unquote ? hit - 1 : hit;
      if (stop > out) pieces.push(octets.subarray(out, stop));
      if (!this.#unquote) pieces.push(gt);
      out = hit;
    }
    const kept = this.#undecided(octets, from);
    if (octets.length - kept.length > out) pieces.push(octets.subarray(out, octets.length - kept.length));
    this.#lineSoFar = kept.line;
    this.#held = kept.length > 0 ? Buffer.from(octets.subarray(octets.length - kept.length)) : none;
    return pieces;
  }

  end(): readonly Uint8Array[] {
    return this.#held.length > 0 ? [this.#held] : [];
  }

  /** How many `>` stand before `at`, if nothing else does in that line. */
  #runBefore(octets: Buffer, at: number): number | undefined {
    let start = at;
    while (start > 0 && octets[start - 1] === GT) start--;
    const lineBegins = start === 0 ? this.#lineSoFar : octets[start - 1] === LF;
    return lineBegins ? at - start : undefined;
  }

  /** How much of the end can't be given out before more is known, and whether the last line is only `>` up to there. */
  #undecided(octets: Buffer, from: number): { length: number; line: boolean } {
    for (let partial = Math.min(FROM.length - 1, octets.length - from); partial >= 0; partial--) {
      const at = octets.length - partial;
      if (FROM.compare(octets, at, octets.length, 0, partial) !== 0) continue;
      const run = this.#runBefore(octets, at);
      if (run !== undefined) return { length: partial + (this.#unquote && run > 0 ? 1 : 0), line: true };
    }
    return { length: 0, line: false };
  }
}
