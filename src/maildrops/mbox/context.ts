import type { Log } from '../../model/log.ts';
import type { Disk } from '../../os/disk.ts';
import type { LockGroup } from '../../os/dotlock.ts';
import type { IndexFiles } from './indexFile.ts';
import type { Journals } from './journal.ts';
import type { Latecomers } from './latecomers.ts';
import type { ScanCache } from './scanCache.ts';
import type { Turns } from './turns.ts';

/** When `Status:` fields are written: when the mailbox is rewritten anyway, also when nothing else is to be changed, or not at all. */
export type StatusHeader = 'rewrite' | 'always' | 'never';

/** What the parts of the mbox store share. */
export interface Context {
  readonly disk: Disk;
  readonly log: Log;
  now(): number;
  readonly statusHeader: StatusHeader;
  readonly lockTimeoutMs: number;
  readonly lockGroup: LockGroup | undefined;
  /** Whose mailboxes these must be; `undefined`: the process is root, and the store in front has looked. */
  readonly ownerUid: number | undefined;
  readonly cache: ScanCache;
  readonly indexes: IndexFiles;
  readonly journals: Journals;
  readonly latecomers: Latecomers;
  readonly turns: Turns;
  /** Octets of a mailbox read at a time while it is scanned. */
  readonly windowSize: number;
}
