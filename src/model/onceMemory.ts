/** What was done once for a mailbox and is not to be done again: an answer to a sender, a receipt for a message. */
import type { Mailbox } from './mailbox.ts';

export type OnceTopic = 'vacation' | 'receipt' | 'quota-warning';

export interface OnceMemory {
  /**
   * True the first time for this key, and again when `lastsS` seconds have passed since; remembered before it resolves, so that a crash
   * makes it happen too seldom rather than twice. @param key any text, of which a digest is kept
   * @throws Fault temporary where it can't be remembered
   */
  first(mailbox: Mailbox, topic: OnceTopic, key: string, lastsS: number): Promise<boolean>;
}
