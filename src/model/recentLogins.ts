/** POP before SMTP: hosts that have just fetched mail. */
import type { Visitor } from './loginGate.ts';
import type { Mailbox } from './mailbox.ts';

export interface RecentLogins {
  /** @param address an IP address of a client, in any of its spellings; whatever is none has not logged in */
  has(address: string): boolean;
}

/** Told of each login over POP3. */
export interface LoginNotes {
  note(visitor: Visitor, mailbox: Mailbox): void;
}
