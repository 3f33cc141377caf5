/** The TOP cut. RFC 1939 section 7. */
import type { Octets } from '../model/octets.ts';
import { HeaderEnd } from './header.ts';
import { countLf } from './octetLoops.ts';
import { LF } from './plainLoops.ts';
import { type Transformer, transform } from './transform.ts';

/** Header, blank line and the first `bodyLines` lines of the body; the whole message when it has fewer. Reads no further than that. */
export function topOf(octets: Octets, bodyLines: number): Octets {
  return transform(octets, () => new TopCut(bodyLines));
}

class TopCut implements Transformer {
  done = false;
  #header: HeaderEnd | undefined = new HeaderEnd();
  #linesLeft: number;

  constructor(bodyLines: number) {
    this.#linesLeft = bodyLines;
  }

  push(chunk: Uint8Array): readonly Uint8Array[] {
    let bodyStart = 0;
    if (this.#header !== undefined) {
      const headerEnd = this.#header.find(chunk);
      if (headerEnd === undefined) return [chunk];
      this.#header = undefined;
      bodyStart = headerEnd;
    }
    const end = this.#cut(chunk, bodyStart);
    return [end === chunk.length ? chunk : chunk.subarray(0, end)];
  }

  end(): readonly Uint8Array[] {
    return [];
  }

  /** Offset where chunk[bodyStart…] is to be cut. */
  #cut(chunk: Uint8Array, bodyStart: number): number {
    // Mail programs ask for 99,999,999 lines when they want the whole message: counted in one go rather than line by line.
    const lines = countLf(chunk, bodyStart);
    if (lines < this.#linesLeft) {
      this.#linesLeft -= lines;
      return chunk.length;
    }
    let end = bodyStart;
    for (; this.#linesLeft > 0; this.#linesLeft--) end = chunk.indexOf(LF, end) + 1;
    this.done = true;
    return end;
  }
}
