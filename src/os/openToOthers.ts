/** Who else than its owner can change a file, or the names in a folder. In sentences for the host. */
import type { FileStats } from './disk.ts';

const OTHERS_WRITE = 0o002;
const GROUP_WRITES = 0o020;
const STICKY = 0o1000;

/** Those who are neither the owner nor in the group; `undefined`: they can't. */
export function writableByOthers({ mode }: FileStats): string | undefined {
  return (mode & OTHERS_WRITE) === 0 ? undefined : `others can write to it (mode ${octal(mode)})`;
}

/**
 * Anybody but the owner and root. A group counts as somebody else, whoever is in it now: that may change, and a group of one's own for
 * each user is a habit of some systems only. OpenSSH's StrictModes takes it so, too.
 */
export function writableByMore(stats: FileStats): string | undefined {
  const { mode, gid } = stats;
  const isGroupOpen = (mode & GROUP_WRITES) !== 0 && gid !== 0;
  return writableByOthers(stats) ?? (isGroupOpen ? `group ${gid} can write to it (mode ${octal(mode)})` : undefined);
}

/** Who can write to such a folder may add names to it, but not remove or change those of somebody else. */
export function isSticky({ mode }: FileStats): boolean {
  return (mode & STICKY) !== 0;
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}
