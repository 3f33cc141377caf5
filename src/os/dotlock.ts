/**
 * `<mailbox>.lock`, as local(8) and virtual(8) of Postfix, Dovecot, procmail and others make it: whoever creates the file has the mailbox.
 * Ours holds its process id in the first line, as liblockfile writes it, and in the second what tells a dead process of this machine
 * from a living one of another: the boot and the pid namespace. Until that is in it, its mode tells whose it is.
 */
import fs from 'node:fs';
import { dirname } from 'node:path';
import { codeOf, type Disk, type FileStats } from './disk.ts';
import { lazily } from './native.ts';
import { withFileSystemGroup } from './privilegedGroup.ts';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
/** Of a lock file that is being made; no other program makes one that can be written and not read. */
const UNSIGNED_MODE = 0o200;
const SIGNED_MODE = 0o444;
const PERMISSIONS = 0o7777;
/** Far longer than it takes to sign one: by then whoever makes it has the kernel lock, too, or is dead. */
const SIGNING_MS = 2_000;

export interface Dotlock {
  readonly path: string;
  /** Removes our own lock file and no other: by now somebody may have taken ours for stale and made another. */
  release(): void;
}

export type DotlockAttempt =
  | { readonly outcome: 'held'; readonly lock: Dotlock }
  | { readonly outcome: 'busy' }
  /** A lock file may not be made here: the directory isn't writable for us. */
  | { readonly outcome: 'not-permitted' };

/** `/var/mail` belongs to root and a group, as a rule, and only who is in the group may make a lock file there. */
export interface LockGroup {
  /** Kept aside by `becomeUser`; put on when a lock file can't be made or removed without. */
  readonly gid: number;
  /** In which folder; without a slash at its end. */
  readonly folder: string;
}

export interface DotlockOptions {
  readonly disk: Disk;
  readonly group?: LockGroup | undefined;
  /** Age after which a lock file is stale, as Postfix's stale_lock_time. */
  readonly staleMs: number;
  /** ms since 1970 by the clock that stamps files. */
  now(): number;
  /**
   * Asked before a stale lock file is removed. Two that find the same stale file would otherwise remove each other's new one,
   * so the caller answers true only while it alone may do so.
   */
  mayBreak(): boolean;
}

/** One attempt, without waiting. @throws Error with `code` on what isn't covered by an outcome (ENOSPC, EIO …) */
export function tryDotlock(mailbox: string, options: DotlockOptions): DotlockAttempt {
  const path = `${mailbox}.lock`;
  try {
    return create(path, options);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') return notPermitted(error);
  }
  if (!isStale(path, options)) return { outcome: 'busy' };
  // Only now, as it may cost taking another lock; and looked at again under it.
  if (!options.mayBreak() || !isStale(path, options)) return { outcome: 'busy' };
  try {
    remove(path, options);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') return notPermitted(error);
  }
  try {
    return create(path, options);
  } catch (error) {
    return codeOf(error) === 'EEXIST' ? { outcome: 'busy' } : notPermitted(error);
  }
}

function create(path: string, options: DotlockOptions): DotlockAttempt {
  const { disk } = options;
  const fd = withGroup(path, options, () => disk.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, UNSIGNED_MODE));
  try {
    const { dev, ino } = sign(fd, disk);
    return {
      outcome: 'held',
      lock: {
        path,
        release() {
          const there = disk.lstat(path);
          if (there?.dev === dev && there.ino === ino) remove(path, options);
        },
      },
    };
  } catch (error) {
    remove(path, options);
    throw error;
  }
}

function remove(path: string, options: DotlockOptions): void {
  withGroup(path, options, () => options.disk.unlink(path));
}

/** Does it, and once more with the group where that is what it lacked. */
function withGroup<T>(path: string, { group }: DotlockOptions, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const code = codeOf(error);
    if (group === undefined || dirname(path) !== group.folder || (code !== 'EACCES' && code !== 'EPERM')) throw error;
    return withFileSystemGroup(group.gid, act);
  }
}

function sign(fd: number, disk: Disk): FileStats {
  try {
    disk.write(fd, signature());
    disk.fchmod(fd, SIGNED_MODE);
  } catch {
    // Disc full: an empty lock file locks as well, as Postfix's always are, while we have the kernel lock beside it.
  }
  try {
    return disk.fstat(fd);
  } finally {
    disk.close(fd);
  }
}

function notPermitted(error: unknown): DotlockAttempt {
  const code = codeOf(error);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return { outcome: 'not-permitted' };
  throw error;
}

/** Old enough, by the change time that nobody can set back; or left by a process of ours that is gone for certain. */
function isStale(path: string, { disk, staleMs, now }: DotlockOptions): boolean {
  const there = disk.lstat(path);
  if (there === undefined) return true;
  const ageMs = now() - Number(there.ctimeNs / 1_000_000n);
  if (ageMs > staleMs) return true;
  if (there.isFile() && (there.mode & PERMISSIONS) === UNSIGNED_MODE) return ageMs > SIGNING_MS;
  return there.isFile() && there.size > 0 && isLeftover(path, disk);
}

function isLeftover(path: string, disk: Disk): boolean {
  const octets = Buffer.alloc(200);
  let length: number;
  try {
    const fd = disk.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      length = disk.read(fd, octets, 0, octets.length, 0);
    } finally {
      disk.close(fd);
    }
  } catch {
    return false;
  }
  const [pid = '', where = ''] = octets.toString('latin1', 0, length).split('\n');
  return /^[1-9]\d{0,9}$/.test(pid) && where !== '' && where === whereabouts() && !isAlive(Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

/** Names this boot of this machine and the pid namespace that our process ids belong to; empty where /proc isn't there to say. */
const whereabouts = lazily((): string => {
  try {
    return `postkasse ${fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${fs.readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
});

const signature = lazily((): Buffer => Buffer.from(`${process.pid}\n${whereabouts()}\n`, 'latin1'));
