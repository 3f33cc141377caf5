/** What new/ and cur/ of a Maildir hold, and whether that is still so. */
import type { Disk, FileStats } from '../../os/disk.ts';
import { unusable } from '../faults.ts';
import { refusedFolder } from '../trust.ts';

/** Written into cur/ before several messages are removed, see journal.ts. Programs that read Maildirs pass over names with a dot. */
export const JOURNAL = '.postkasse-removal';

/** As long as the times and the numbers of both stay, no name was added, removed or changed. `undefined`: there is no such folder. */
export interface Stamps {
  readonly fresh: FileStats | undefined;
  readonly current: FileStats | undefined;
}

export interface Folders {
  readonly stamps: Stamps;
  /** False: a change in the same tick of the kernel's clock as the reading would have left the stamps as they are. */
  readonly settled: boolean;
  /** Names in new/ and cur/, in no order. */
  readonly fresh: readonly string[];
  readonly current: readonly string[];
  readonly hasJournal: boolean;
}

/** The kernel's clock for file times ticks every 1 to 10 ms; the rest is for a clock that is not quite ours. */
const TICK_NS = 100_000_000n;
const ATTEMPTS = 5;

export function stampsOf(disk: Disk, path: string): Stamps {
  return { fresh: disk.stat(`${path}/new`), current: disk.stat(`${path}/cur`) };
}

export function sameStamps(one: Stamps, other: Stamps): boolean {
  return sameStamp(one.fresh, other.fresh) && sameStamp(one.current, other.current);
}

/** That both are the owner's. @throws Fault permanent */
export function requireOwn(path: string, { fresh, current }: Stamps, uid: number): void {
  for (const [name, stats] of [
    ['new', fresh],
    ['cur', current],
  ] as const) {
    const refused = stats && refusedFolder(stats, uid);
    if (refused !== undefined) throw unusable(`${path}/${name}: ${refused}`);
  }
}

/** @throws Error with `code` */
export function readFolders(disk: Disk, path: string, now: () => number): Folders {
  let stamps = stampsOf(disk, path);
  for (let attempt = 1; ; attempt++) {
    const readAtNs = BigInt(Math.floor(now())) * 1_000_000n;
    // new/ first: what moves to cur/ in between is seen twice rather than never.
    const fresh = stamps.fresh === undefined ? [] : disk.readdir(`${path}/new`);
    const current = stamps.current === undefined ? [] : disk.readdir(`${path}/cur`);
    const after = stampsOf(disk, path);
    const same = sameStamps(stamps, after);
    // A name that is changed while a directory is read may be missed.
    if (!same && attempt < ATTEMPTS) {
      stamps = after;
      continue;
    }
    return {
      stamps,
      settled: same && isOlder(stamps.fresh, readAtNs) && isOlder(stamps.current, readAtNs),
      fresh: fresh.filter(isMessage),
      current: current.filter(isMessage),
      hasJournal: current.includes(JOURNAL),
    };
  }
}

export function sameStamp(one: FileStats | undefined, other: FileStats | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.mtimeNs === other.mtimeNs && one.ctimeNs === other.ctimeNs && one.ino === other.ino && one.dev === other.dev;
}

export function isOlder(stamp: FileStats | undefined, readAtNs: bigint): boolean {
  return stamp === undefined || stamp.ctimeNs + TICK_NS < readAtNs;
}

/** A name that isn't UTF-8 comes from readdir with U+FFFD in it, and no file can be opened by that. */
export function isMessage(name: string): boolean {
  return !name.startsWith('.') && !name.includes('\ufffd');
}
