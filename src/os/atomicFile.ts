/** A file replaced as a whole: after a crash at any moment the path holds the old octets or the new ones, never a mixture. */
import fs from 'node:fs';
import { dirname } from 'node:path';
import { codeOf, type Disk } from './disk.ts';

let made = 0;

/**
 * New file beside it, fsync, rename, fsync of the directory; on return the new octets would survive a power cut.
 * A link at `path` is itself replaced: hand in its real path to keep it. When it throws before the rename the old file is as it was
 * and no other file is left.
 * @param mode permission bits of the new file, whatever the umask
 * @param owner whom the new file belongs to; left out: whom the process runs as
 */
export async function replaceFile(
  disk: Disk,
  path: string,
  octets: Uint8Array,
  mode: number,
  owner?: { readonly uid: number; readonly gid: number },
): Promise<void> {
  const [fresh, fd] = openBeside(disk, path);
  try {
    try {
      if (owner !== undefined) disk.fchown(fd, owner.uid, owner.gid);
      disk.fchmod(fd, mode);
      disk.write(fd, octets);
      await disk.sync(fd);
    } finally {
      disk.close(fd);
    }
    disk.rename(fresh, path);
  } catch (error) {
    try {
      disk.unlink(fresh);
    } catch {
      // What made the replacement fail is the error that counts.
    }
    throw error;
  }
  await disk.syncDirectory(dirname(path));
}

/** Unreadable for others until it has its mode: a secret must not show in between. */
function openBeside(disk: Disk, path: string): [string, number] {
  for (;;) {
    made += 1;
    const fresh = `${path}.${process.pid}.${made}.new`;
    try {
      return [fresh, disk.open(fresh, fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL, 0o600)];
    } catch (error) {
      // A leftover of a process that had this number before.
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }
}
