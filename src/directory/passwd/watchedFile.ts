/**
 * A file that others change: read and understood once, looked at (one stat) each time it is asked for. Whoever asks gets what the
 * file says at that moment or later; those who ask while it is read share the reading.
 */
import { constants } from 'node:fs';
import { Fault } from '../../model/fault.ts';
import type { Log } from '../../model/log.ts';
import { codeOf, type Disk, type FileStats } from '../../os/disk.ts';
import { type FileRule, UnfitFile } from './ownFiles.ts';

export interface WatchedFileContext {
  readonly disk: Disk;
  /** ms since 1970, of the clock that file times come from. */
  readonly now: () => number;
  readonly log: Log;
  readonly limitOctets: number;
  /** Asked about each file that is open and about to be read. Left out: any will do. */
  readonly rule?: FileRule;
}

/**
 * File times move in ticks: 10 ms at worst on local file systems, two seconds on some others. A file read this soon after its
 * last change may have changed once more in the same tick with the same size, so until then its octets are compared.
 */
const TICK_MS = 2000;

/** Below this a read from the page cache is quicker than a thread. */
const AT_ONCE_OCTETS = 256 * 1024;

interface Loaded<T> {
  readonly stats: FileStats;
  readonly octets: Buffer;
  readonly value: T;
  /** Read long enough after the last change: as long as the stat agrees there is nothing to compare. */
  readonly settled: boolean;
}

export class WatchedFile<T> {
  readonly path: string;
  readonly #parse: (octets: Buffer) => T;
  readonly #context: WatchedFileContext;
  #loaded: Loaded<T> | undefined;
  #loading: Promise<T | undefined> | undefined;
  /** As it was when it was last looked at. */
  #seen: FileStats | undefined;
  #complaint: string | undefined;

  /** @param parse never throws; a file it can't understand is a value, too */
  constructor(path: string, parse: (octets: Buffer) => T, context: WatchedFileContext) {
    this.path = path;
    this.#parse = parse;
    this.#context = context;
  }

  /** `undefined`: there is no such file. @throws Fault temporary where it can't be read */
  async current(): Promise<T | undefined> {
    // A reading under way may have begun before the change that the asker knows of.
    if (this.#loading !== undefined) await this.#loading.catch(() => undefined);
    if (this.#loading !== undefined) return this.#loading;
    const stats = this.#stat();
    if (stats === undefined || this.#isCurrent(stats)) return this.#loaded?.value;
    if (stats.size <= AT_ONCE_OCTETS) return this.#readAtOnce();
    this.#loading = this.#readLater().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /** A large file is on its way into memory. */
  get loading(): boolean {
    return this.#loading !== undefined;
  }

  /** As `current`, without waiting: while a large file is being read, what it said before; nothing where it can't be read. */
  peek(): T | undefined {
    try {
      const stats = this.#stat();
      if (stats === undefined || this.#isCurrent(stats)) return this.#loaded?.value;
      if (stats.size <= AT_ONCE_OCTETS) return this.#readAtOnce();
    } catch {
      return undefined; // said in the log, and thrown at whoever asks with current()
    }
    this.current().catch(() => undefined);
    return this.#loaded?.value;
  }

  /** Whose file it was when it was read. */
  get ownerUid(): number | undefined {
    return this.#loaded?.stats.uid;
  }

  /** What is no file isn't opened either: with a device that alone may have consequences. */
  #stat(): FileStats | undefined {
    try {
      const stats = this.#context.disk.stat(this.path);
      this.#seen = stats;
      if (stats === undefined) this.#loaded = undefined;
      else if (!stats.isFile()) throw new UnfitFile('not a regular file', false);
      return stats;
    } catch (error) {
      throw this.#unreadable(error);
    }
  }

  #isCurrent(stats: FileStats): boolean {
    return this.#loaded?.settled === true && sameFile(this.#loaded.stats, stats);
  }

  #readAtOnce(): T | undefined {
    return this.#guarded(() => {
      const { disk } = this.#context;
      const fd = this.#open();
      try {
        for (let tries = 1; ; tries++) {
          const readAtMs = this.#context.now();
          const stats = this.#checked(disk.fstat(fd));
          const octets = Buffer.allocUnsafeSlow(stats.size);
          let length = 0;
          for (let read = -1; read !== 0 && length < stats.size; length += read) {
            read = disk.read(fd, octets, length, stats.size - length, length);
          }
          if (tries === 3 || sameFile(stats, disk.fstat(fd))) return this.#keep(stats, octets.subarray(0, length), readAtMs);
        }
      } finally {
        disk.close(fd);
      }
    });
  }

  async #readLater(): Promise<T | undefined> {
    const { disk } = this.#context;
    try {
      const fd = this.#open();
      try {
        for (let tries = 1; ; tries++) {
          const readAtMs = this.#context.now();
          const stats = this.#checked(disk.fstat(fd));
          const octets = Buffer.allocUnsafeSlow(stats.size);
          let length = 0;
          for (let read = -1; read !== 0 && length < stats.size; length += read) {
            read = await disk.readLater(fd, octets, length, stats.size - length, length);
          }
          // Written to while it was read: half of this and half of that, so once more.
          if (tries === 3 || sameFile(stats, disk.fstat(fd))) return this.#keep(stats, octets.subarray(0, length), readAtMs);
        }
      } finally {
        disk.close(fd);
      }
    } catch (error) {
      return this.#gone(error);
    }
  }

  #guarded(read: () => T | undefined): T | undefined {
    try {
      return read();
    } catch (error) {
      return this.#gone(error);
    }
  }

  /** Without waiting for a writer, should it be a pipe by now. */
  #open(): number {
    return this.#context.disk.open(this.path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  }

  /** Of what is open, whatever has that name by now. @throws UnfitFile */
  #checked(stats: FileStats): FileStats {
    const { limitOctets, rule } = this.#context;
    this.#seen = stats;
    if (!stats.isFile()) throw new UnfitFile('not a regular file', false);
    if (stats.size > limitOctets) throw new UnfitFile(`larger than ${limitOctets} octets`, false);
    rule?.(this.path, stats);
    return stats;
  }

  #keep(stats: FileStats, octets: Buffer, readAtMs: number): T {
    const before = this.#loaded;
    const value = before?.octets.equals(octets) ? before.value : this.#parse(octets);
    // The change time can't be set back, unlike the modification time.
    const settled = readAtMs - Number(stats.ctimeNs / 1_000_000n) >= TICK_MS;
    this.#loaded = { stats, octets: before?.value === value ? before.octets : octets, value, settled };
    this.#complaint = undefined;
    return value;
  }

  #gone(error: unknown): undefined {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw this.#unreadable(error);
    this.#loaded = undefined;
    return undefined;
  }

  /** Said once of each version of the file. */
  #unreadable(error: unknown): Fault {
    const reason = error instanceof Error ? error.message : String(error);
    const complaint = `${this.#seen?.ino} ${this.#seen?.ctimeNs} ${reason}`;
    if (complaint !== this.#complaint) this.#context.log.error('directory.unreadable', { file: this.path, reason });
    this.#complaint = complaint;
    return new Fault('temporary', 'accounts can not be looked up just now', {
      cause: new Error(`${this.path}: ${reason}`, { cause: error }),
    });
  }
}

function sameFile(a: FileStats, b: FileStats): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.dev === b.dev;
}
