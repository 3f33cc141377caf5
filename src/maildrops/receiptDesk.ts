/**
 * Receipts that wait for their users: `<folder>/<domain>/<user>/<id>` holds the header of the message, as it is, and says by its time stamp
 * since when it waits. `known` beside them has the addresses that the user has had a receipt sent to, one a line. Losing the files
 * means that some receipts are never sent.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Mailbox } from '../model/mailbox.ts';
import { MOST_HEADER, type ReceiptDesk, type WaitingReceipt } from '../model/receipts.ts';
import { replaceFile } from '../os/atomicFile.ts';
import { codeOf, type Disk } from '../os/disk.ts';
import { unreadable, unwritable } from './faults.ts';
import { makeFolders } from './folders.ts';

export interface ReceiptDeskOptions {
  /** Made at first need. */
  readonly folder: string;
  readonly disk: Disk;
  /** ms since 1970. */
  readonly now: () => number;
}

export interface ListedReceipt {
  /** What the user calls it. */
  readonly id: string;
  readonly header: Buffer;
  /** ms since 1970. */
  readonly sinceMs: number;
}

/** What a user does with the receipts that wait. */
export interface OpenDesk extends ReceiptDesk {
  /** Oldest first; those that have waited too long are gone. @throws Fault temporary */
  list(mailbox: Mailbox): Promise<readonly ListedReceipt[]>;
  /** Takes one away for good; it survives a power cut. False: there is none, or somebody else has just taken it. @throws Fault temporary */
  take(mailbox: Mailbox, id: string): Promise<boolean>;
  /** Puts one back that was taken. @throws Fault temporary */
  putBack(mailbox: Mailbox, receipt: ListedReceipt): Promise<void>;
  /** From now on this address is known. @throws Fault temporary */
  note(mailbox: Mailbox, address: string): Promise<void>;
}

/** Of one mailbox. */
const MOST_WAITING = 500;
const MOST_KNOWN = 10_000;
/** Nobody is glad of a receipt that comes later than that: 60 days. */
const WAITS_MS = 60 * 86_400_000;
const ID = /^[0-9a-f]{12}$/;
const KNOWN = 'known';

export function createReceiptDesk({ folder, disk, now }: ReceiptDeskOptions): OpenDesk {
  /** `@` begins no domain, so system users have a folder of their own. */
  function folderOf({ domain, user }: Mailbox): string {
    return join(folder, domain ?? '@', user);
  }

  function read(path: string, most: number): Buffer {
    const fd = disk.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const octets = Buffer.allocUnsafe(Math.min(most, disk.fstat(fd).size));
      return octets.subarray(0, disk.read(fd, octets, 0, octets.length, 0));
    } finally {
      disk.close(fd);
    }
  }

  function knownTo(mailbox: Mailbox): string[] {
    try {
      return read(join(folderOf(mailbox), KNOWN), 300 * MOST_KNOWN)
        .toString()
        .split('\n')
        .filter((line) => line !== '');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return [];
      throw error;
    }
  }

  /** By id. */
  function waitingFor(mailbox: Mailbox): string[] {
    try {
      return disk.readdir(folderOf(mailbox)).filter((name) => ID.test(name));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return [];
      throw error;
    }
  }

  /** Since when it waits; `undefined`: it does no more. */
  function sinceOf(path: string): number | undefined {
    const stats = disk.lstat(path);
    if (stats === undefined) return undefined;
    const sinceMs = Number(stats.mtimeNs / 1_000_000n);
    if (now() - sinceMs <= WAITS_MS) return sinceMs;
    remove(path);
    return undefined;
  }

  /** False: it was gone already. */
  function remove(path: string): boolean {
    try {
      disk.unlink(path);
      return true;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  async function put(path: string, header: Uint8Array, sinceMs: number): Promise<void> {
    await makeFolders(disk, dirname(path), undefined);
    await replaceFile(disk, path, header, 0o600);
    disk.utimes(path, sinceMs / 1000, sinceMs / 1000);
  }

  return {
    async ask(mailbox, { uniqueId, to, header }: WaitingReceipt, unlessKnown) {
      try {
        if (unlessKnown && knownTo(mailbox).includes(to)) return 'known';
        const waiting = waitingFor(mailbox).filter((id) => sinceOf(join(folderOf(mailbox), id)) !== undefined);
        if (waiting.length >= MOST_WAITING) return 'full';
        await put(join(folderOf(mailbox), idOf(uniqueId)), header, now());
        return 'waits';
      } catch (error) {
        throw unwritable(error);
      }
    },

    async list(mailbox) {
      try {
        const listed: ListedReceipt[] = [];
        for (const id of waitingFor(mailbox)) {
          const path = join(folderOf(mailbox), id);
          const sinceMs = sinceOf(path);
          if (sinceMs !== undefined) listed.push({ id, header: read(path, MOST_HEADER), sinceMs });
        }
        return listed.sort((one, other) => one.sinceMs - other.sinceMs || (one.id < other.id ? -1 : 1));
      } catch (error) {
        throw unreadable(error);
      }
    },

    async take(mailbox, id) {
      if (!ID.test(id)) return false;
      const path = join(folderOf(mailbox), id);
      try {
        // unlink(2) succeeds once: whoever did it has it.
        if (!remove(path)) return false;
        await disk.syncDirectory(dirname(path));
        return true;
      } catch (error) {
        throw unwritable(error);
      }
    },

    async putBack(mailbox, { id, header, sinceMs }) {
      try {
        await put(join(folderOf(mailbox), id), header, sinceMs);
      } catch (error) {
        throw unwritable(error);
      }
    },

    async note(mailbox, address) {
      try {
        const known = knownTo(mailbox);
        if (known.includes(address)) return;
        const path = join(folderOf(mailbox), KNOWN);
        await makeFolders(disk, dirname(path), undefined);
        const lines = [...known, address].slice(-MOST_KNOWN).map((line) => `${line}\n`);
        await replaceFile(disk, path, Buffer.from(lines.join('')), 0o600);
      } catch (error) {
        throw unwritable(error);
      }
    },
  };
}

/** Short enough to be typed. */
function idOf(uniqueId: string): string {
  return createHash('sha256').update(uniqueId).digest('hex').slice(0, 12);
}
