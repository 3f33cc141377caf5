/** How large messages are and when they came: from their names, from the index, or by reading the file, in this order of cost. */
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Log } from '../../model/log.ts';
import { codeOf, type Disk } from '../../os/disk.ts';
import { makeFolder } from '../folders.ts';
import type { Entry } from './entries.ts';
import { measure } from './measure.ts';
import { appendToSizeIndex, type Measured, readSizeIndex, replaceSizeIndex, type SizeIndex, sizeIndexPath } from './sizeIndex.ts';

export interface Sized {
  readonly size: number | undefined;
  readonly octets: number;
  readonly receivedAtMs: number;
}

export interface SizesOptions {
  readonly disk: Disk;
  readonly log: Log;
  readonly stateDir: string;
}

/** Files measured before others get their turn. */
const BATCH = 16;

/** For one reading of one Maildir. */
export class Sizes {
  readonly #options: SizesOptions;
  readonly #maildir: string;
  readonly #indexPath: string;
  readonly #measured = new Map<string, Measured>();
  #index: SizeIndex | undefined;

  constructor(options: SizesOptions, maildir: string) {
    this.#options = options;
    this.#maildir = maildir;
    this.#indexPath = sizeIndexPath(options.stateDir, maildir);
  }

  /** What the index has wins over names: it also has the true sizes of files whose names turned out to be wrong. */
  consult(): void {
    try {
      this.#index = readSizeIndex(this.#options.disk, this.#indexPath);
    } catch (error) {
      this.#warn(error);
    }
  }

  /** @param anew read the file whatever is known. @throws Error with `code` */
  async of(entry: Entry, anew: boolean): Promise<Sized | 'gone' | 'no message'> {
    const indexed = this.#index?.known.get(entry.uniqueId);
    if (indexed !== undefined && !anew) return indexed;
    const receivedAtMs = entry.receivedAtUs === undefined ? undefined : Math.floor(entry.receivedAtUs / 1000);
    if (entry.octets !== undefined && receivedAtMs !== undefined && !anew) return { size: entry.size, octets: entry.octets, receivedAtMs };

    if (this.#measured.size % BATCH === BATCH - 1) await setImmediate();
    const found = await measure(this.#options.disk, `${this.#maildir}/${entry.isNew ? 'new' : 'cur'}/${entry.name}`);
    if (typeof found === 'string') return found;
    const measured = { ...found, receivedAtMs: receivedAtMs ?? found.receivedAtMs };
    this.#measured.set(entry.uniqueId, measured);
    return measured;
  }

  /** Writes down what had to be measured. `present`: the unique-ids there are now. An index that can't be written is only a pity. */
  keep(present: Iterable<string>): void {
    if (this.#measured.size === 0) return;
    const { disk } = this.#options;
    try {
      const wanted = new Map<string, Measured>();
      for (const uniqueId of present) {
        const one = this.#measured.get(uniqueId) ?? this.#index?.known.get(uniqueId);
        if (one !== undefined) wanted.set(uniqueId, one);
      }
      makeFolder(disk, dirname(this.#indexPath), undefined);
      const mostlyGone = this.#index !== undefined && this.#index.lines > 2 * wanted.size + 100;
      if (mostlyGone) replaceSizeIndex(disk, this.#indexPath, wanted);
      else appendToSizeIndex(disk, this.#indexPath, this.#measured);
    } catch (error) {
      this.#warn(error);
    }
  }

  #warn(error: unknown): void {
    this.#options.log.warn('maildir.index', { path: this.#indexPath, code: codeOf(error), error });
  }
}
