/** Files in tmp/ of deliveries that never ended, by any program. */
import type { Disk } from '../../os/disk.ts';

/** As the description of Maildir has it: no delivery takes longer. */
const LEFTOVER_MS = 36 * 3_600_000;

/** Returns how many it removed. What can't be removed stays, for it does no harm. */
export function removeLeftovers(disk: Disk, path: string, now: () => number): number {
  let removed = 0;
  try {
    if (disk.stat(`${path}/tmp`) === undefined) return 0;
    for (const name of disk.readdir(`${path}/tmp`)) {
      const stats = disk.lstat(`${path}/tmp/${name}`);
      if (stats === undefined || stats.isDirectory() || now() - Number(stats.ctimeNs / 1_000_000n) < LEFTOVER_MS) continue;
      disk.unlink(`${path}/tmp/${name}`);
      removed += 1;
    }
  } catch {
    return removed;
  }
  return removed;
}
