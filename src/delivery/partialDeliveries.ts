/**
 * Messages of which only some destinations of a recipient have their copy. Who hands us mail gets one reply for the recipient and comes back with
 * all of it: a file for each such message and recipient says who has it already, and is gone when all have.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Log } from '../model/log.ts';
import type { Octets } from '../model/octets.ts';
import { replaceFile } from '../os/atomicFile.ts';
import { codeOf, type Disk } from '../os/disk.ts';

export interface PartialDeliveriesOptions {
  /** Made at first need. */
  readonly folder: string;
  readonly disk: Disk;
  readonly log: Log;
  /** ms since 1970, of the clock that file times come from. */
  readonly now: () => number;
}

/** A message on its way to one recipient. */
export interface Course {
  readonly content: Octets;
  readonly sender: string;
  readonly recipient: string;
}

export interface PartialDeliveries {
  /** Destinations that have it since an earlier try. Never rejects: at worst somebody gets it twice. */
  had(course: Course): Promise<ReadonlySet<string>>;
  /** These have it now, and others not yet. Never rejects. */
  note(course: Course, destinations: Iterable<string>): Promise<void>;
  /** It won't be tried again. */
  forget(course: Course): Promise<void>;
}

/** Longer than any mail server goes on trying. */
const KEPT_MS = 14 * 86_400_000;
const LARGEST_FILE = 1 << 20;

export function createPartialDeliveries({ folder, disk, log, now }: PartialDeliveriesOptions): PartialDeliveries {
  const names = new WeakMap<Course, Promise<string>>();

  function pathOf(course: Course): Promise<string> {
    const known = names.get(course);
    if (known !== undefined) return known;
    const path = digestOf(course).then((digest) => join(folder, digest));
    names.set(course, path);
    return path;
  }

  function entries(): readonly string[] {
    try {
      return disk.readdir(folder);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return [];
      throw error;
    }
  }

  function read(path: string): readonly string[] {
    let fd: number;
    try {
      fd = disk.open(path, 0);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return [];
      throw error;
    }
    try {
      const octets = Buffer.allocUnsafe(Math.min(disk.fstat(fd).size, LARGEST_FILE));
      let length = 0;
      for (let got = -1; got !== 0 && length < octets.length; length += got)
        got = disk.read(fd, octets, length, octets.length - length, length);
      return octets
        .toString('utf8', 0, length)
        .split('\n')
        .filter((line) => line !== '');
    } finally {
      disk.close(fd);
    }
  }

  function clearOld(): void {
    for (const name of entries()) {
      const stats = disk.stat(join(folder, name));
      if (stats !== undefined && now() - Number(stats.mtimeNs / 1_000_000n) > KEPT_MS) disk.unlink(join(folder, name));
    }
  }

  async function guarded<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      log.warn('delivery.partial-unknown', { cause });
      return otherwise;
    }
  }

  return {
    had: (course) =>
      guarded(async () => {
        // Nearly always: then there is no need to know the message by its octets.
        if (entries().length === 0) return new Set<string>();
        return new Set(read(await pathOf(course)));
      }, new Set<string>()),

    note: (course, destinations) =>
      guarded(async () => {
        const path = await pathOf(course);
        if (disk.stat(folder) === undefined) disk.mkdir(folder, 0o700);
        clearOld();
        await replaceFile(disk, path, Buffer.from([...destinations].map((one) => `${one}\n`).join('')), 0o600);
      }, undefined),

    forget: (course) =>
      guarded(async () => {
        const path = await pathOf(course);
        if (disk.stat(path) !== undefined) disk.unlink(path);
      }, undefined),
  };
}

/** The same message from the same sender to the same recipient, and no other. */
async function digestOf({ content, sender, recipient }: Course): Promise<string> {
  const digest = createHash('sha256').update(`${sender}\n${recipient}\n`);
  for await (const piece of content) digest.update(piece);
  return digest.digest('hex');
}

/** Where nothing is remembered: at worst somebody gets a message twice. */
export const noPartialDeliveries: PartialDeliveries = {
  had: async () => new Set(),
  async note() {},
  async forget() {},
};
