/**
 * One run through a message elsewhere. What comes in goes to whoever reads it, one piece ahead of them at most; then the worker has to wait. Where
 * something else is wanted of the same maildrop meanwhile, the worker is stopped, and asked for the rest later.
 */
import { borrowSlot, PIECE_SIZE, type Slot } from '../message/octetLoops.ts';
import type { Fault } from '../model/fault.ts';
import { type Payload, plainFrame } from './codec.ts';
import { readFault } from './faults.ts';
import { ask, Malformed, tell } from './frames.ts';
import type { Exchange, Line } from './line.ts';
import { writeRetrieve } from './requests.ts';
import type { Turn, Turns } from './turns.ts';

const stop = plainFrame(ask.stop);
const over: IteratorReturnResult<undefined> = { done: true, value: undefined };

export interface RetrievalOptions {
  readonly line: Line;
  readonly turns: Turns;
  readonly row: number;
  /** What a lost connection is to the reader. */
  readonly lost: (reason: Error) => Fault;
}

export class Retrieval implements AsyncIterator<Uint8Array, undefined>, Exchange, Turn {
  readonly #options: RetrievalOptions;
  /** `stopping`: what still comes is of no use to anybody. */
  #state: 'resting' | 'waiting' | 'running' | 'stopping' = 'resting';
  /** The reader has it until they ask for the next one. */
  #lent: Slot | undefined;
  /** The next piece, and how much of it there is. */
  #ahead: Slot | undefined;
  #length = 0;
  /** Of the message, taken in so far. */
  #octets = 0;
  /** Nothing comes any more. */
  #ended = false;
  #failure: { readonly thrown: unknown } | undefined;
  #reader: PromiseWithResolvers<IteratorResult<Uint8Array, undefined>> | undefined;

  constructor(options: RetrievalOptions) {
    this.#options = options;
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#takeBack();
    this.#reader = Promise.withResolvers();
    const { promise } = this.#reader;
    this.#serve();
    if (this.#reader !== undefined && this.#state === 'resting') this.#takeTurn();
    else if (this.#state === 'running') this.#options.line.resume();
    return promise;
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#takeBack();
    this.#ahead?.release();
    this.#ahead = undefined;
    this.#ended = true;
    this.#failure = undefined;
    if (this.#state === 'running') this.#stop();
    this.#serve();
    return over;
  }

  start(): void {
    if (this.#ended) {
      this.#state = 'resting';
      this.#options.turns.done();
      return;
    }
    this.#state = 'running';
    this.#options.line.begin(this, writeRetrieve(this.#options.row, this.#octets));
  }

  /** Who is waiting for a piece gets that one first. */
  hurry(): void {
    if (this.#state === 'running' && this.#reader === undefined) this.#stop();
  }

  message(octets: Buffer): void {
    if (this.#state === 'stopping') return;
    this.#ahead ??= borrowSlot(PIECE_SIZE);
    if (this.#length + octets.length > PIECE_SIZE) throw new Malformed('more than was asked for');
    this.#ahead.octets.set(octets, this.#length);
    this.#length += octets.length;
    this.#octets += octets.length;
  }

  frame(type: number, payload: Payload): void {
    let failure: { readonly thrown: unknown } | undefined;
    if (type === tell.fault) failure = { thrown: readFault(payload) };
    else if (type !== tell.done) throw new Malformed(`an answer of type ${type}`);
    payload.end();
    // One that was stopped is asked for again, and fails again if it must.
    if (this.#state === 'running') {
      this.#ended = true;
      this.#failure = failure;
    }
    this.#options.line.end();
    this.#rest();
  }

  pause(): boolean {
    this.#serve();
    if (this.#options.turns.areWaitedFor) this.hurry();
    return this.#state === 'running' && this.#ahead !== undefined;
  }

  lost(reason: Error): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#failure = { thrown: this.#options.lost(reason) };
    }
    this.#rest();
  }

  /** The line is free. */
  #rest(): void {
    this.#state = 'resting';
    this.#serve();
    // Behind those who wait already.
    if (this.#reader !== undefined) this.#takeTurn();
    this.#options.turns.done();
  }

  #takeTurn(): void {
    this.#state = 'waiting';
    this.#options.turns.take(this);
  }

  /** Gives the reader what there is, if they are waiting. */
  #serve(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    if (this.#ahead !== undefined) {
      this.#reader = undefined;
      this.#lent = this.#ahead;
      this.#ahead = undefined;
      const value = this.#lent.octets.subarray(0, this.#length);
      this.#length = 0;
      reader.resolve({ done: false, value });
    } else if (this.#ended) {
      this.#reader = undefined;
      if (this.#failure === undefined) reader.resolve(over);
      else reader.reject(this.#failure.thrown);
      this.#failure = undefined;
    }
  }

  #stop(): void {
    const { line } = this.#options;
    this.#state = 'stopping';
    line.write(stop);
    line.resume();
  }

  #takeBack(): void {
    this.#lent?.release();
    this.#lent = undefined;
  }
}
