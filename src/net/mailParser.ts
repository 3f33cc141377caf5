/**
 * Command lines and message octets of a mail connection, as smtp-server's parser takes them apart, with one difference: a line ends in
 * CRLF and nothing else while message octets come in. The package also takes a dot away after a bare LF and keeps a single one
 * after CRLF, so that not every message came through as it was sent. RFC 5321 sections 2.3.8, 4.1.1.4 and 4.5.2.
 */
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js';

const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;
const CRLF_DOT = Buffer.from('\r\n.');
const lonelyCr = Buffer.from('\r');

/** Where in a line the next octet stands. */
type Place = 'within' | 'after CR' | 'start' | 'after dot' | 'after dot and CR';

export class MailParser extends SMTPStream {
  #place: Place = 'start';

  override startDataMode(maxBytes?: number | string | null) {
    this.#place = 'start';
    return super.startDataMode(maxBytes);
  }

  override _feedDataStream(chunk: Buffer, done: (error?: Error | null) => void): void {
    const pieces: Buffer[] = [];
    let place = this.#place;
    let at = 0;
    /** Octets from here to `at` are the message's and not yet among the pieces. */
    let from = 0;
    const take = (end: number) => {
      if (end > from) pieces.push(chunk.subarray(from, end));
    };
    while (at < chunk.length) {
      const octet = chunk[at];
      if (place === 'within') {
        const found = chunk.indexOf(CRLF_DOT, at);
        if (found < 0) {
          at = chunk.length;
          place = endOf(chunk);
        } else {
          at = found + 2;
          place = 'start';
        }
      } else if (place === 'after CR') {
        place = octet === LF ? 'start' : octet === CR ? 'after CR' : 'within';
        at++;
      } else if (place === 'start') {
        if (octet === DOT) {
          take(at);
          at++;
          from = at;
          place = 'after dot';
        } else place = 'within';
      } else if (place === 'after dot') {
        if (octet === CR) {
          at++;
          from = at;
          place = 'after dot and CR';
        } else place = 'within';
      } else if (octet === LF) {
        this.#place = 'start';
        const last = joined(pieces);
        this._countDataBytes(last?.length ?? 0);
        this._endDataMode(last ?? false, chunk.subarray(at + 1), done);
        return;
      } else {
        // A line such as CR LF "." CR "x": the dot was stuffing, the CR is the message's.
        pieces.push(lonelyCr);
        place = 'after CR';
      }
    }
    take(chunk.length);
    this.#place = place;
    this.#pass(joined(pieces), done);
  }

  /** A command without its line end is not carried out. */
  override _flushData(): void {}

  /** Waits for a reader that is slower than the client. */
  #pass(octets: Buffer | undefined, done: (error?: Error | null) => void): void {
    const stream = this._dataStream;
    this._countDataBytes(octets?.length ?? 0);
    if (octets === undefined || !stream?.writable || stream.write(octets)) {
      done();
      return;
    }
    const go = () => {
      stream.removeListener('drain', go);
      stream.removeListener('close', go);
      done();
    };
    stream.once('drain', go);
    stream.once('close', go);
  }
}

/** Of a chunk without CRLF and dot in it. */
function endOf(chunk: Buffer): Place {
  if (chunk.at(-1) === CR) return 'after CR';
  return chunk.at(-1) === LF && chunk.at(-2) === CR ? 'start' : 'within';
}

function joined(pieces: Buffer[]): Buffer | undefined {
  return pieces.length < 2 ? pieces[0] : Buffer.concat(pieces);
}
