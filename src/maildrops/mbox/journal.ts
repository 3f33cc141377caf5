/**
 * Changing a mailbox in place, where a new file can't take its name: all octets from the first change on are first written to a journal
 * in the state folder, from which the change can be made again as often as it is interrupted. A change in place only makes a file shorter.
 *
 * A journal: the new octets, then a record in JSON, its length in 4 octets, and 8 octets that say it is whole. It gets its name when all
 * of it is on disc.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../model/log.ts';
import { codeOf, type Disk } from '../../os/disk.ts';
import { unwritable } from '../faults.ts';
import { makeFolder, stateName } from './indexFile.ts';
import type { Held } from './mailboxFile.ts';
import { copyPieces, lengthOf, type Piece, readRange } from './pieces.ts';

const { O_RDONLY, O_RDWR, O_CREAT, O_TRUNC, O_NOFOLLOW } = fs.constants;
const WHOLE = Buffer.from('PKjourn1', 'latin1');
const FOOT = 4 + WHOLE.length;
const LONGEST_RECORD = 65_536;

export interface Journals {
  /** Changes are possible: there is a state folder. */
  readonly ready: boolean;
  /** Brings to its end what was interrupted; the caller holds the mailbox lock. @throws Fault temporary */
  replay(held: Held): Promise<void>;
  /** Everything from `start` on becomes `pieces` of the file itself. @throws Fault temporary: nothing has been changed, or replay will finish it */
  rewrite(held: Held, start: number, pieces: readonly Piece[]): Promise<void>;
}

/** One change: octets [start, oldSize) become `length` others. */
interface Change {
  readonly path: string;
  readonly start: number;
  readonly length: number;
  readonly oldSize: number;
  /** SHA-256 of the new octets. */
  readonly content: string;
  /** SHA-256 of what stays at the end of the file until it is cut off: tells whether that has been done. */
  readonly leftover: string;
}

export const noJournals: Journals = {
  ready: false,
  async replay() {},
  rewrite: () => Promise.reject(unwritable(new Error('a mailbox that can only be changed in place needs a state folder'))),
};

/** `folder` is made when the first journal is written. */
export function createJournals(folder: string, disk: Disk, log: Log): Journals {
  const journalOf = (path: string): string => join(folder, `${stateName(path)}.journal`);

  /** Writes a journal: `fill` writes the new octets. */
  async function record(
    held: Held,
    start: number,
    length: number,
    fill: (write: (octets: Buffer) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const journal = journalOf(held.path);
    const fresh = `${journal}.new`;
    const { size: oldSize } = held.stats;
    if (start + length >= oldSize) throw new Error('a change in place has to make the file shorter');
    makeFolder(disk, folder);
    const fd = disk.open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
    try {
      try {
        const content = createHash('sha256');
        await fill((octets) => {
          content.update(octets);
          return disk.writeLater(fd, octets);
        });
        const leftover = await digestOf(disk, held.fd, start + length, oldSize);
        const change: Change = {
          path: held.path,
          start,
          length,
          oldSize,
          content: content.digest('hex'),
          leftover,
        };
        const said = Buffer.from(JSON.stringify(change));
        const saidLength = Buffer.alloc(4);
        saidLength.writeUInt32LE(said.length);
        disk.write(fd, Buffer.concat([said, saidLength, WHOLE]));
        await disk.sync(fd);
      } finally {
        disk.close(fd);
      }
      disk.rename(fresh, journal);
    } catch (error) {
      remove(fresh);
      throw error;
    }
    await disk.syncDirectory(folder);
  }

  /** After a failure, which is what counts. */
  function remove(file: string): void {
    try {
      disk.unlink(file);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') log.warn('mbox.journal-kept', { error });
    }
  }

  /** Makes the change, all of it, once more if need be. */
  async function apply(held: Held): Promise<void> {
    const journal = journalOf(held.path);
    const fd = disk.open(journal, O_RDONLY | O_NOFOLLOW);
    try {
      const change = await readChange(disk, fd);
      if (change === undefined) throw new Error(`${journal}: can not be read back`);
      let at = change.start;
      await readRange(disk, fd, 0, change.length, async (octets) => {
        await disk.writeLater(held.fd, octets, at);
        at += octets.length;
      });
      // In this order: once the file is shorter, what it holds is whole.
      await disk.sync(held.fd);
      disk.truncate(held.fd, change.start + change.length);
      await disk.sync(held.fd);
    } finally {
      disk.close(fd);
    }
    held.look();
    await discard(journal);
  }

  async function discard(journal: string): Promise<void> {
    try {
      disk.unlink(journal);
      await disk.syncDirectory(folder);
    } catch (error) {
      // Found again, it will be seen to have been done.
      log.warn('mbox.journal-kept', { error });
    }
  }

  /** What is to be done about a journal that is there. */
  async function judge(held: Held, fd: number): Promise<'redo' | 'done' | 'foreign'> {
    const change = await readChange(disk, fd);
    if (change === undefined || change.path !== held.path) return 'foreign';
    const { size } = held.stats;
    const newSize = change.start + change.length;
    const isOld = size >= change.oldSize && (await digestOf(disk, held.fd, newSize, change.oldSize)) === change.leftover;
    if (isOld) return 'redo';
    return size >= newSize && (await digestOf(disk, held.fd, change.start, newSize)) === change.content ? 'done' : 'foreign';
  }

  /** Takes what others have added since the journal was written into a new one. */
  async function takeIn(held: Held, fd: number): Promise<void> {
    const change = await readChange(disk, fd);
    if (change === undefined || held.stats.size === change.oldSize) return;
    const added = held.stats.size - change.oldSize;
    await record(held, change.start, change.length + added, async (write) => {
      await readRange(disk, fd, 0, change.length, write);
      await readRange(disk, held.fd, change.oldSize, change.oldSize + added, write);
    });
  }

  return {
    ready: true,

    async replay(held) {
      const journal = journalOf(held.path);
      if (disk.stat(journal) === undefined) return;
      try {
        const fd = disk.open(journal, O_RDONLY | O_NOFOLLOW);
        let verdict: 'redo' | 'done' | 'foreign';
        try {
          verdict = await judge(held, fd);
          if (verdict === 'redo') await takeIn(held, fd);
        } finally {
          disk.close(fd);
        }
        if (verdict === 'redo') await apply(held);
        else if (verdict === 'done') await discard(journal);
        else {
          // Another program has rewritten the mailbox since: what to do with the two is for a person to decide.
          disk.rename(journal, `${journal}.${held.stats.mtimeNs}.left`);
          log.error('mbox.journal-left', { path: held.path, journal });
          return;
        }
        log.warn('mbox.journal-replayed', { path: held.path, verdict });
      } catch (error) {
        throw unwritable(error);
      }
    },

    async rewrite(held, start, pieces) {
      try {
        await record(held, start, lengthOf(pieces), (write) => copyPieces(disk, held.fd, pieces, write));
      } catch (error) {
        // Nothing has been changed so far, and nothing shall be later.
        remove(journalOf(held.path));
        throw unwritable(error);
      }
      try {
        await apply(held);
      } catch (error) {
        log.warn('mbox.journal-interrupted', { path: held.path, error });
        held.look();
        await this.replay(held);
      }
    },
  };
}

/** `undefined`: not one of ours, or not whole. */
async function readChange(disk: Disk, fd: number): Promise<Change | undefined> {
  const { size } = disk.fstat(fd);
  if (size < FOOT) return undefined;
  const foot = Buffer.alloc(FOOT);
  disk.read(fd, foot, 0, FOOT, size - FOOT);
  const length = foot.readUInt32LE(0);
  if (!foot.subarray(4).equals(WHOLE) || length > LONGEST_RECORD || length + FOOT > size) return undefined;
  const said = Buffer.alloc(length);
  disk.read(fd, said, 0, length, size - FOOT - length);
  const change = parse(said);
  if (change === undefined || change.length !== size - FOOT - length) return undefined;
  return (await digestOf(disk, fd, 0, change.length)) === change.content ? change : undefined;
}

function parse(said: Buffer): Change | undefined {
  let change: Partial<Record<keyof Change, unknown>>;
  try {
    change = JSON.parse(said.toString());
  } catch {
    return undefined;
  }
  if (typeof change !== 'object' || change === null) return undefined;
  const { path, start, length, oldSize, content, leftover } = change;
  if (typeof path !== 'string' || typeof content !== 'string' || typeof leftover !== 'string') return undefined;
  if (!isOffset(start) || !isOffset(length) || !isOffset(oldSize) || start + length >= oldSize) return undefined;
  return { path, start, length, oldSize, content, leftover };
}

function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

async function digestOf(disk: Disk, fd: number, from: number, to: number): Promise<string> {
  const digest = createHash('sha256');
  await readRange(disk, fd, from, to, (octets) => void digest.update(octets));
  return digest.digest('hex');
}
