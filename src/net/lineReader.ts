/**
 * Parts what comes in into lines. A line ends with LF, and a CR before it belongs to the end; nothing else ends one: a bare CR, NEL or
 * U+2028 taken for an end would smuggle commands. Octets pass as latin1, NUL included.
 * The limit is asked for line by line, for the reply to one line may change it for the next.
 */
const LF = 10;
const CR = 13;

/** Stands for a line over the limit. It is reported once, as soon as it is known; its rest is dropped wherever it ends. */
export const overlong: unique symbol = Symbol('overlong');

export class LineReader {
  /** Octets not looked at yet: `#chunk` from `#at` on, then `#later`. */
  #chunk: Buffer | undefined;
  #at = 0;
  #later: Buffer[] | undefined;
  /** Start of a line whose end has not come. A string, for a slice would keep its whole chunk in memory. */
  #partial = '';
  #dropping = false;

  push(chunk: Buffer): void {
    if (this.#chunk === undefined) {
      this.#chunk = chunk;
      this.#at = 0;
    } else {
      this.#later ??= [];
      this.#later.push(chunk);
    }
  }

  /** The next line without its end; `undefined` when there is no whole one. @param limit octets, line end included */
  next(limit: number): string | typeof overlong | undefined {
    for (let chunk = this.#chunk; chunk !== undefined; chunk = this.#chunk) {
      const start = this.#at;
      const end = chunk.indexOf(LF, start);
      if (end < 0) {
        this.#advance();
        if (this.#dropping) continue;
        if (this.#partial.length + chunk.length - start >= limit) {
          this.#partial = '';
          this.#dropping = true;
          return overlong;
        }
        this.#partial += chunk.toString('latin1', start, chunk.length);
        continue;
      }

      if (end + 1 === chunk.length) this.#advance();
      else this.#at = end + 1;
      if (this.#dropping) {
        this.#dropping = false;
        continue;
      }
      const before = this.#partial;
      if (before !== '') this.#partial = '';
      if (before.length + end + 1 - start > limit) return overlong;
      if (before === '') return chunk.toString('latin1', start, end > start && chunk[end - 1] === CR ? end - 1 : end);
      const line = before + chunk.toString('latin1', start, end);
      return line.endsWith('\r') ? line.slice(0, -1) : line;
    }
    return undefined;
  }

  /** Nothing is waiting, not even the start of a line. */
  get empty(): boolean {
    return this.#chunk === undefined && this.#partial === '' && !this.#dropping;
  }

  /** Everything that came so far is thrown away: STLS must not let plaintext act under TLS. RFC 2595 section 4. */
  clear(): void {
    this.#chunk = undefined;
    this.#later = undefined;
    this.#partial = '';
    this.#dropping = false;
  }

  #advance(): void {
    this.#chunk = this.#later?.shift();
    if (this.#chunk === undefined) this.#later = undefined;
    this.#at = 0;
  }
}
