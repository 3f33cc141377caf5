import type { MaildropMessage } from '../../model/maildrop.ts';
import { isSeen } from './names.ts';

/** One file of a Maildir. Shared by the sessions and listings of this process; where the file is may change, what it is doesn't. */
export class MaildirMessage implements MaildropMessage {
  readonly uniqueId: string;
  readonly octets: number;
  readonly receivedAtMs: number;
  /** Octets in the file, as far as known without looking. */
  readonly size: number | undefined;
  /** Another file has the same base name: then the unique-id says which is meant, and the names say nothing. */
  readonly isTwin: boolean;
  /** Where it was last seen. */
  name: string;
  isNew: boolean;

  constructor(facts: Omit<MaildirMessage, 'file' | 'wasRead'>) {
    this.uniqueId = facts.uniqueId;
    this.octets = facts.octets;
    this.receivedAtMs = facts.receivedAtMs;
    this.size = facts.size;
    this.isTwin = facts.isTwin;
    this.name = facts.name;
    this.isNew = facts.isNew;
  }

  get wasRead(): boolean {
    return !this.isNew && isSeen(this.name);
  }

  /** Its path below the Maildir. */
  get file(): string {
    return `${this.isNew ? 'new' : 'cur'}/${this.name}`;
  }
}
