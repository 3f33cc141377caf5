/** Receipts for messages that are fetched: what a session has to do with them. */
import type { Account } from './directory.ts';
import type { Mailbox } from './mailbox.ts';
import type { MaildropMessage } from './maildrop.ts';
import type { Octets } from './octets.ts';

export interface Receipts {
  /** For a session with this account. `undefined`: it sends none, and nothing of its mail need be looked at. */
  of(account: Account): Fetching | undefined;
}

export interface Fetching {
  /** A message that goes to the client whole, as far as it gets. */
  watch(message: MaildropMessage, octets: Octets): Watched;
}

export interface Watched {
  /** The same octets. */
  readonly octets: Octets;
  /** The client has all of it. What comes of that is looked after elsewhere, and never throws. */
  sent(): void;
}

/** A receipt that waits for its user to say yes or no. */
export interface WaitingReceipt {
  /** Of the message, in the user's maildrop. */
  readonly uniqueId: string;
  /** Where it would go. */
  readonly to: string;
  /** Of the message, `MOST_HEADER` octets at most: enough to make the receipt when the message is long gone. */
  readonly header: Uint8Array;
}

/** Octets of a header that is looked at for a request: one of more gets no receipt. Small enough to cross from one process to another at once. */
export const MOST_HEADER = 60_000;

/** Where receipts wait, for each mailbox. */
export interface ReceiptDesk {
  /**
   * Puts one before the user of the mailbox. Resolves when it would survive a power cut.
   * @param unlessKnown only if the user never had one sent to that address: then `known`, and nothing waits
   * @returns `full`: too many wait already
   * @throws Fault temporary
   */
  ask(mailbox: Mailbox, receipt: WaitingReceipt, unlessKnown: boolean): Promise<'waits' | 'known' | 'full'>;
}
