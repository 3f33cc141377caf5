/** Files as they are, and reading and writing in the name of whom they belong to. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { Fault } from '../../model/fault.ts';
import type { Disk } from '../../os/disk.ts';
import type { KitOwner } from './domains.ts';

export interface FileState {
  readonly octets: Buffer;
  readonly uid: number;
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
}

/** main.cf is a page; a map of 100,000 mailboxes has 10 MB. */
const LARGEST = 1 << 28;

/** `undefined`: nothing is there. @throws Fault where what is there is no file: a link that leads elsewhere, a pipe that would never end */
export function readState(disk: Disk, path: string): FileState | undefined {
  const found = disk.lstat(path);
  if (found === undefined) return undefined;
  const refused = () => new Fault('permanent', '{path} is no file of its own', { values: { path } });
  if (!found.isFile()) throw refused();
  const fd = disk.open(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  try {
    const stats = disk.fstat(fd);
    if (!stats.isFile() || stats.size > LARGEST) throw refused();
    const octets = Buffer.alloc(stats.size);
    let length = 0;
    for (let more = 1; more > 0 && length < octets.length; length += more)
      more = disk.read(fd, octets, length, octets.length - length, length);
    return { octets: octets.subarray(0, length), uid: stats.uid, gid: stats.gid, mode: stats.mode & 0o7777 };
  } finally {
    disk.close(fd);
  }
}

export function digest(octets: Uint8Array): string {
  return createHash('sha256').update(octets).digest('hex');
}

export function makeFolder(disk: Disk, folder: string, mode: number): void {
  if (disk.stat(folder) !== undefined) return;
  disk.mkdir(folder, 0o700);
  disk.chmod(folder, mode);
}

/** Documented by Node, forgotten by its types. */
const host = process as typeof process & { initgroups(name: string, gid: number): void };

/**
 * With the rights of this user while `act` lasts: whatever links they have laid lead no further than they could go themselves. Nothing
 * else may be under way meanwhile, as the whole process is this user. Without root: as who we are.
 */
export async function asOwner<T>(owner: Pick<KitOwner, 'uid' | 'gid' | 'name'> | undefined, act: () => T | Promise<T>): Promise<T> {
  if (owner === undefined || process.geteuid?.() !== 0) return await act();
  const { uid, gid, name } = owner;
  const [groups, ownGid] = [process.getgroups?.() ?? [], process.getegid?.() ?? 0];
  try {
    if (name === undefined) process.setgroups?.([gid]);
    else host.initgroups(name, gid);
    process.setegid?.(gid);
    process.seteuid?.(uid);
    return await act();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(ownGid);
    process.setgroups?.(groups);
  }
}
