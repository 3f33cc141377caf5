/**
 * What a scan found, one row of 80 octets a message, in one buffer: the index file holds the same octets, and 50,000 messages cost 4 MB
 * rather than as many objects. Offsets count from the start of the mailbox file.
 */

export const ROW_SIZE = 80;
const DOUBLES = ROW_SIZE / 8;
const WORDS = ROW_SIZE / 4;
const ID = 48;
const ID_SIZE = 16;
const ID_WORD = ID / 4;
const PRINT_WORD = 16;
const COUNTER_WORD = 18;
const FLAGS_WORD = 19;

/** `Status:` has the letter R. */
export const READ = 1;
/** `Status:` has the letter O. */
export const OLD = 2;
/** There is a `Status:` field. */
export const HAS_STATUS = 4;
/** Lines begin with `>From `, `>>From ` …: one `>` is taken away on the way out. */
export const QUOTED = 8;
/** The header ends in a blank line that is part of the message, so that a field can be put before it. */
export const HEADER_ENDS = 16;
/** The last message of the file, and no blank line after it. */
export const OPEN_END = 32;

export class Rows {
  #octets: Uint8Array;
  #doubles: Float64Array;
  #words: Uint32Array;
  #count: number;

  /** `buffer` holds `count` rows from `offset` (a multiple of 8) on, and after them, all zero, has room for more up to `room` rows. */
  constructor(buffer: ArrayBuffer, offset: number, count: number, room: number) {
    this.#octets = new Uint8Array(buffer, offset, room * ROW_SIZE);
    this.#doubles = new Float64Array(buffer, offset, room * DOUBLES);
    this.#words = new Uint32Array(buffer, offset, room * WORDS);
    this.#count = count;
  }

  static withRoom(rows: number): Rows {
    const room = Math.max(4, Math.ceil(rows));
    return new Rows(new ArrayBuffer(room * ROW_SIZE), 0, 0, room);
  }

  /** The first `count` rows in memory of their own, with room for more. */
  copy(count: number, room = 0): Rows {
    const made = Rows.withRoom(count + room);
    made.#octets.set(this.#octets.subarray(0, count * ROW_SIZE));
    made.#count = count;
    return made;
  }

  get count(): number {
    return this.#count;
  }

  /** Memory held, in octets. */
  get byteLength(): number {
    return this.#octets.length;
  }

  /** The octets of the first `count` rows, as the index file holds them. */
  octetsOf(count: number): Uint8Array {
    return this.#octets.subarray(0, count * ROW_SIZE);
  }

  /** A new row, all zero. */
  add(): number {
    if ((this.#count + 1) * ROW_SIZE > this.#octets.length) {
      const grown = this.copy(this.#count, this.#count);
      this.#octets = grown.#octets;
      this.#doubles = grown.#doubles;
      this.#words = grown.#words;
    }
    return this.#count++;
  }

  /** A copy of a row of `other`, its offsets moved by `by`. */
  addMoved(other: Rows, row: number, by: number): number {
    const made = this.add();
    this.#octets.set(other.#octets.subarray(row * ROW_SIZE, (row + 1) * ROW_SIZE), made * ROW_SIZE);
    for (let column = 0; column < 4; column++) {
      const at = made * DOUBLES + column;
      this.#doubles[at] = (this.#doubles[at] ?? 0) + by;
    }
    return made;
  }

  /** Of the `From ` line, or of blank lines at the start of the file. It reaches to the start of the next row. */
  start(row: number): number {
    return this.#doubles[row * DOUBLES] ?? 0;
  }
  /** Of the header. */
  content(row: number): number {
    return this.#doubles[row * DOUBLES + 1] ?? 0;
  }
  /** Of the blank line that ends the header; the same as `end` when there is none. */
  body(row: number): number {
    return this.#doubles[row * DOUBLES + 2] ?? 0;
  }
  /** Just after the message, before the blank line that parts it from the next. */
  end(row: number): number {
    return this.#doubles[row * DOUBLES + 3] ?? 0;
  }
  /** Octets on the wire, before byte-stuffing. */
  octets(row: number): number {
    return this.#doubles[row * DOUBLES + 4] ?? 0;
  }
  receivedAtMs(row: number): number {
    return this.#doubles[row * DOUBLES + 5] ?? 0;
  }
  /** Tells apart messages with the same digest: 0 for the first one. */
  counter(row: number): number {
    return this.#words[row * WORDS + COUNTER_WORD] ?? 0;
  }
  flags(row: number): number {
    return this.#words[row * WORDS + FLAGS_WORD] ?? 0;
  }
  has(row: number, flag: number): boolean {
    return (this.flags(row) & flag) !== 0;
  }

  setPlace(row: number, start: number, content: number, body: number, end: number): void {
    const at = row * DOUBLES;
    this.#doubles[at] = start;
    this.#doubles[at + 1] = content;
    this.#doubles[at + 2] = body;
    this.#doubles[at + 3] = end;
  }
  setOctets(row: number, octets: number): void {
    this.#doubles[row * DOUBLES + 4] = octets;
  }
  setReceivedAtMs(row: number, ms: number): void {
    this.#doubles[row * DOUBLES + 5] = ms;
  }
  setCounter(row: number, counter: number): void {
    this.#words[row * WORDS + COUNTER_WORD] = counter;
  }
  setFlags(row: number, flags: number): void {
    this.#words[row * WORDS + FLAGS_WORD] = flags;
  }

  /** `digest`: one character an octet; the first 16 are kept. */
  setDigest(row: number, digest: string): void {
    const at = row * ROW_SIZE + ID;
    for (let i = 0; i < ID_SIZE; i++) this.#octets[at + i] = digest.charCodeAt(i);
  }
  hasDigest(row: number, digest: string): boolean {
    const at = row * ROW_SIZE + ID;
    for (let i = 0; i < ID_SIZE; i++) if (this.#octets[at + i] !== digest.charCodeAt(i)) return false;
    return true;
  }
  /** The digest of the header as 16 characters of one octet each. */
  digest(row: number): string {
    const at = row * ROW_SIZE + ID;
    return Buffer.from(this.#octets.buffer, this.#octets.byteOffset + at, ID_SIZE).toString('latin1');
  }
  /** The first 53 bits of the digest: cheap to look up, and to be confirmed by `sameDigest`. */
  digestKey(row: number): number {
    const at = row * WORDS + ID_WORD;
    return ((this.#words[at] ?? 0) & 0x1fffff) * 0x1_0000_0000 + (this.#words[at + 1] ?? 0);
  }
  sameDigest(row: number, other: Rows, otherRow: number): boolean {
    const a = row * WORDS + ID_WORD;
    const b = otherRow * WORDS + ID_WORD;
    for (let i = 0; i < ID_SIZE / 4; i++) if (this.#words[a + i] !== other.#words[b + i]) return false;
    return true;
  }

  /** RFC 1939 section 7: 22 characters of base64url, and where messages are equal `.` and the counter. */
  uniqueId(row: number): string {
    const at = row * ROW_SIZE + ID;
    const digest = Buffer.from(this.#octets.buffer, this.#octets.byteOffset + at, ID_SIZE).toString('base64url');
    const counter = this.counter(row);
    return counter === 0 ? digest : `${digest}.${counter}`;
  }

  /** 64 bits of a digest of the body; 0: not looked at yet. */
  print(row: number): bigint {
    const at = row * WORDS + PRINT_WORD;
    return (BigInt(this.#words[at] ?? 0) << 32n) | BigInt(this.#words[at + 1] ?? 0);
  }
  setPrint(row: number, print: bigint): void {
    const at = row * WORDS + PRINT_WORD;
    this.#words[at] = Number(print >> 32n);
    this.#words[at + 1] = Number(print & 0xffff_ffffn);
  }
}
