/** What the ways to the mail server are told. */
import type { Disk } from '../os/disk.ts';

export interface SubmissionOptions {
  /** `auto`: by sendmail, unless there is none or it could not get the rights it needs here. */
  readonly via: 'auto' | 'sendmail' | 'smtp';
  /** Absolute path of the program. */
  readonly sendmail: string;
  /** Where the mail server takes mail without asking for a login. */
  readonly smtp: { readonly host: string; readonly port: number };
  /** What we call ourselves in SMTP. */
  readonly hostname: string;
  readonly disk: Pick<Disk, 'open' | 'close' | 'unlink' | 'writeLater' | 'access'>;
  /** Where the message is while sendmail reads it: a file that is made and at once unlinked. */
  readonly folder: string;
  /** Gives a name that no other has. */
  readonly name: () => string;
  /** How long one message may take. Default: two minutes. */
  readonly timeoutMs?: number;
  /** Messages under way at a time; the others wait, as long as one may take. Default: 8. */
  readonly atOnce?: number;
}
