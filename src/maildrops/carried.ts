/** A message on its way from one format to the other, and how to tell that it has arrived whole. */
import { createHash } from 'node:crypto';
import { HEADER_LIMIT } from '../message/fields.ts';
import { HeaderEnd } from '../message/header.ts';
import type { Octets } from '../model/octets.ts';
import { RestForm } from './maildir/restForm.ts';

export interface Carried {
  /** In the mailbox it comes from. */
  readonly uniqueId: string;
  readonly receivedAtMs: number;
  flags(): Promise<Flags>;
  /** As it rests, without the quoting of an mbox. Can be gone through more than once. */
  content(): Octets;
}

/** What both formats can say: an mbox in `Status:` and `X-Status:`, a Maildir in file names. */
export interface Flags {
  /** No mail program has shown it in a listing yet: new/ of a Maildir, no `Status:` in an mbox. */
  readonly isNew: boolean;
  readonly seen: boolean;
  readonly answered: boolean;
  readonly flagged: boolean;
  readonly draft: boolean;
  readonly deleted: boolean;
}

/** Two messages with the same one are the same on the wire. */
export interface Print {
  readonly octets: number;
  readonly digest: string;
}

export async function printOf(content: Octets): Promise<Print> {
  const press = new Press();
  for await (const piece of content) press.take(piece);
  return press.end();
}

/** Takes the print of what passes. Line ends are brought to one form, as on the wire they are all the same. */
export class Press {
  readonly #rest = new RestForm();
  readonly #hash = createHash('sha256');

  take(piece: Uint8Array): void {
    this.#hash.update(this.#rest.take(piece));
  }

  end(): Print {
    this.#hash.update(this.#rest.end());
    return { octets: this.#rest.octets, digest: this.#hash.digest('base64') };
  }
}

/** The octets up to the blank line; all of them where there is none, but no more than editFields looks at. */
export async function headerOf(content: Octets): Promise<Buffer> {
  const end = new HeaderEnd();
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of content) {
    const found = end.find(piece);
    // Copied: whoever lent the piece may reuse it once the next one is asked for.
    pieces.push(Buffer.from(piece.subarray(0, found)));
    length += piece.length;
    if (found !== undefined || length >= HEADER_LIMIT) break;
  }
  return Buffer.concat(pieces);
}
