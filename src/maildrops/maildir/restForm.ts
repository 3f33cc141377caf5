/** A message on its way in: line ends become LF, as Dovecot keeps them in a Maildir, and nothing else changes. */
import { countBareLf, toRest } from '../../message/octetLoops.ts';

const CR = 0x0d;
const LF = 0x0a;
const none = Buffer.alloc(0);
const oneCr = Buffer.from('\r');

/**
 * Takes the message in pieces, gives its form at rest in pieces, and knows both sizes when `end` has been called.
 * A CRLF after another CR stays: taken for LF it would be sent as a single CRLF, and the message would have lost an octet.
 */
export class RestForm {
  /** Octets given so far. */
  size = 0;
  /** Octets of that on the wire. */
  octets = 0;
  /** A CR at the end of what was taken waits for what comes next. */
  #holdsCr = false;
  #previous = LF;

  /** What it gives is in memory of its own. */
  take(piece: Uint8Array): Buffer {
    if (piece.length === 0) return none;
    const whole = this.#holdsCr ? Buffer.concat([oneCr, piece]) : piece;
    this.#holdsCr = whole.at(-1) === CR;
    return this.#give(this.#holdsCr ? whole.subarray(0, -1) : whole);
  }

  /** The last line gets an end where it has none. */
  end(): Buffer {
    if (this.#holdsCr) return this.#give(Buffer.from('\r\r\n'));
    return this.#previous === LF ? none : this.#give(Buffer.from('\n'));
  }

  #give(octets: Uint8Array): Buffer {
    const given = toRest(octets, this.#previous);
    this.octets += given.length + countBareLf(given, 0, given.length, this.#previous);
    this.size += given.length;
    this.#previous = given.at(-1) ?? this.#previous;
    return given;
  }
}
