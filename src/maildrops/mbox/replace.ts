/** A mailbox rewritten as a new file that takes its name: `.<mailbox>.new` beside it, with the same owner and mode. */
import fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { codeOf, type FileStats } from '../../os/disk.ts';
import { tryLock, unlock } from '../../os/locks.ts';
import { unwritable } from '../faults.ts';
import type { Context } from './context.ts';
import type { Held } from './mailboxFile.ts';
import { copyPieces, type Piece, readRange } from './pieces.ts';

const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
const PERMISSIONS = 0o7777;

/**
 * What the new file is called until it takes the mailbox's name. No user name begins with a dot: `abc.new` might be somebody's mailbox,
 * this is nobody's, so that what is found there under the mailbox lock can only be left over from a killed process.
 */
export function nameBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.new`);
}

/**
 * The new file is on disc and has the name when this resolves with a descriptor of it. `undefined`: not possible here, nothing was changed.
 * The caller holds both locks on the old file, which stays open as `held.fd`.
 * @throws Fault temporary: the mailbox is as it was, and no other file is left
 */
export async function replaceMailbox(
  context: Context,
  held: Held,
  pieces: readonly Piece[],
): Promise<{ fd: number; stats: FileStats } | undefined> {
  const { disk, log } = context;
  if (held.link || held.stats.nlink !== 1) return undefined;
  const fresh = nameBeside(held.path);
  let fd: number | undefined;
  try {
    fd = openFresh(context, fresh);
    if (fd === undefined) return undefined;
    if (!takeAfter(context, fd, held.stats)) {
      disk.unlink(fresh);
      disk.close(fd);
      return undefined;
    }
    await fill(context, held, fd, pieces);
    // Whoever opens the new file by its name finds it locked until late arrivals are looked after.
    if (!tryLock(fd, 'write')) throw new Error(`${fresh}: locked by another program`);
    disk.rename(fresh, held.path);
  } catch (error) {
    remove(context, fresh, fd !== undefined);
    if (fd !== undefined) disk.close(fd);
    throw unwritable(error);
  }
  try {
    await disk.syncDirectory(dirname(held.path));
  } catch (error) {
    // The change is made and can't be taken back; after a power cut the old mailbox might be there again.
    log.error('mbox.sync-failed', { path: held.path, error });
  }
  const stats = disk.fstat(fd);
  unlock(fd);
  return { fd, stats };
}

/** What a killed process left, where nothing is to take its place. The caller holds the mailbox. */
export function removeLeftover(context: Context, path: string): void {
  const fresh = nameBeside(path);
  if (context.disk.lstat(fresh) !== undefined) remove(context, fresh, true);
}

/** `undefined`: no file may be made here. */
function openFresh({ disk }: Context, fresh: string): number | undefined {
  for (let again = false; ; again = true) {
    try {
      return disk.open(fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return undefined;
      if (code !== 'EEXIST' || again) throw error;
      disk.unlink(fresh);
    }
  }
}

/** False: it can't be given to whom the mailbox belongs to. */
function takeAfter({ disk }: Context, fd: number, { uid, gid, mode }: FileStats): boolean {
  const made = disk.fstat(fd);
  try {
    if (made.uid !== uid || made.gid !== gid) disk.fchown(fd, uid, gid);
    if ((made.mode & PERMISSIONS) !== (mode & PERMISSIONS)) disk.fchmod(fd, mode & PERMISSIONS);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EPERM') return false;
    throw error;
  }
}

/** All of the new mailbox, on disc, with what has come to the old one meanwhile from a writer that took no lock. */
async function fill({ disk }: Context, held: Held, fd: number, pieces: readonly Piece[]): Promise<void> {
  await copyPieces(disk, held.fd, pieces, (octets) => disk.writeLater(fd, octets));
  await disk.sync(fd);
  for (let done = held.stats.size; ; ) {
    const { size } = held.look();
    if (size === done) return;
    await readRange(disk, held.fd, done, size, (octets) => disk.writeLater(fd, octets));
    await disk.sync(fd);
    done = size;
  }
}

function remove({ disk, log }: Context, fresh: string, made: boolean): void {
  if (!made) return;
  try {
    disk.unlink(fresh);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') log.warn('mbox.leftover', { path: fresh, error });
  }
}
