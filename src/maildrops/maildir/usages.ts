/**
 * What each Maildir holds: the sizes of the files in new/ and cur/, by their names or by lstat(2), never by reading them. Each of the two
 * folders is read again only after something changed in it, so a Maildir that nothing happens to costs two system calls.
 */
import { setImmediate } from 'node:timers/promises';
import type { Usage } from '../../model/maildrop.ts';
import type { Disk, FileStats } from '../../os/disk.ts';
import { isMessage, isOlder, requireOwn, sameStamp, stampsOf } from './folders.ts';
import { baseOf, sizeIn } from './names.ts';

export interface UsagesOptions {
  readonly disk: Disk;
  /** ms since 1970, by the clock that stamps files. */
  readonly now: () => number;
  /** Sizes that are remembered of files whose names don't tell them, over all Maildirs; some 150 octets of memory each. */
  readonly rememberedSizes: number;
}

interface Folder {
  readonly stamp: FileStats;
  /** False: a change in the same tick of the kernel's clock as the reading would have left the stamp as it is. */
  readonly settled: boolean;
  readonly octets: number;
  readonly messages: number;
  /** Of files whose names don't tell, by the part of the name that stays. */
  readonly sizes: ReadonlyMap<string, number>;
}

interface Known {
  readonly fresh: Folder | undefined;
  readonly current: Folder | undefined;
}

/** A Maildir takes as much memory as so many sizes. */
const EACH = 4;
/** Files looked at before others get their turn. */
const BATCH = 256;
const noSizes: ReadonlyMap<string, number> = new Map();

export class Usages {
  readonly #options: UsagesOptions;
  /** By path; the one used last stands last. */
  readonly #known = new Map<string, Known>();
  #weight = 0;

  constructor(options: UsagesOptions) {
    this.#options = options;
  }

  /** @param uid whose it must be. @throws Fault permanent where it isn't; Error with `code` */
  async of(path: string, uid: number): Promise<Usage> {
    const stamps = stampsOf(this.#options.disk, path);
    requireOwn(path, stamps, uid);
    const before = this.#known.get(path);
    const fresh = await this.#folder(`${path}/new`, stamps.fresh, before?.fresh, before?.current);
    const current = await this.#folder(`${path}/cur`, stamps.current, before?.current, before?.fresh);
    this.#keep(path, { fresh, current });
    return {
      octets: (fresh?.octets ?? 0) + (current?.octets ?? 0),
      messages: (fresh?.messages ?? 0) + (current?.messages ?? 0),
    };
  }

  /** @param other what the other folder held: files move from one to the other */
  async #folder(path: string, stamp: FileStats | undefined, before?: Folder, other?: Folder): Promise<Folder | undefined> {
    if (stamp === undefined) return undefined;
    if (before?.settled && sameStamp(before.stamp, stamp)) return before;
    const { disk, now } = this.#options;
    const readAtNs = BigInt(Math.floor(now())) * 1_000_000n;
    const sizes = new Map<string, number>();
    let octets = 0;
    let messages = 0;
    let looked = 0;
    for (const name of disk.readdir(path)) {
      if (!isMessage(name)) continue;
      const told = sizeIn(name);
      if (told !== undefined) {
        octets += told;
        messages += 1;
        continue;
      }
      const base = baseOf(name);
      let size = before?.sizes.get(base) ?? other?.sizes.get(base);
      if (size === undefined) {
        looked += 1;
        if (looked % BATCH === 0) await setImmediate();
        const stats = disk.lstat(`${path}/${name}`);
        // Gone meanwhile, or no message.
        if (stats?.isFile() !== true) continue;
        size = stats.size;
      }
      sizes.set(base, size);
      octets += size;
      messages += 1;
    }
    return { stamp, settled: isOlder(stamp, readAtNs), octets, messages, sizes: sizes.size === 0 ? noSizes : sizes };
  }

  #keep(path: string, known: Known): void {
    const before = this.#known.get(path);
    if (before !== undefined) this.#drop(path, before);
    this.#known.set(path, known);
    this.#weight += weight(known);
    for (const [oldest, one] of this.#known) {
      if (this.#weight <= this.#options.rememberedSizes) break;
      this.#drop(oldest, one);
    }
  }

  #drop(path: string, known: Known): void {
    this.#known.delete(path);
    this.#weight -= weight(known);
  }
}

function weight({ fresh, current }: Known): number {
  return EACH + (fresh?.sizes.size ?? 0) + (current?.sizes.size ?? 0);
}
