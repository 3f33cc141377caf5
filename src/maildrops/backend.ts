/** What a format on disc is to the store in front of it, which finds the place and holds the session lock. */
import type { Envelope } from '../model/envelope.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { Maildrop, OpenOptions, Usage } from '../model/maildrop.ts';
import type { Octets } from '../model/octets.ts';

export interface Place {
  /** Absolute; looked at by the store in front: of the backend's format and the right owner's, or not there. */
  readonly path: string;
  readonly mailbox: Mailbox;
}

/** One per format. `open` is called by who holds the session lock; `deliver` is not, and takes the mailbox lock only. */
export interface Backend {
  /** Disposing the maildrop gives back what the backend took for it; the session lock is the caller's. @throws Fault temporary, permanent */
  open(place: Place, options: OpenOptions): Promise<Maildrop>;
  /** Makes the mailbox where it is missing. @throws Fault temporary, permanent */
  deliver(place: Place, message: Octets, envelope: Envelope): Promise<void>;
  /** Of a mailbox that is there, by whatever program it was filled. @throws Error with `code`, Fault permanent */
  usage(place: Place): Promise<Usage>;
}
