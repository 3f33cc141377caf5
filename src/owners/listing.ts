/** The messages of a maildrop on the wire. What was said before is not put together, nor taken apart, anew. */
import type { MaildropMessage } from '../model/maildrop.ts';
import { frames } from './codec.ts';
import { HEADER, Malformed, MOST_PAYLOAD, tell } from './frames.ts';
import type { ListingSize } from './replies.ts';

/** Octets of an entry without its unique-id: octets, time of arrival, whether it was read, the length of its unique-id. */
const FIXED = 8 + 8 + 1 + 1;
const LONGEST_ID = 70;
/** Messages in a maildrop that goes over the wire. */
export const MOST_MESSAGES = 1 << 21;

export interface WrittenListing {
  readonly size: ListingSize;
  /** Frames as they go out. */
  readonly frames: readonly Buffer[];
}

const written = new WeakMap<readonly MaildropMessage[], WrittenListing>();

/** A store that knows a mailbox to be unchanged hands out the same array again. @throws RangeError for a message that can't be listed */
export function writeListing(messages: readonly MaildropMessage[]): WrittenListing {
  const known = written.get(messages);
  if (known !== undefined) return known;
  const fresh = messages.length === 0 ? nothingListed : listingOf(messages);
  written.set(messages, fresh);
  return fresh;
}

const nothingListed: WrittenListing = { size: { messages: 0, octets: 0 }, frames: [] };

function listingOf(messages: readonly MaildropMessage[]): WrittenListing {
  if (messages.length > MOST_MESSAGES) throw new RangeError(`${messages.length} messages in a maildrop`);
  const parts: Buffer[] = [];
  let octets = 0;
  for (let next = 0; next < messages.length; ) {
    const part = frames((to) => {
      to.begin(tell.listing);
      for (let left = MOST_PAYLOAD; next < messages.length && left >= FIXED + LONGEST_ID; next += 1) {
        const message = messages[next];
        if (message === undefined) break;
        const { uniqueId } = message;
        if (uniqueId.length === 0 || uniqueId.length > LONGEST_ID) throw new RangeError('a unique-id that is none');
        to.f64(message.octets)
          .f64(message.receivedAtMs)
          .flag(message.wasRead === true)
          .latin1(uniqueId);
        left -= FIXED + uniqueId.length;
      }
      to.finish();
    });
    parts.push(part);
    octets += part.length - HEADER;
  }
  return { size: { messages: messages.length, octets }, frames: parts };
}

/** A message of a maildrop elsewhere. Sessions share it as long as the listing is the same. */
export class RemoteMessage implements MaildropMessage {
  readonly uniqueId: string;
  readonly octets: number;
  readonly receivedAtMs: number;
  readonly wasRead: boolean;
  /** Message-number less one. */
  readonly row: number;

  constructor(row: number, uniqueId: string, octets: number, receivedAtMs: number, wasRead: boolean) {
    this.row = row;
    this.uniqueId = uniqueId;
    this.octets = octets;
    this.receivedAtMs = receivedAtMs;
    this.wasRead = wasRead;
  }
}

/** Gathers the listing frames of one maildrop. */
export class ListingReader {
  readonly #size: ListingSize;
  readonly #parts: Buffer[] = [];
  #octets = 0;

  /** @throws Malformed for a size that no listing has */
  constructor(size: ListingSize) {
    const { messages, octets } = size;
    if (messages > MOST_MESSAGES || octets < messages * (FIXED + 1) || octets > messages * (FIXED + LONGEST_ID))
      throw new Malformed('no listing');
    this.#size = size;
  }

  get whole(): boolean {
    return this.#octets === this.#size.octets;
  }

  /** @throws Malformed */
  add(payload: Buffer): void {
    this.#octets += payload.length;
    if (payload.length === 0 || this.#octets > this.#size.octets) throw new Malformed('no listing');
    this.#parts.push(Buffer.from(payload));
  }

  /** @throws Malformed */
  messages(mailbox: string, known: KnownListings): readonly RemoteMessage[] {
    if (this.#size.messages === 0) return [];
    const octets = this.#parts.length === 1 && this.#parts[0] !== undefined ? this.#parts[0] : Buffer.concat(this.#parts);
    return known.messages(mailbox, octets, this.#size.messages);
  }
}

/** Listings taken apart lately: a maildrop that is asked after again and again is mostly as it was. */
export class KnownListings {
  readonly #limit: number;
  /** By mailbox; the one used last stands last. */
  readonly #known = new Map<string, { readonly octets: Buffer; readonly messages: readonly RemoteMessage[] }>();
  /** Messages in all of them, each mailbox counting as a few more. */
  #weight = 0;

  /** @param limit messages kept, about 200 octets of memory each */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws Malformed */
  messages(mailbox: string, octets: Buffer, count: number): readonly RemoteMessage[] {
    const known = this.#known.get(mailbox);
    if (known !== undefined) this.#drop(mailbox, known.messages.length);
    const kept = known?.octets.equals(octets) ? known : { octets, messages: messagesIn(octets, count) };
    if (kept.messages.length !== count) throw new Malformed('no listing');
    this.#known.set(mailbox, kept);
    this.#weight += weight(count);
    for (const [oldest, { messages }] of this.#known) {
      if (this.#weight <= this.#limit) break;
      this.#drop(oldest, messages.length);
    }
    return kept.messages;
  }

  #drop(mailbox: string, count: number): void {
    this.#known.delete(mailbox);
    this.#weight -= weight(count);
  }
}

function weight(messages: number): number {
  return messages + 4;
}

function messagesIn(octets: Buffer, count: number): RemoteMessage[] {
  const messages: RemoteMessage[] = [];
  let at = 0;
  while (at < octets.length) {
    if (octets.length - at < FIXED) throw new Malformed('no listing');
    const size = octets.readDoubleLE(at);
    const receivedAtMs = octets.readDoubleLE(at + 8);
    const start = at + FIXED;
    const end = start + octets.readUInt8(start - 1);
    const wasRead = octets.readUInt8(at + 16);
    if (wasRead > 1 || !Number.isSafeInteger(size) || size < 0 || !Number.isFinite(receivedAtMs) || !isUniqueId(octets, start, end))
      throw new Malformed('no listing');
    messages.push(new RemoteMessage(messages.length, octets.toString('latin1', start, end), size, receivedAtMs, wasRead === 1));
    at = end;
  }
  if (messages.length !== count) throw new Malformed('no listing');
  return messages;
}

/** 1 to 70 octets, 0x21 to 0x7E. RFC 1939 section 7. */
function isUniqueId(octets: Buffer, start: number, end: number): boolean {
  if (end === start || end - start > LONGEST_ID || end > octets.length) return false;
  for (let at = start; at < end; at += 1) {
    const octet = octets[at] ?? 0;
    if (octet < 0x21 || octet > 0x7e) return false;
  }
  return true;
}
