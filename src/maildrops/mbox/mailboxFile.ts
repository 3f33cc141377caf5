/** A mailbox file: whether it may be one, opening it, and having it to oneself. */
import fs from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../model/fault.ts';
import { codeOf, type Disk, type FileStats } from '../../os/disk.ts';
import { tryLock, unlock } from '../../os/locks.ts';
import { lockMailbox } from '../../os/mailboxLock.ts';
import { unusable } from '../faults.ts';
import { refusedFile } from '../trust.ts';
import type { Context } from './context.ts';
import { sameFile } from './fileMark.ts';

const { O_RDONLY, O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants;
/** Who replaces a mailbox between our opening and our locking it may do so again, but not forever. */
const ATTEMPTS = 20;
const KERNEL_LOCK_DELAY_MS = 20;

export interface Place {
  readonly stats: FileStats;
  /** The path itself is a symbolic link. */
  readonly link: boolean;
}

/**
 * What lies at `path`; `undefined`: nothing, or a link to nothing. A link is followed when who made it is the file's owner or root:
 * anybody else could point it at mail that isn't theirs.
 * @throws Fault permanent for what is no mailbox file
 */
export function lookAt({ disk }: Context, path: string): Place | undefined {
  const there = disk.lstat(path);
  if (there === undefined) return undefined;
  const link = there.isSymbolicLink();
  const stats = link ? disk.stat(path) : there;
  if (stats === undefined) return undefined;
  if (!stats.isFile()) throw unusable(`${path}: not a regular file`);
  if (link && there.uid !== stats.uid && there.uid !== 0)
    throw unusable(`${path}: a link that uid ${there.uid} made to a file of uid ${stats.uid}`);
  return { stats, link };
}

/**
 * Opens the file that was looked at, and no other that took its place. `undefined`: it is gone, or another is there.
 * @throws Fault permanent where it isn't the owner's alone
 */
export function openPlace(
  { disk, ownerUid }: Context,
  path: string,
  place: Place,
  access: 'read' | 'write' | 'append',
): number | undefined {
  const how = access === 'read' ? O_RDONLY : access === 'write' ? O_RDWR : O_RDWR | O_APPEND;
  let fd: number;
  try {
    // Should it be a pipe or a device by now, opening it must neither wait nor change anything.
    fd = disk.open(path, how | O_NONBLOCK | O_NOCTTY | (place.link ? 0 : O_NOFOLLOW));
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || (code === 'ELOOP' && !place.link)) return undefined;
    throw error;
  }
  // What was looked at by name may have become another by the time it was opened; what is open stays what it is.
  const stats = disk.fstat(fd);
  const refused = refusedFile(stats, ownerUid ?? stats.uid);
  if (refused === undefined && sameFile(stats, place.stats)) return fd;
  disk.close(fd);
  if (refused !== undefined) throw unusable(`${path}: ${refused}`);
  return undefined;
}

/** A mailbox file with both locks on it. */
export interface Held {
  readonly path: string;
  readonly fd: number;
  readonly link: boolean;
  /** As it was when the lock was taken, or at the last `look`. */
  stats: FileStats;
  look(): FileStats;
  /** The file of the other mailbox that took the place of this: `fd` stays open when the locks are given back. */
  keepOpen(): void;
}

export interface HoldOptions {
  /** `append`: what is written goes to the end, wherever that is by then. */
  readonly access: 'write' | 'append';
  /** Makes the mailbox, and the folders above it, where it is missing. */
  readonly create: boolean;
}

/**
 * Runs `work` while nobody else changes the mailbox. Before it a change that a crash interrupted is brought to its end.
 * `undefined` is handed to it where there is no mailbox. @throws Fault temporary, permanent
 */
export function withMailbox<T>(
  context: Context,
  path: string,
  options: HoldOptions,
  work: (held: Held | undefined) => Promise<T>,
): Promise<T> {
  return context.turns.run(path, async () => {
    const { disk } = context;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const place = lookAt(context, path) ?? (options.create ? await create(context, path) : undefined);
      if (place === undefined) return work(undefined);
      const fd = openPlace(context, path, place, options.access);
      if (fd === undefined) continue;
      let keep = false;
      try {
        const release = await lock(context, path, fd, options.access === 'append');
        try {
          const now = disk.stat(path);
          const stats = disk.fstat(fd);
          if (now === undefined || !sameFile(now, stats)) continue;
          const held: Held = {
            path,
            fd,
            link: place.link,
            stats,
            look() {
              held.stats = disk.fstat(fd);
              return held.stats;
            },
            keepOpen() {
              keep = true;
            },
          };
          await context.journals.replay(held);
          return await work(held);
        } finally {
          release();
        }
      } finally {
        if (!keep) disk.close(fd);
      }
    }
    throw new Fault('temporary', 'the mailbox was changed by another program', { cause: new Error(`${path}: replaced again and again`) });
  });
}

async function lock(context: Context, path: string, fd: number, appending: boolean): Promise<() => void> {
  const { disk, log, now, lockTimeoutMs, lockGroup } = context;
  try {
    const lock = await lockMailbox(path, fd, { disk, log, now, timeoutMs: lockTimeoutMs, group: lockGroup });
    return () => lock.release();
  } catch (error) {
    const code = codeOf(error);
    if (appending || (code !== 'ENOSPC' && code !== 'EDQUOT')) throw error;
  }
  // No room for a lock file: nobody else can make one either, and whoever reads or deletes mail may be who makes room again.
  for (let waitedMs = 0; !tryLock(fd, 'write'); waitedMs += KERNEL_LOCK_DELAY_MS) {
    if (waitedMs >= lockTimeoutMs) throw new Fault('temporary', 'another program has locked the mailbox; try again later');
    await sleep(KERNEL_LOCK_DELAY_MS);
  }
  return () => unlock(fd);
}

/** An empty mailbox that would survive a power cut; `undefined` when another was quicker. */
async function create(context: Context, path: string): Promise<Place | undefined> {
  const { disk } = context;
  if (disk.lstat(path)?.isSymbolicLink())
    throw new Fault('temporary', 'the mailbox can not be used', { cause: new Error(`${path}: a link to nothing`) });
  const folder = dirname(path);
  await createFolder(disk, folder);
  let fd: number;
  try {
    fd = disk.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return lookAt(context, path);
    throw error;
  }
  disk.close(fd);
  await disk.syncDirectory(folder);
  return lookAt(context, path);
}

async function createFolder(disk: Disk, folder: string): Promise<void> {
  if (disk.stat(folder) !== undefined) return;
  const above = dirname(folder);
  await createFolder(disk, above);
  try {
    disk.mkdir(folder, 0o700);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  await disk.syncDirectory(above);
}
