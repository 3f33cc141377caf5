/**
 * The lock that keeps a mailbox file still while it is scanned or changed: what Postfix calls `fcntl, dotlock`, its default for both
 * mailbox_delivery_lock and virtual_mailbox_lock. As there the dotlock comes first and the kernel lock second.
 *
 * Unlike Postfix:
 * - While one lock is held and the other is not to be had, the first is given back, so that a program with the opposite order isn't starved.
 * - Attempts come sooner after one another, as a session waits for them; the longest wait is the same 20 × 1 s.
 * - A stale dotlock is removed only by who holds the kernel lock: while its maker is alive and has that lock, its age doesn't matter.
 * - In a directory where no lock file may be made, the kernel lock alone does. Postfix refuses such a mailbox (for `/file/name`
 *   destinations it too goes on without), so in that place nobody else can have made a dotlock either, save root.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../model/fault.ts';
import type { Log } from '../model/log.ts';
import type { Disk } from './disk.ts';
import { type Dotlock, type LockGroup, tryDotlock } from './dotlock.ts';
import { tryLock, unlock } from './locks.ts';

/** Postfix's deliver_lock_attempts × deliver_lock_delay. */
export const LOCK_TIMEOUT_MS = 20_000;
/** Postfix's stale_lock_time. */
export const STALE_LOCK_MS = 500_000;

const FIRST_DELAY_MS = 5;
const LONGEST_DELAY_MS = 250;

export interface MailboxLockOptions {
  readonly disk: Disk;
  readonly log: Log;
  /** ms since 1970 by the clock that stamps files. */
  now(): number;
  /** How long to wait for others; 0: one attempt. Default LOCK_TIMEOUT_MS. */
  readonly timeoutMs?: number;
  /** Default STALE_LOCK_MS. */
  readonly staleMs?: number;
  /** For lock files in a folder of root's. */
  readonly group?: LockGroup | undefined;
}

export interface MailboxLock {
  /** False: the directory allows no lock file, and the kernel lock alone is held. */
  readonly dotlock: boolean;
  /** Gives back both; a second call does nothing. Must come before `fd` is closed. Never throws. */
  release(): void;
}

/**
 * Takes both locks on the mailbox at `path`, open for writing as `fd`. They say nothing about the name: between opening and locking
 * another program may have put a new file at `path`, so compare `stat(path)` with `fstat(fd)` afterwards and begin again if they differ.
 * @throws Fault temporary when others don't give it free in time; Error with `code` where the lock file can't be made for want of space
 */
export async function lockMailbox(path: string, fd: number, options: MailboxLockOptions): Promise<MailboxLock> {
  const timeoutMs = options.timeoutMs ?? LOCK_TIMEOUT_MS;
  for (let waitedMs = 0, delayMs = FIRST_DELAY_MS; ; ) {
    const lock = tryLockMailbox(path, fd, options);
    if (lock !== undefined) return lock;
    if (waitedMs >= timeoutMs) {
      throw new Fault('temporary', 'another program has locked the mailbox; try again later', {
        cause: new Error(`${path}: not free after ${timeoutMs} ms`),
      });
    }
    delayMs = Math.min(delayMs, timeoutMs - waitedMs);
    await sleep(delayMs);
    waitedMs += delayMs;
    delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
  }
}

/** One attempt, without waiting; `undefined`: somebody else has it. */
export function tryLockMailbox(path: string, fd: number, options: MailboxLockOptions): MailboxLock | undefined {
  const { disk, log, now, group, staleMs = STALE_LOCK_MS } = options;
  let kernelLock = false;
  const takeKernelLock = (): boolean => {
    kernelLock ||= tryLock(fd, 'write');
    return kernelLock;
  };
  let dotlock: Dotlock | undefined;
  let held = false;
  try {
    const attempt = tryDotlock(path, { disk, now, staleMs, group, mayBreak: takeKernelLock });
    if (attempt.outcome === 'held') dotlock = attempt.lock;
    held = attempt.outcome !== 'busy' && takeKernelLock();
  } finally {
    if (!held) giveBack(path, dotlock, kernelLock ? fd : undefined, log);
  }
  if (!held) return undefined;
  let released = false;
  return {
    dotlock: dotlock !== undefined,
    release() {
      if (released) return;
      released = true;
      giveBack(path, dotlock, fd, log);
    },
  };
}

/** In the order that leaves no moment with only the dotlock gone: who waits for it would find the kernel lock still taken and sleep on. */
function giveBack(path: string, dotlock: Dotlock | undefined, fd: number | undefined, log: Log): void {
  try {
    if (fd !== undefined) unlock(fd);
  } catch (error) {
    log.warn('mailbox.unlock-failed', { path, lock: 'kernel', error });
  }
  try {
    dotlock?.release();
  } catch (error) {
    log.warn('mailbox.unlock-failed', { path, lock: 'dotlock', error });
  }
}
