/** Where mail rests. Each backend in maildrops/ implements it; test/contracts/ holds them to it. */
import type { Envelope } from './envelope.ts';
import type { Mailbox } from './mailbox.ts';
import type { Octets } from './octets.ts';

export interface MaildropStore {
  /**
   * Resolves once the message would survive a power cut; LMTP says 250 then. Line ends of `message` may be CRLF or LF.
   * @throws Fault over-quota, temporary, permanent
   */
  deliver(mailbox: Mailbox, message: Octets, envelope: Envelope): Promise<void>;
  /** Locks the maildrop for one session and fixes its message-numbers. A mailbox that isn't there yet is an empty maildrop. @throws Fault in-use, temporary, permanent */
  open(mailbox: Mailbox, options?: OpenOptions): Promise<Maildrop>;
  /**
   * What the mailbox holds now, others' writing included. Cheap: it is asked at each RCPT. One that isn't there holds nothing.
   * @throws Fault temporary
   */
  usage(mailbox: Mailbox): Promise<Usage>;
  /** Which file, directory or table the mailbox is, the same rule that `open` and `deliver` follow. For `mailbox path` and `explain`. */
  locate(mailbox: Mailbox): Promise<Location>;
}

/** What counts against a quota. */
export interface Usage {
  /** At rest: of the file, where a mailbox is one; else of the messages together. */
  readonly octets: number;
  /** Left out where counting them would mean reading the mailbox. */
  readonly messages?: number;
}

export interface OpenOptions {
  /** Leave `Status:` and the Maildir flags as they are. */
  readonly noStatus?: boolean;
}

export interface Location {
  /** Absolute path, or a name that means something to the backend. */
  readonly path: string;
  readonly format: string;
  /** False: nothing is there yet; a delivery would make it. */
  readonly exists: boolean;
  /** Places looked at, in order, and what was found there. */
  readonly tried: readonly { readonly place: string; readonly found: string }[];
}

/** One session's view. Disposing releases the lock and removes nothing. */
export interface Maildrop extends AsyncDisposable {
  /** Message-number n is `messages[n - 1]`, from open to close. */
  readonly messages: readonly MaildropMessage[];
  /** Whoever held it for us is gone: everything that isn't known already ends in a fault. Left out where nobody does. */
  readonly lost?: boolean;
  /**
   * The message as it rests: lines end in LF or CRLF, whichever the store has, and the reply that carries it makes CRLF of both
   * and byte-stuffs in one pass. mbox quoting is undone. Reading may stop early (TOP). Large messages come in pieces.
   * @throws Fault temporary when the mailbox was changed by another program and the message can't be found again
   */
  retrieve(message: MaildropMessage): Octets;
  /**
   * The UPDATE state: removes these and no others, resolves when all are gone for good. RFC 1939 section 6.
   * `retrieved` were sent whole in this session and may be flagged as read. Nothing to do: nothing is written.
   * @throws Fault temporary: then nothing was removed
   */
  update(deleted: ReadonlySet<MaildropMessage>, retrieved: ReadonlySet<MaildropMessage>): Promise<void>;
}

export interface MaildropMessage {
  /** 1 to 70 octets, 0x21 to 0x7E, given once in a maildrop's life. RFC 1939 section 7. */
  readonly uniqueId: string;
  /** Of the message on the wire: lines end in CRLF, before byte-stuffing. */
  readonly octets: number;
  /** When it arrived, in ms since 1970, as far as the store knows: EXPIRE counts from here. */
  readonly receivedAtMs: number;
  /** It has been marked as read, by an earlier session or by another program. Left out where the store can't know. */
  readonly wasRead?: boolean;
}
