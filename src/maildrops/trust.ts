/** Which files and folders may be a mailbox: the owner's, and nobody else's to write to. */
import { dirname } from 'node:path';
import type { Disk, FileStats } from '../os/disk.ts';
import { isSticky, writableByOthers } from '../os/openToOthers.ts';

/** Why this can't be a mailbox file of that user, for the host; `undefined`: it can. */
export function refusedFile(stats: FileStats, uid: number): string | undefined {
  return stats.isFile() ? notOwn(stats, uid) : 'not a regular file';
}

/** Why this can't be a Maildir, or a folder of one. */
export function refusedFolder(stats: FileStats, uid: number): string | undefined {
  return stats.isDirectory() ? notOwn(stats, uid) : 'not a directory';
}

function notOwn(stats: FileStats, uid: number): string | undefined {
  return stats.uid === uid ? writableByOthers(stats) : `belongs to uid ${stats.uid}, not ${uid}`;
}

/** Whether others could put something else in the place of what lies at `path`. One that isn't there has no folder to be wrong. */
export function refusedPlace(disk: Disk, path: string): string | undefined {
  const folder = dirname(path);
  const stats = disk.stat(folder);
  const writable = stats === undefined || isSticky(stats) ? undefined : writableByOthers(stats);
  return writable && `${folder}: ${writable}`;
}

/** A folder doesn't change its mode from one session to the next: it is looked at this often at most. */
const LOOK_AGAIN_MS = 10_000;
const MOST_KNOWN = 10_000;

/** As `refusedPlace`, without a system call for most sessions. */
export function createPlaceWatch(disk: Disk, now: () => number): (path: string) => string | undefined {
  const goodUntilMs = new Map<string, number>();
  return (path) => {
    const folder = dirname(path);
    const atMs = now();
    const untilMs = goodUntilMs.get(folder);
    // A clock that was set back makes nothing good for longer.
    if (untilMs !== undefined && atMs < untilMs && atMs >= untilMs - LOOK_AGAIN_MS) return undefined;
    const refused = refusedPlace(disk, path);
    if (refused !== undefined) return refused;
    if (goodUntilMs.size >= MOST_KNOWN) goodUntilMs.clear();
    goodUntilMs.set(folder, atMs + LOOK_AGAIN_MS);
    return undefined;
  };
}
