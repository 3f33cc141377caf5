/** What a POP3 session is given: by the house it runs in, and by the connection that carries it. */
import type { Account, Arrival, Directory } from '../model/directory.ts';
import type { Log } from '../model/log.ts';
import type { LoginGate } from '../model/loginGate.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { MaildropStore } from '../model/maildrop.ts';
import type { Receipts } from '../model/receipts.ts';
import type { LoginNotes } from '../model/recentLogins.ts';
import type { SessionCounts } from '../model/report.ts';
import type { ChannelBinding } from '../sasl/index.ts';
import type { Speaker } from '../texts/speaker.ts';

export interface Pop3Host {
  readonly directory: Directory;
  /** Asked before each proof is looked at. */
  readonly gate: LoginGate;
  readonly store: MaildropStore;
  readonly speaker: Speaker;
  readonly log: Log;
  /** ms since 1970. */
  readonly now: () => number;
  /** That many octets nobody can guess. */
  readonly random: (octets: number) => Buffer;
  /** Stands in the greeting's timestamp and in SASL challenges. */
  readonly hostname: string;
  /** Name and version for CAPA's IMPLEMENTATION, RFC 2449 section 6.9. */
  readonly implementation: string;
  /** Names of the SASL mechanisms there are; `undefined`: all that we know. */
  readonly mechanisms?: ReadonlySet<string> | undefined;
  /** What `LANG *` means where the account has no language of its own. A tag the speaker knows. */
  readonly language: string;
  /** For every mailbox; where `limitsOf` is there, the strictest that any mailbox can have. */
  readonly limits: Limits;
  /** Limits that differ by account. Leave it out where they don't. */
  readonly limitsOf?: (account: Account) => Limits;
  /** Those that `limitsOf` may say something else of, which is announced (`EXPIRE 30 USER`). Default: all of them. */
  readonly differing?: ReadonlySet<keyof Limits>;
  readonly lastLogins: LastLogins;
  /** Told of each login. Left out: nobody wants to know. */
  readonly loginNotes?: LoginNotes | undefined;
  /** Told of what is fetched. Left out: nobody is. */
  readonly receipts?: Receipts | undefined;
  /** Of all sessions of this host. */
  readonly counts: SessionCounts;
}

export interface Limits {
  /** Messages older than this many days may go at QUIT; 0: what was retrieved goes. RFC 2449 section 6.7. */
  readonly expireDays: number | 'never';
  /** Seconds from one login to the next; 0: any time. RFC 2449 section 6.5. */
  readonly loginDelayS: number;
}

/** When each mailbox was last logged in to, in whichever process that was. Asked only where there is a login delay. */
export interface LastLogins {
  /** Fewer than `delayS` seconds have passed since the mailbox was noted. */
  tooSoon(mailbox: Mailbox, delayS: number): boolean;
  note(mailbox: Mailbox): void;
}

export interface ConnectionFacts {
  readonly arrival: Arrival;
  readonly remoteAddress: string;
  /** A proxy of the host that speaks for itself, as for a health check. */
  readonly isProxy?: boolean;
  /** A password may cross as it is: under TLS, or where the host trusts the network. */
  readonly secure: boolean;
  readonly tls: boolean;
  readonly canStartTls: boolean;
  /** Only under TLS. RFC 5802 section 6. */
  readonly channelBinding: ChannelBinding | undefined;
  /** Names the session in the log. */
  readonly id: string;
}
