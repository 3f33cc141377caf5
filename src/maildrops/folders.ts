/** Making directories that last. */
import { dirname } from 'node:path';
import { codeOf, type Disk } from '../os/disk.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes `path` and what is missing above it, mode 0700, synced from the top down. One that another process makes meanwhile will do.
 * @param owner whom they are given to; `undefined`: they stay the process's own. @throws Error with `code`
 */
export async function makeFolders(disk: Disk, path: string, owner: Owner | undefined): Promise<void> {
  const missing: string[] = [];
  for (let at = path; disk.stat(at) === undefined && dirname(at) !== at; at = dirname(at)) missing.push(at);
  for (const folder of missing.reverse()) {
    if (makeFolder(disk, folder, owner)) await disk.syncDirectory(dirname(folder));
  }
}

/** False: it was there. Not synced. @throws Error with `code` */
export function makeFolder(disk: Disk, path: string, owner: Owner | undefined): boolean {
  try {
    disk.mkdir(path, 0o700);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
  if (owner !== undefined) disk.chown(path, owner.uid, owner.gid);
  return true;
}
