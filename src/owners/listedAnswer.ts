/** An answer that may have the listing of a maildrop after it. */
import type { Payload } from './codec.ts';
import { readFault } from './faults.ts';
import { Malformed, tell } from './frames.ts';
import type { Exchange, Line } from './line.ts';
import { type KnownListings, ListingReader, type RemoteMessage } from './listing.ts';
import type { ListingSize } from './replies.ts';

export interface Listed<T> {
  readonly answer: T;
  readonly messages: readonly RemoteMessage[];
}

export interface ListedAnswerOptions<T> {
  readonly type: number;
  /** `listing`: the one that follows, and what its mailbox is called. @throws Malformed */
  readonly read: (payload: Payload) => { readonly answer: T; readonly listing?: ListingSize; readonly mailbox: string };
  readonly known: KnownListings;
}

/** @throws Fault as the worker answers; LineLost */
export function putListed<T>(line: Line, frames: Buffer, options: ListedAnswerOptions<T>): Promise<Listed<T>> {
  const exchange = new ListedAnswer(line, options);
  line.begin(exchange, frames);
  return exchange.settled.promise;
}

class ListedAnswer<T> implements Exchange {
  readonly settled = Promise.withResolvers<Listed<T>>();
  readonly #line: Line;
  readonly #options: ListedAnswerOptions<T>;
  #head: { readonly answer: T; readonly mailbox: string } | undefined;
  #listing: ListingReader | undefined;

  constructor(line: Line, options: ListedAnswerOptions<T>) {
    this.#line = line;
    this.#options = options;
  }

  frame(type: number, payload: Payload, octets: Buffer): void {
    if (this.#head !== undefined) {
      if (type !== tell.listing) throw new Malformed(`an answer of type ${type}`);
      this.#listing?.add(octets);
    } else if (type === tell.fault) {
      const fault = readFault(payload);
      payload.end();
      this.#line.end();
      this.settled.reject(fault);
      return;
    } else if (type === this.#options.type) {
      const { listing, ...head } = this.#options.read(payload);
      this.#head = head;
      this.#listing = listing && new ListingReader(listing);
    } else throw new Malformed(`an answer of type ${type}`);
    if (this.#listing === undefined || this.#listing.whole) this.#finish(this.#head);
  }

  message(): void {
    throw new Malformed('octets of no message');
  }

  pause(): boolean {
    return false;
  }

  lost(reason: Error): void {
    this.settled.reject(reason);
  }

  #finish({ answer, mailbox }: { readonly answer: T; readonly mailbox: string }): void {
    const messages = this.#listing?.messages(mailbox, this.#options.known) ?? [];
    this.#line.end();
    this.settled.resolve({ answer, messages });
  }
}
