/** How long messages are kept at least, RFC 2449 section 6.7: what the host says, and accounts and domains beside it. */
import type { Account } from '../model/directory.ts';
import type { MaildropMessage } from '../model/maildrop.ts';
import type { Limits } from './host.ts';

const MS_PER_DAY = 86_400_000;

export type Days = Limits['expireDays'];

export interface RetentionRules {
  /** Of accounts that don't say so themselves, and whose domains don't. */
  readonly expireDays: Days;
  /** The fewest that an account may have; `undefined`: as many as the host says, so that what has always been announced stays true. */
  readonly leastExpireDays: Days | undefined;
}

/** What holds for this account. */
export function expireDaysOf({ rules }: Account, { expireDays, leastExpireDays = expireDays }: RetentionRules): Days {
  const own = rules?.expireDays;
  return own === undefined ? expireDays : days(Math.max(count(own), count(leastExpireDays)));
}

/** The smallest value that any account may have: what is announced to who has not logged in. */
export function strictestExpireDays({ expireDays, leastExpireDays = expireDays }: RetentionRules): Days {
  return days(Math.min(count(expireDays), count(leastExpireDays)));
}

/** Whether an account can have another value than the one that is announced before login. */
export function expireDaysDiffer({ expireDays, leastExpireDays = expireDays }: RetentionRules): boolean {
  return expireDays !== 'never' || leastExpireDays !== 'never';
}

/** A message of unknown age isn't. */
export function isOlderThan({ receivedAtMs }: Pick<MaildropMessage, 'receivedAtMs'>, nowMs: number, days: number): boolean {
  return receivedAtMs > 0 && nowMs - receivedAtMs > days * MS_PER_DAY;
}

function count(written: Days): number {
  return written === 'never' ? Number.POSITIVE_INFINITY : written;
}

function days(counted: number): Days {
  return counted === Number.POSITIVE_INFINITY ? 'never' : counted;
}
