/** Whose files a directory reads: what a process finds out about a file that it has open already, so that nothing can change in between. */
import { dirname } from 'node:path';
import type { Disk, FileStats } from '../../os/disk.ts';
import { isSticky, writableByMore, writableByOthers } from '../../os/openToOthers.ts';

/**
 * `anyone`: one Unix user owns all mail, and whoever writes passwd files for it does so with the host's consent; only what everybody on the
 * host can write is refused. `owner`: this process acts for the owner of the domain; files of that user and of root, and a passwd file of
 * root's only where root's own domain.toml gives the domain to that user. `mail-owner`: the same, and root's passwd files that are given to nobody.
 */
export type FilesOf = 'anyone' | 'owner' | 'mail-owner';

/** A file that is there and may not be used, until a person puts it right. */
export class UnfitFile extends Error {
  /** The domain belongs to somebody else by now: another process may be the right one. */
  readonly moved: boolean;

  constructor(reason: string, moved: boolean) {
    super(reason);
    this.moved = moved;
  }
}

/** What a look-up failed of, where that was a file nobody may use, not even another process; file and reason, for the host. */
export function unfitFile(thrown: unknown): string | undefined {
  const { cause } = thrown instanceof Error ? thrown : {};
  return cause instanceof Error && cause.cause instanceof UnfitFile && !cause.cause.moved ? cause.message : undefined;
}

/** @throws UnfitFile; Error with `code` */
export type FileRule = (path: string, stats: FileStats) => void;

/** For whom a process acts. */
export interface Acting {
  readonly filesOf: FilesOf;
  readonly processUid: number;
}

/** @param decides whether whom such a file belongs to is whom the domain belongs to */
export function createFileRule(disk: Disk, { filesOf, processUid }: Acting, decides: boolean): FileRule {
  const writable = filesOf === 'anyone' ? writableByOthers : writableByMore;

  function requireClosed(folder: string): void {
    const stats = disk.stat(folder);
    const reason = stats === undefined || isSticky(stats) ? undefined : writable(stats);
    if (reason !== undefined) throw new UnfitFile(`${folder}: ${reason}`, false);
  }

  return (path, stats) => {
    if (filesOf !== 'anyone' && stats.uid !== processUid && stats.uid !== 0) {
      throw new UnfitFile(`belongs to uid ${stats.uid}, not ${processUid}`, decides);
    }
    const reason = writable(stats);
    if (reason !== undefined) throw new UnfitFile(reason, false);
    requireClosed(dirname(path));
    const real = disk.realpath(path);
    if (real !== path) requireClosed(dirname(real));
  };
}
