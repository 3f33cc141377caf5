/**
 * Octets in pieces, in order. Small things are one piece and come without a promise; large ones are read as they are
 * asked for. Unless a function says otherwise they can be gone through more than once. A piece may lie in lent memory: it is
 * good until the next one is asked for, and who keeps it copies it.
 */
export type Octets = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Octets that come without a promise, from a generator for each run through them. */
export class PiecesNow implements Iterable<Uint8Array> {
  readonly #begin: () => Iterator<Uint8Array>;

  constructor(begin: () => Iterator<Uint8Array>) {
    this.#begin = begin;
  }

  [Symbol.iterator](): Iterator<Uint8Array> {
    return this.#begin();
  }
}

/** Octets that are read as they are asked for, likewise. */
export class PiecesLater implements AsyncIterable<Uint8Array> {
  readonly #begin: () => AsyncIterator<Uint8Array>;

  constructor(begin: () => AsyncIterator<Uint8Array>) {
    this.#begin = begin;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#begin();
  }
}
