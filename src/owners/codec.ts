/** What stands in the payload of a frame: numbers, texts and octets one after the other. Whatever comes in, reading it ends in a value or Malformed. */
import { HEADER, Malformed, MOST_PAYLOAD } from './frames.ts';

/** Octets of a value left to the one who wrote it; longer ones are refused. */
const MOST_TEXT = MOST_PAYLOAD;

/** Puts frames together, one after the other, for one write. */
export class FrameWriter {
  #area = Buffer.allocUnsafeSlow(1024);
  #end = 0;
  #start = 0;

  /** @throws RangeError where the frame before it is too long */
  begin(type: number): this {
    this.#start = this.#end;
    this.#room(HEADER);
    this.#area.writeUInt8(type, this.#start + 4);
    this.#end += HEADER;
    return this;
  }

  u8(value: number): this {
    this.#room(1);
    this.#end = this.#area.writeUInt8(value, this.#end);
    return this;
  }

  u32(value: number): this {
    this.#room(4);
    this.#end = this.#area.writeUInt32LE(value, this.#end);
    return this;
  }

  f64(value: number): this {
    this.#room(8);
    this.#end = this.#area.writeDoubleLE(value, this.#end);
    return this;
  }

  text(value: string): this {
    this.#room(4 + 3 * value.length);
    const length = this.#area.write(value, this.#end + 4);
    this.#area.writeUInt32LE(length, this.#end);
    this.#end += 4 + length;
    return this;
  }

  /** Up to 255 octets, one for each character. */
  latin1(value: string): this {
    this.#room(1 + value.length);
    this.#end = this.#area.writeUInt8(value.length, this.#end);
    this.#end += this.#area.write(value, this.#end, 'latin1');
    return this;
  }

  octets(value: Uint8Array): this {
    this.#room(4 + value.length);
    this.#area.writeUInt32LE(value.length, this.#end);
    this.#area.set(value, this.#end + 4);
    this.#end += 4 + value.length;
    return this;
  }

  optionalText(value: string | undefined): this {
    return value === undefined ? this.u8(0) : this.u8(1).text(value);
  }

  flag(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  /** @throws RangeError for a frame that is too long */
  finish(): this {
    const length = this.#end - this.#start - HEADER;
    if (length > MOST_PAYLOAD) throw new RangeError(`a frame of ${length} octets`);
    this.#area.writeUInt32LE(length, this.#start);
    return this;
  }

  /** All frames so far, in memory of their own; the next ones start anew. What was written before is wiped: there are passwords among it. */
  take(): Buffer {
    const whole = Buffer.from(this.#area.subarray(0, this.#end));
    this.clear();
    return whole;
  }

  clear(): void {
    this.#area.fill(0, 0, this.#end);
    this.#end = 0;
    this.#start = 0;
  }

  #room(octets: number): void {
    const wanted = this.#end + octets;
    if (wanted <= this.#area.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, 2 * this.#area.length));
    this.#area.copy(larger, 0, 0, this.#end);
    this.#area.fill(0);
    this.#area = larger;
  }
}

const writer = new FrameWriter();

/** One frame, or several. Nothing in `write` may wait. @throws RangeError for a frame that is too long */
export function frames(write: (to: FrameWriter) => void): Buffer {
  try {
    write(writer);
    return writer.take();
  } finally {
    writer.clear();
  }
}

/** A frame without a payload, or with one that is a few octets and never changes. */
export function plainFrame(type: number, ...payload: readonly number[]): Buffer {
  return Buffer.from([payload.length, 0, 0, 0, type, ...payload]);
}

/** Reads a payload from front to back. @throws Malformed, each of them */
export class Payload {
  readonly #octets: Buffer;
  #at = 0;

  constructor(octets: Buffer) {
    this.#octets = octets;
  }

  get left(): number {
    return this.#octets.length - this.#at;
  }

  u8(): number {
    return this.#octets.readUInt8(this.#take(1));
  }

  u32(): number {
    return this.#octets.readUInt32LE(this.#take(4));
  }

  f64(): number {
    return this.#octets.readDoubleLE(this.#take(8));
  }

  flag(): boolean {
    const value = this.u8();
    if (value > 1) throw new Malformed('no flag');
    return value === 1;
  }

  /** What isn't UTF-8 comes out as U+FFFD. */
  text(mostOctets = MOST_TEXT): string {
    const length = this.#length(mostOctets);
    const at = this.#take(length);
    return this.#octets.toString('utf8', at, at + length);
  }

  optionalText(mostOctets?: number): string | undefined {
    return this.flag() ? this.text(mostOctets) : undefined;
  }

  /** In memory of their own. */
  octets(mostOctets = MOST_TEXT): Buffer {
    const length = this.#length(mostOctets);
    const at = this.#take(length);
    return Buffer.from(this.#octets.subarray(at, at + length));
  }

  /** One of `values`, by its place among them. */
  oneOf<T>(values: readonly T[]): T {
    const value = values[this.u8()];
    if (value === undefined) throw new Malformed('an unknown value');
    return value;
  }

  /** Nothing may follow. */
  end(): void {
    if (this.left > 0) throw new Malformed(`${this.left} octets too many`);
  }

  #length(most: number): number {
    const length = this.u32();
    if (length > most) throw new Malformed(`a value of ${length} octets`);
    return length;
  }

  #take(octets: number): number {
    const at = this.#at;
    if (octets > this.#octets.length - at) throw new Malformed('a frame that is too short');
    this.#at += octets;
    return at;
  }
}
