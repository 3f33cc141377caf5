/**
 * When each mailbox was last logged in to: the time stamp of an empty file per mailbox, so that every process on the host knows it and
 * it outlives them. For LOGIN-DELAY, RFC 2449 section 6.5. Losing the files costs nothing but the delay.
 */
import { closeSync, mkdirSync, openSync, statSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Log } from '../model/log.ts';
import type { Mailbox } from '../model/mailbox.ts';

export interface LastLoginsOptions {
  /** Made when the first login is noted. */
  readonly folder: string;
  /** ms since 1970. */
  readonly now: () => number;
  readonly log: Log;
}

export interface LastLogins {
  /** Fewer than `delayS` seconds have passed since the mailbox was noted. */
  tooSoon(mailbox: Mailbox, delayS: number): boolean;
  note(mailbox: Mailbox): void;
}

/** Neither question throws: who has shown who they are is let in, whatever the state of these files. */
export function createLastLogins({ folder, now, log }: LastLoginsOptions): LastLogins {
  return {
    tooSoon(mailbox, delayS) {
      try {
        const file = statSync(fileOf(folder, mailbox), { throwIfNoEntry: false });
        if (file === undefined) return false;
        // A time stamp from the future means that the clock was put back: nobody is kept out until it gets there.
        const elapsedMs = now() - Math.round(file.mtimeMs);
        return elapsedMs >= 0 && elapsedMs < delayS * 1000;
      } catch (cause) {
        log.warn('last-logins.unreadable', { mailbox: mailbox.name, cause });
        return false;
      }
    },
    note(mailbox) {
      try {
        stamp(fileOf(folder, mailbox), now());
      } catch (cause) {
        log.warn('last-logins.unwritable', { mailbox: mailbox.name, cause });
      }
    },
  };
}

/** `@` begins no domain, so system users have a folder of their own. */
function fileOf(folder: string, { domain, user }: Mailbox): string {
  return join(folder, domain ?? '@', user);
}

function stamp(path: string, ms: number): void {
  try {
    utimesSync(path, ms / 1000, ms / 1000);
  } catch (thrown) {
    if (!isMissing(thrown)) throw thrown;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, 'a', 0o600));
    utimesSync(path, ms / 1000, ms / 1000);
  }
}

function isMissing(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
}
