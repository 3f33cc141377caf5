/** Mail of our own making, or that goes on to somewhere else, handed to the host's mail server. */
import { constants, readFileSync } from 'node:fs';
import { Fault } from '../model/fault.ts';
import type { Octets } from '../model/octets.ts';
import type { Submission, SubmissionEnvelope } from '../model/submission.ts';
import type { SubmissionOptions } from './options.ts';
import { submitBySendmail } from './sendmail.ts';
import { Turns } from './turns.ts';

export type { SubmissionOptions } from './options.ts';

/** LMTP clients wait ten minutes for the reply to a message, RFC 5321 section 4.5.3.2.6: two of these are well within. */
const TIMEOUT_MS = 120_000;
const AT_ONCE = 8;

/** To be called as the user that this process is to be, since what it may start depends on that. */
export function createSubmission(options: SubmissionOptions): Submission {
  const { timeoutMs = TIMEOUT_MS, atOnce = AT_ONCE } = options;
  const parts = { ...options, timeoutMs };
  const way = wayOf(options) === 'sendmail' ? submitBySendmail : later(loadSmtp);
  const turns = new Turns(atOnce, timeoutMs);
  return {
    async submit(message: Octets, envelope: SubmissionEnvelope) {
      for (const address of [envelope.sender, ...envelope.recipients]) {
        if (!isSafe(address)) throw new Fault('permanent', 'this is no mail address', { cause: address });
      }
      await turns.run(() => way(message, envelope, parts));
    },
  };
}

/** Some megabytes, which most processes never need. */
export async function loadSmtp(): Promise<Way> {
  return (await import('./smtp.ts')).submitBySmtp;
}

type Way = (message: Octets, envelope: SubmissionEnvelope, parts: SubmissionOptions & { readonly timeoutMs: number }) => Promise<void>;

function later(load: () => Promise<Way>): Way {
  return async (...submission) => (await load())(...submission);
}

/** How `auto` is understood by this process. */
export function wayOf({ via, sendmail, disk }: Pick<SubmissionOptions, 'via' | 'sendmail' | 'disk'>): 'sendmail' | 'smtp' {
  if (via !== 'auto') return via;
  return !gainsNoRights() && disk.access(sendmail, constants.X_OK) ? 'sendmail' : 'smtp';
}

/** What has no place in any envelope, and would begin a line of its own in SMTP. */
function isSafe(address: string): boolean {
  return !/[\p{Cc}\u2028\u2029]/u.test(address) && Buffer.byteLength(address) <= 1000;
}

/**
 * A process of systemd's with NoNewPrivileges=yes: programs it starts don't get the rights of their file's group, and Postfix' postdrop
 * needs them to write into the queue.
 */
function gainsNoRights(): boolean {
  try {
    return /^NoNewPrivs:\s*1$/m.test(readFileSync('/proc/self/status', 'latin1'));
  } catch {
    return false;
  }
}
