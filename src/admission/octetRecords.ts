/** Numbers and short texts in octets, and back. Reading is total: whatever comes in, the answer is a value or `undefined`. */

/** Longest text in octets. */
const LONGEST_TEXT = 1024;

export class RecordWriter {
  #octets: Buffer;
  #length = 0;

  constructor(room = 256) {
    this.#octets = Buffer.allocUnsafe(room);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written, without a copy: not to be written to any more. */
  take(): Buffer {
    return this.#octets.subarray(0, this.#length);
  }

  /** @param width octets, 1 to 6; `value` must fit */
  number(value: number, width: number): void {
    this.#room(width);
    this.#length = this.#octets.writeUIntBE(value, this.#length, width);
  }

  /** Of at most 1024 octets: what is longer is cut, between characters. */
  text(value: string): void {
    this.#room(2 + LONGEST_TEXT);
    const octets = this.#octets.write(value, this.#length + 2, LONGEST_TEXT);
    this.number(octets, 2);
    this.#length += octets;
  }

  #room(needed: number): void {
    if (this.#length + needed <= this.#octets.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#octets.length * 2, this.#length + needed));
    this.#octets.copy(larger, 0, 0, this.#length);
    this.#octets = larger;
  }
}

export class RecordReader {
  readonly #octets: Buffer;
  #at = 0;

  constructor(octets: Buffer) {
    this.#octets = octets;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#octets.length;
  }

  number(width: number): number | undefined {
    if (this.#at + width > this.#octets.length) return undefined;
    const value = this.#octets.readUIntBE(this.#at, width);
    this.#at += width;
    return value;
  }

  text(): string | undefined {
    const length = this.number(2);
    if (length === undefined || length > LONGEST_TEXT || this.#at + length > this.#octets.length) return undefined;
    const value = this.#octets.toString('utf8', this.#at, this.#at + length);
    this.#at += length;
    return value;
  }
}
