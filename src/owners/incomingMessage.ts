/** A message that comes in frames, as a store takes it. A few pieces wait in memory; whoever sends faster than the disc waits. */
import type { Socket } from 'node:net';
import type { Octets } from '../model/octets.ts';

/** Octets that wait before the sender has to. */
const ENOUGH = 262_144;

export class IncomingMessage implements AsyncIterable<Uint8Array> {
  readonly #socket: Socket;
  #pieces: Uint8Array[] = [];
  #waiting = 0;
  #state: 'coming' | 'whole' | 'broken' = 'coming';
  #reason: Error | undefined;
  #discards = false;
  #wake: (() => void) | undefined;
  readonly #limit: NodeJS.Timeout;
  readonly #ended = Promise.withResolvers<void>();

  /** @param patienceMs how long the sender may be silent; it is cut off then */
  constructor(socket: Socket, patienceMs: number) {
    this.#socket = socket;
    this.#limit = setTimeout(() => {
      // Silent because we don't read: its turn comes when the store is ready for more.
      if (this.#waiting >= ENOUGH) this.#limit.refresh();
      else socket.destroy();
    }, patienceMs);
  }

  get coming(): boolean {
    return this.#state === 'coming';
  }

  /** Resolves when nothing more of it comes. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** To be gone through once. What is here already comes without a promise. */
  octets(): Octets {
    if (this.#state !== 'whole') return this;
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  add(piece: Uint8Array): void {
    this.#limit.refresh();
    if (this.#discards) return;
    this.#pieces.push(piece);
    this.#waiting += piece.length;
    if (this.#waiting >= ENOUGH) this.#socket.pause();
    this.#goOn();
  }

  end(): void {
    this.#close('whole');
  }

  /** It doesn't come to its end: whoever reads it gets this error. */
  fail(reason: Error): void {
    this.#reason = reason;
    this.#close('broken');
  }

  /** What is still to come is of no use to anybody. */
  discard(): void {
    this.#discards = true;
    this.#pieces = [];
    this.#waiting = 0;
    this.#socket.resume();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      for (const piece of this.#pieces.splice(0)) {
        yield piece;
        this.#waiting -= piece.length;
      }
      if (this.#pieces.length > 0) continue;
      if (this.#state === 'broken') throw this.#reason;
      if (this.#state === 'whole') return;
      this.#socket.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #close(state: 'whole' | 'broken'): void {
    if (this.#state !== 'coming') return;
    this.#state = state;
    clearTimeout(this.#limit);
    this.#ended.resolve();
    this.#goOn();
  }

  #goOn(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
