import { countBareLf } from '../message/octetLoops.ts';

const LF = 10;

/** Octets of a message on the wire: each line ends in CRLF, the last one too; before byte-stuffing. RFC 1939 section 11. */
export function wireLength(whole: Uint8Array): number {
  return new WireMeter().add(whole).octets;
}

/** The same for a message that comes in pieces. */
export class WireMeter {
  #octets = 0;
  #last = 0;

  add(piece: Uint8Array): this {
    this.#octets += piece.length + countBareLf(piece, 0, piece.length, this.#last);
    this.#last = piece.at(-1) ?? this.#last;
    return this;
  }

  get octets(): number {
    return this.#octets === 0 || this.#last === LF ? this.#octets : this.#octets + 2;
  }
}
