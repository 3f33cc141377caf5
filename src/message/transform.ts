/** Octets in, other octets out, piece by piece. */
import type { Octets } from '../model/octets.ts';

/** Works on one run through the octets. What it returns may lie in the chunk it was given; what it keeps for later it copies. */
export interface Transformer {
  push(chunk: Uint8Array): readonly Uint8Array[];
  /** The octets have ended; not asked for after `done`. */
  end(): readonly Uint8Array[];
  /** Nothing more is wanted: reading stops. */
  readonly done?: boolean;
}

/** Each run through the result is one through `octets`, with a transformer of its own. In pieces without a promise where `octets` is. */
export function transform(octets: Octets, create: () => Transformer): Octets {
  return Symbol.iterator in octets
    ? { [Symbol.iterator]: () => now(octets, create()) }
    : { [Symbol.asyncIterator]: () => later(octets, create()) };
}

function* now(octets: Iterable<Uint8Array>, transformer: Transformer): Generator<Uint8Array, void> {
  for (const chunk of octets) {
    yield* transformer.push(chunk);
    if (transformer.done) return;
  }
  yield* transformer.end();
}

async function* later(octets: AsyncIterable<Uint8Array>, transformer: Transformer): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of octets) {
    yield* transformer.push(chunk);
    if (transformer.done) return;
  }
  yield* transformer.end();
}
