import { toRest } from '../message/octetLoops.ts';
import { CR, LF } from '../message/plainLoops.ts';
import type { Transformer } from '../message/transform.ts';

const oneCr = Buffer.from('\r');

/** CRLF becomes LF and nothing else changes. A CRLF after another CR stays: else the message would have lost an octet on the way. */
export class LfEnds implements Transformer {
  #previous = LF;
  /** A CR at the end of what came waits for what comes next. */
  #holdsCr = false;

  push(chunk: Uint8Array): readonly Uint8Array[] {
    if (chunk.length === 0) return [];
    const whole = this.#holdsCr ? Buffer.concat([oneCr, chunk]) : chunk;
    this.#holdsCr = whole.at(-1) === CR;
    const taken = this.#holdsCr ? whole.subarray(0, -1) : whole;
    if (taken.length === 0) return [];
    const given = toRest(taken, this.#previous);
    this.#previous = taken.at(-1) ?? this.#previous;
    return [given];
  }

  end(): readonly Uint8Array[] {
    return this.#holdsCr ? [oneCr] : [];
  }
}
