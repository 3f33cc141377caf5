/**
 * When a new file has taken the name of a mailbox, a program that ignores `<mailbox>.lock` and doesn't look at the link count, as Postfix
 * does, may still have waited for the kernel lock on the old file, and then writes there. The old file is kept open for a while, and
 * what comes to it is carried over.
 */
import type { Log } from '../../model/log.ts';
import type { Disk } from '../../os/disk.ts';
import { tryLock, unlock } from '../../os/locks.ts';

/** Who waits in the kernel writes at once; who asks again and again does so within seconds. */
const LOOKS_MS = [0, 5, 20, 100, 500, 2000, 5000];
/** While the writer is at it. */
const BUSY_MS = 10;

export interface Latecomers {
  /** Takes over `fd`, the old file of the mailbox at `path`, whose first `size` octets have been dealt with. */
  watch(path: string, fd: number, size: number): void;
  /** Looks now. */
  check(path: string): Promise<void>;
  /** Looks once more at all of them and lets go. */
  close(): Promise<void>;
}

interface OldFile {
  readonly fd: number;
  size: number;
  looks: number;
  timer: NodeJS.Timeout | undefined;
  /** A look that is under way. */
  looking: Promise<boolean> | undefined;
}

/** `carry` appends octets [from, to) of `fd` to the mailbox at `path`, and resolves when they would survive a power cut. */
export function createLatecomers(
  disk: Disk,
  log: Log,
  carry: (path: string, fd: number, from: number, to: number) => Promise<void>,
): Latecomers {
  const watched = new Map<string, Set<OldFile>>();

  /** False: somebody is writing, or it could not be carried over: look again. */
  async function look(path: string, old: OldFile): Promise<boolean> {
    const { size } = disk.fstat(old.fd);
    if (size <= old.size) return true;
    if (!tryLock(old.fd, 'write')) return false;
    try {
      const to = disk.fstat(old.fd).size;
      await carry(path, old.fd, old.size, to);
      log.warn('mbox.latecomer', { path, octets: to - old.size });
      old.size = to;
      return true;
    } catch (error) {
      log.error('mbox.latecomer-stuck', { path, octets: size - old.size, error });
      return false;
    } finally {
      unlock(old.fd);
    }
  }

  function lookOnce(path: string, old: OldFile): Promise<boolean> {
    old.looking ??= look(path, old).finally(() => {
      old.looking = undefined;
    });
    return old.looking;
  }

  function schedule(path: string, old: OldFile, settled: boolean): void {
    if (!watched.get(path)?.has(old)) return;
    const delayMs = settled ? LOOKS_MS[old.looks++] : BUSY_MS;
    if (delayMs === undefined) {
      forget(path, old);
      return;
    }
    old.timer = setTimeout(() => {
      lookOnce(path, old).then(
        (done) => schedule(path, old, done),
        (error) => {
          log.error('mbox.latecomer-stuck', { path, error });
          forget(path, old);
        },
      );
    }, delayMs);
    old.timer.unref();
  }

  function forget(path: string, old: OldFile): void {
    const there = watched.get(path);
    if (!there?.delete(old)) return;
    if (there.size === 0) watched.delete(path);
    clearTimeout(old.timer);
    disk.close(old.fd);
  }

  return {
    watch(path, fd, size) {
      const old: OldFile = { fd, size, looks: 0, timer: undefined, looking: undefined };
      const there = watched.get(path);
      if (there === undefined) watched.set(path, new Set([old]));
      else there.add(old);
      schedule(path, old, true);
    },

    async check(path) {
      for (const old of watched.get(path) ?? []) await lookOnce(path, old);
    },

    async close() {
      for (const [path, files] of [...watched]) {
        for (const old of [...files]) {
          try {
            await lookOnce(path, old);
          } finally {
            forget(path, old);
          }
        }
      }
    },
  };
}
