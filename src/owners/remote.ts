/** The front's side: a directory and a store whose accounts and mail are with the workers of their owners. */
import type { PasswordKind } from '../directory/passwd/storedPassword.ts';
import type { ResolveRules } from '../directory/resolve.ts';
import type { Directory } from '../model/directory.ts';
import type { Log } from '../model/log.ts';
import type { MaildropStore } from '../model/maildrop.ts';
import type { OnceMemory } from '../model/onceMemory.ts';
import type { DomainUsages } from '../model/quota.ts';
import type { ReceiptDesk } from '../model/receipts.ts';
import { Lines } from './lines.ts';
import { createMailboxLines } from './mailboxLines.ts';
import { createRemoteDirectory } from './remoteDirectory.ts';
import { createRemoteOnceMemory } from './remoteOnceMemory.ts';
import { createRemoteReceiptDesk } from './remoteReceiptDesk.ts';
import { createRemoteStore } from './remoteStore.ts';
import { createSessions } from './sessions.ts';
import type { Whereabouts } from './whereabouts.ts';

export interface RemoteOptions {
  readonly whereabouts: Whereabouts;
  /** How a login name and the way its client came in lead to a domain. */
  readonly rules: ResolveRules;
  /** SASL mechanisms that the host wants announced, whatever the accounts can honour; `auto`: those that all of them can. */
  readonly mechanisms: 'auto' | readonly string[];
  /** What the usual password of this house is, for the work done for domains that aren't ours. */
  readonly passwordKind: PasswordKind;
  /** The host's own users may log in. */
  readonly systemUsers: boolean;
  /** 32 octets of the fronts' own, the same in each of them and after a restart: salts for domains that aren't ours. */
  readonly secret: Buffer;
  readonly log: Log;
  /** ms since 1970. */
  readonly now: () => number;
  /** How long a worker may take for one step of a request. Default: five minutes. */
  readonly timeoutMs?: number;
}

export interface RemoteCounts {
  /** To workers, and those of them that wait for work. */
  readonly connections: number;
  readonly idle: number;
  /** Maildrops open. */
  readonly sessions: number;
}

export interface RemoteStore extends MaildropStore {
  readonly domains: DomainUsages;
  /** Lets go of the maildrops that are open; resolves when deliveries under way are in and every connection is closed. */
  close(): Promise<void>;
  counts(): RemoteCounts;
}

const TIMEOUT_MS = 5 * 60_000;

export function createRemote(options: RemoteOptions): { directory: Directory; store: RemoteStore; once: OnceMemory; desk: ReceiptDesk } {
  const { whereabouts, log, timeoutMs = TIMEOUT_MS } = options;
  const lines = new Lines({ whereabouts, log, timeoutMs });
  const sessions = createSessions(lines);
  const mailboxes = createMailboxLines(options, lines);
  return {
    directory: createRemoteDirectory(options, lines, sessions),
    store: createRemoteStore(mailboxes, lines, sessions),
    once: createRemoteOnceMemory(mailboxes),
    desk: createRemoteReceiptDesk(mailboxes),
  };
}
