/** A front's connection to a worker: one exchange at a time, and nothing that waits for ever. */
import { connect, type Socket } from 'node:net';
import { PIECE_SIZE } from '../message/octetLoops.ts';
import { Payload } from './codec.ts';
import { readFault } from './faults.ts';
import { FrameReader, type FrameSink, Malformed, PROTOCOL, tell } from './frames.ts';
import type { Worker } from './whereabouts.ts';

/** The connection ended before the answer was there. */
export class LineLost extends Error {
  override readonly name = 'LineLost';
  /** The worker took the connection; what was sent over it may have been done. */
  readonly wasTaken: boolean;

  constructor(worker: Worker, wasTaken: boolean, reason: string) {
    super(`worker ${worker.owner}: ${reason}`);
    this.wasTaken = wasTaken;
  }
}

/** Who waits for what the worker says. */
export interface Exchange {
  /** `payload` is good until this returns. @throws Malformed */
  frame(type: number, payload: Payload, octets: Buffer): void;
  /** Octets of a message, good until this returns. @throws Malformed */
  message(octets: Buffer): void;
  /** What came in is read so far. False: nothing more for now, until `resume`. */
  pause(): boolean;
  /** Called once, in place of an answer. */
  lost(reason: Error): void;
}

export interface LineOptions {
  /** Until the worker has taken the connection. */
  readonly patienceMs: number;
  /** Called once. */
  readonly closed: (line: Line) => void;
  /** The worker has nothing to do any more and would like to end. */
  readonly bye: (line: Line) => void;
  /** What the worker sent made no sense. */
  readonly malformed: (reason: string) => void;
}

/**
 * All lines read into the same memory: a read, and what is done with it, are over before the next one begins. Not larger than what a retrieved
 * piece has room for.
 */
const readArea = Buffer.allocUnsafeSlow(PIECE_SIZE);

export class Line implements FrameSink {
  readonly worker: Worker;
  /** Not to be used for another session. */
  leaving = false;
  /** Whoever has the line for longer than one exchange. */
  onLost: (() => void) | undefined;
  /** Counts up while the same answer is waited for; see `Lines`. */
  waitedTicks = 0;
  readonly #options: LineOptions;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  #exchange: Exchange | undefined;
  #isTaken = false;
  #closed = false;
  #paused = false;
  #reason = 'the connection was closed';
  readonly #limit: NodeJS.Timeout;
  #ready: PromiseWithResolvers<void> | undefined;

  constructor(worker: Worker, options: LineOptions) {
    this.worker = worker;
    this.#options = options;
    this.#reader = new FrameReader(this);
    this.#socket = connect({ path: worker.path, onread: { buffer: readArea, callback: (length) => this.#received(length) } });
    this.#socket.on('error', (error) => {
      this.#reason = error.message;
    });
    this.#socket.on('close', () => this.#isClosed());
    this.#limit = setTimeout(() => this.cut('the worker does not take the connection'), options.patienceMs);
  }

  get closed(): boolean {
    return this.#closed || this.#socket.destroyed;
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** An answer is waited for, and it is the worker's turn. */
  get isWaiting(): boolean {
    return this.#exchange !== undefined && !this.#paused;
  }

  /** Resolves when the worker has taken the connection. @throws LineLost */
  taken(): Promise<void> {
    if (this.closed) return Promise.reject(this.#lost());
    if (this.#isTaken) return Promise.resolve();
    this.#ready ??= Promise.withResolvers();
    return this.#ready.promise;
  }

  /** Sends a request; the exchange has the line until `end`. */
  begin(exchange: Exchange, frames?: Buffer): void {
    if (this.closed) {
      exchange.lost(this.#lost());
      return;
    }
    this.#exchange = exchange;
    this.waitedTicks = 0;
    if (frames !== undefined) this.#socket.write(frames);
  }

  /** Something more, during an exchange. */
  write(frames: Buffer): void {
    this.#socket.write(frames);
  }

  end(): void {
    this.#exchange = undefined;
    this.resume();
  }

  resume(): void {
    this.waitedTicks = 0;
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  /** Says goodbye: what was sent is still read by the worker. */
  close(): void {
    this.#socket.destroySoon();
  }

  cut(reason: string): void {
    this.#reason = reason;
    this.#socket.destroy();
  }

  frame(type: number, octets: Buffer): void {
    const payload = new Payload(octets);
    if (type === tell.hello) this.#greeted(payload);
    else if (type === tell.bye) this.#options.bye(this);
    else if (!this.#isTaken || this.#exchange === undefined) throw new Malformed('an answer to nothing');
    else this.#exchange.frame(type, payload, octets);
  }

  message(octets: Buffer): void {
    if (this.#exchange === undefined) throw new Malformed('octets of no message');
    this.#exchange.message(octets);
  }

  #greeted(payload: Payload): void {
    if (this.#isTaken || payload.u8() !== PROTOCOL) throw new Malformed('no greeting that we know');
    this.#isTaken = true;
    clearTimeout(this.#limit);
    this.#ready?.resolve();
  }

  #received(length: number): boolean {
    this.waitedTicks = 0;
    try {
      this.#reader.push(readArea.subarray(0, length));
    } catch (thrown) {
      const reason = thrown instanceof Malformed ? thrown.message : String(thrown);
      this.#options.malformed(reason);
      this.#reader.stop();
      this.cut(reason);
    }
    this.#paused = this.#exchange?.pause() === true;
    return !this.#paused;
  }

  #isClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#limit);
    this.#reader.stop();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#ready?.promise.catch(() => {});
    this.#ready?.reject(this.#lost());
    this.#options.closed(this);
    exchange?.lost(this.#lost());
    this.onLost?.();
  }

  #lost(): LineLost {
    return new LineLost(this.worker, this.#isTaken, this.#reason);
  }
}

/** One request, one frame for an answer. */
export class Question<T> implements Exchange {
  readonly answer: Promise<T>;
  readonly #line: Line;
  readonly #type: number;
  readonly #read: (payload: Payload) => T;
  readonly #settled = Promise.withResolvers<T>();
  settled = false;

  constructor(line: Line, type: number, read: (payload: Payload) => T) {
    this.answer = this.#settled.promise;
    this.#line = line;
    this.#type = type;
    this.#read = read;
  }

  frame(type: number, payload: Payload): void {
    if (type === tell.fault) {
      const fault = readFault(payload);
      this.#end();
      this.#settled.reject(fault);
      return;
    }
    if (type !== this.#type) throw new Malformed(`an answer of type ${type}`);
    const answer = this.#read(payload);
    this.#end();
    this.#settled.resolve(answer);
  }

  message(): void {
    throw new Malformed('octets of no message');
  }

  pause(): boolean {
    return false;
  }

  lost(reason: Error): void {
    this.settled = true;
    this.#settled.reject(reason);
  }

  #end(): void {
    this.settled = true;
    this.#line.end();
  }
}

/** @throws Fault as the worker answers; LineLost */
export function put<T>(line: Line, frames: Buffer, type: number, read: (payload: Payload) => T): Promise<T> {
  const question = new Question(line, type, read);
  line.begin(question, frames);
  return question.answer;
}
