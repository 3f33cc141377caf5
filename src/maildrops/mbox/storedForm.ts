/** A message as it rests in an mbox: lines end in LF, `From ` at the start of a line is quoted, and a blank line comes after it. */
import type { Envelope } from '../../model/envelope.ts';
import type { Octets } from '../../model/octets.ts';
import { RestForm } from '../maildir/restForm.ts';
import { fromLine } from './fromLine.ts';
import { quoter } from './quoting.ts';

/** What is put together in memory before the mailbox is locked; of a longer message the rest is read while it is written. */
const GATHERED = 1024 * 1024;
const blankLine = Buffer.from('\n');

export interface StoredForm {
  /** The first octets: all of them unless there is a `rest`. */
  readonly first: Buffer;
  readonly rest: AsyncIterator<Uint8Array> | undefined;
}

/** The whole of a short message is read when this resolves. */
export async function storedForm(message: Octets, envelope: Envelope): Promise<StoredForm> {
  const pieces = piecesOf(message, envelope);
  const gathered: Uint8Array[] = [];
  let length = 0;
  while (length < GATHERED) {
    const next = await pieces.next();
    if (next.done) return { first: Buffer.concat(gathered, length), rest: undefined };
    gathered.push(next.value);
    length += next.value.length;
  }
  return { first: Buffer.concat(gathered, length), rest: pieces };
}

async function* piecesOf(message: Octets, envelope: Envelope): AsyncGenerator<Uint8Array, void> {
  yield fromLine(envelope.sender, envelope.receivedAt);
  const rest = new RestForm();
  const quote = quoter();
  for await (const piece of message) yield* quote.push(rest.take(piece));
  yield* quote.push(rest.end());
  yield* quote.end();
  yield blankLine;
}
