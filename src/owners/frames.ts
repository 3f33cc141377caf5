/**
 * Frames between a front and an owner's worker: length of the payload (4 octets, little-endian), type (1 octet), payload. One request at a
 * time on a connection; whoever breaks that, or sends what can't be read, is cut off.
 *
 * The worker begins with `hello`. A request is answered by one frame, or by `admitted` or `opened` with the `listing` frames of its maildrop
 * after it; by `message` frames and `done`, or `fault` in place of either. `bye` may come at any time: nobody has needed the worker for a while, and
 * the front closes the connection unless a request is on its way.
 */

/** Octets of a message, in both directions: handed on as they come, before the frame is whole. */
export const MESSAGE = 1;

/** From front to worker. */
export const ask = {
  authenticate: 16,
  /** The maildrop of the account that was admitted on this very connection. */
  open: 17,
  retrieve: 18,
  /** No more of the message that is being retrieved. It still ends with `done` or `fault`. */
  stop: 19,
  /** Messages for the next `update`. No answer. */
  mark: 20,
  /** Lets go of the maildrop too, whatever comes of it. */
  update: 21,
  release: 22,
  /** `message` frames follow, and `endOfMessage` or `messageFailed`. The answer may come before them. */
  deliver: 23,
  endOfMessage: 24,
  messageFailed: 25,
  account: 26,
  domain: 27,
  scramParameters: 28,
  explain: 29,
  locate: 30,
  /** Whether something is done for the first time; it is remembered. */
  first: 40,
  alias: 31,
  pattern: 32,
  /** Puts a return receipt before the user of a mailbox. */
  receipt: 45,
  usage: 46,
} as const;

/** From worker to front. */
export const tell = {
  hello: 64,
  bye: 65,
  done: 66,
  fault: 67,
  admitted: 68,
  opened: 69,
  listing: 70,
  account: 71,
  domain: 72,
  scramParameters: 73,
  explained: 74,
  located: 75,
  first: 80,
  /** Answers `alias` and `pattern`. */
  alias: 76,
  receipt: 85,
  usage: 86,
} as const;

/** What `hello` says: a front and a worker of different versions don't talk. */
export const PROTOCOL = 2;
export const HEADER = 5;
export const MOST_PAYLOAD = 65_536;

/** What the other side sent makes no sense. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

export interface FrameSink {
  /** `payload` is good until this returns. @throws Malformed */
  frame(type: number, payload: Buffer): void;
  /** Octets of a message, good until this returns unless the chunk they came in lasts longer. @throws Malformed */
  message(octets: Buffer): void;
}

/** Parts what comes in into frames. */
export class FrameReader {
  readonly #sink: FrameSink;
  /** A frame that isn't whole: its header, and then all of it. */
  #partial = Buffer.allocUnsafe(HEADER);
  #filled = 0;
  /** Octets of a message frame that are still to come. */
  #messageLeft = 0;
  #stopped = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Nothing more is wanted. */
  stop(): void {
    this.#stopped = true;
  }

  /** @throws Malformed, and what the sink throws */
  push(chunk: Buffer): void {
    let at = 0;
    while (!this.#stopped && at < chunk.length) {
      if (this.#messageLeft > 0) at = this.#message(chunk, at);
      else if (this.#filled > 0) at = this.#complete(chunk, at);
      else at = this.#begin(chunk, at);
    }
  }

  #message(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#messageLeft);
    this.#messageLeft -= end - at;
    this.#sink.message(chunk.subarray(at, end));
    return end;
  }

  /** A frame that is whole is looked at where it lies. */
  #begin(chunk: Buffer, at: number): number {
    if (chunk.length - at < HEADER) return this.#keep(chunk, at, HEADER);
    const length = lengthAt(chunk, at);
    if (chunk[at + 4] === MESSAGE) {
      this.#messageLeft = length;
      return at + HEADER;
    }
    const end = at + HEADER + length;
    if (end > chunk.length) return this.#keep(chunk, at, HEADER + length);
    this.#sink.frame(chunk.readUInt8(at + 4), chunk.subarray(at + HEADER, end));
    return end;
  }

  /** Copied: the chunk may lie in memory that is used for the next one. */
  #keep(chunk: Buffer, at: number, wanted: number): number {
    this.#partial = Buffer.allocUnsafe(wanted);
    this.#filled = chunk.copy(this.#partial, 0, at);
    return chunk.length;
  }

  #complete(chunk: Buffer, start: number): number {
    const taken = chunk.copy(this.#partial, this.#filled, start);
    const at = start + taken;
    this.#filled += taken;
    const partial = this.#partial;
    if (this.#filled < partial.length) return at;
    if (partial.length === HEADER) {
      const length = lengthAt(partial, 0);
      if (partial[4] === MESSAGE) {
        this.#filled = 0;
        this.#messageLeft = length;
        return at;
      }
      if (length > 0) {
        this.#partial = Buffer.allocUnsafe(HEADER + length);
        partial.copy(this.#partial);
        return at;
      }
    }
    this.#filled = 0;
    this.#sink.frame(partial.readUInt8(4), partial.subarray(HEADER));
    return at;
  }
}

function lengthAt(octets: Buffer, at: number): number {
  const length = octets.readUInt32LE(at);
  if (length > MOST_PAYLOAD) throw new Malformed(`a frame of ${length} octets`);
  return length;
}
