/**
 * Octets in pieces, in order. Small things are one piece and come without a promise; large ones are read as they are
 * asked for. Unless a function says otherwise they can be gone through more than once.
 */
export type Octets = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
