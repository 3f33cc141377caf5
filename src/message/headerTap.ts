/** A look at the header of a message that goes by. */
import type { Octets } from '../model/octets.ts';
import { HeaderEnd } from './header.ts';
import { type Transformer, transform } from './transform.ts';

/** The same octets. `seen` is called in each run through them, once its header is over or has grown to `limit` octets, with a copy of it. */
export function tapHeader(octets: Octets, limit: number, seen: (header: Buffer, whole: boolean) => void): Octets {
  return transform(octets, () => new HeaderTap(limit, seen));
}

class HeaderTap implements Transformer {
  readonly #limit: number;
  readonly #seen: (header: Buffer, whole: boolean) => void;
  readonly #end = new HeaderEnd();
  #pieces: Buffer[] = [];
  #length = 0;
  #isOver = false;

  constructor(limit: number, seen: (header: Buffer, whole: boolean) => void) {
    this.#limit = limit;
    this.#seen = seen;
  }

  push(chunk: Uint8Array): readonly Uint8Array[] {
    if (!this.#isOver) this.#look(chunk);
    return [chunk];
  }

  end(): readonly Uint8Array[] {
    if (!this.#isOver) this.#over(true);
    return [];
  }

  #look(chunk: Uint8Array): void {
    const window = chunk.subarray(0, this.#limit - this.#length);
    const found = this.#end.find(window);
    // Copied: whoever lent the chunk may reuse it.
    this.#pieces.push(Buffer.from(window.subarray(0, found)));
    this.#length += found ?? window.length;
    if (found !== undefined || this.#length >= this.#limit) this.#over(found !== undefined);
  }

  #over(whole: boolean): void {
    this.#isOver = true;
    const header = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#seen(header, whole);
  }
}
