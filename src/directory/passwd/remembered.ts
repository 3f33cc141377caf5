/**
 * Passwords just found right, so that a mailbox polled every minute doesn't pay for its hash each time. What is kept is a digest
 * under a key that dies with the process, over the password and the account's line: with a changed line it fits no more.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export interface RememberedPasswords {
  /** Whether this password was found right for exactly this line a short while ago. */
  knows(account: string, line: Buffer, password: Buffer): boolean;
  add(account: string, line: Buffer, password: Buffer): void;
  readonly size: number;
}

/** @param limit accounts; the oldest make room */
export function createRememberedPasswords(lifetimeMs: number, limit: number, now: () => number): RememberedPasswords {
  const key = randomBytes(32);
  const known = new Map<string, { readonly digest: Buffer; readonly untilMs: number }>();
  const digestOf = (line: Buffer, password: Buffer) =>
    createHmac('sha256', key).update(`${line.length}:`).update(line).update(password).digest();

  return {
    get size() {
      return known.size;
    },
    knows(account, line, password) {
      const entry = known.get(account);
      if (entry === undefined) return false;
      if (now() >= entry.untilMs) {
        known.delete(account);
        return false;
      }
      return timingSafeEqual(entry.digest, digestOf(line, password));
    },
    add(account, line, password) {
      known.delete(account);
      known.set(account, { digest: digestOf(line, password), untilMs: now() + lifetimeMs });
      for (const oldest of known.keys()) {
        if (known.size <= limit) break;
        known.delete(oldest);
      }
    },
  };
}
