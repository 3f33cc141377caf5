/**
 * A message as it goes over the wire: lines end in CRLF, and those that begin with a dot get another. RFC 5321 section 4.5.2.
 * The octet loops of `message/` do the same faster and take longer to load than most messages to pass.
 */
const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;

export class WireBody {
  #before = LF;

  /** Octets that come one after the other. */
  next(octets: Uint8Array): Buffer {
    const wire = Buffer.allocUnsafe(octets.length * 2);
    let at = 0;
    let before = this.#before;
    for (const octet of octets) {
      if (octet === LF && before !== CR) wire[at++] = CR;
      if (octet === DOT && before === LF) wire[at++] = DOT;
      wire[at++] = octet;
      before = octet;
    }
    this.#before = before;
    return wire.subarray(0, at);
  }

  /** What ends the message, and its last line where that has no end. */
  end(): Buffer {
    return Buffer.from(this.#before === LF ? '.\r\n' : '\r\n.\r\n');
  }
}
