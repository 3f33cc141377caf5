/** Mailboxes on disc: finds them, holds the session lock, and leaves the rest to the format they are in. */
import { dirname, join } from 'node:path';
import { Fault } from '../model/fault.ts';
import type { Log } from '../model/log.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { MaildropStore, Usage } from '../model/maildrop.ts';
import type { Disk } from '../os/disk.ts';
import { createSessionLocks, type SessionLock } from '../os/sessionLocks.ts';
import type { Backend } from './backend.ts';
import { type Conversion, createConverter } from './convert.ts';
import { unreadable, unwritable, waitable } from './faults.ts';
import { makeFolders } from './folders.ts';
import { type Format, type Found, findMailbox, locateMailbox } from './locate.ts';
import { createMaildirBackend } from './maildir/index.ts';
import { createMboxBackend } from './mbox/index.ts';
import { emptyMaildrop, SessionLease } from './sessionLease.ts';
import { type TakenOver, TakenOverIds, withTakenOver } from './takenOver.ts';
import { createPlaceWatch } from './trust.ts';

export { locateMailbox } from './locate.ts';
export { usageReader } from './usage.ts';

export interface FileStoreOptions {
  /** `<root>/<domain>/<user>`: mailboxes of virtual users. */
  readonly root: string;
  /** Below an account's home directory, looked at first; empty: nowhere. */
  readonly home: string;
  /** `<systemSpool>/<user>`: mailboxes of system users. */
  readonly systemSpool: string;
  /** Of new mailboxes. */
  readonly format: Format;
  readonly statusHeader: 'rewrite' | 'always' | 'never';
  /** A group that `becomeUser` has kept aside, to make lock files in `systemSpool` with. */
  readonly lockGid?: number | undefined;
  /** For indexes: what may be lost at the price of time. Must be there. */
  readonly stateDir: string;
  /** For the session locks, shared by all processes that serve these mailboxes. Must be there. */
  readonly runDir: string;
  readonly disk: Disk;
  readonly log: Log;
  /** ms since 1970, by the clock that stamps files. */
  readonly now: () => number;
}

export interface StoreCounts {
  /** Maildrops that a session has open. */
  readonly open: number;
  /** Maildirs and messages in them that are remembered between sessions. */
  readonly maildirs: number;
  readonly maildirMessages: number;
}

export interface FileStore extends MaildropStore {
  /** Brings a mailbox into the other format, in its place. @throws Fault not-found, exists, in-use, temporary, permanent */
  convert(mailbox: Mailbox, to: Format): Promise<Conversion>;
  /** Gives back the session locks at once, and what is held for all sessions; resolves when deliveries under way and late ones are in. */
  close(): Promise<void>;
  counts(): StoreCounts;
}

const nothing: Usage = { octets: 0, messages: 0 };

export function createFileStore(options: FileStoreOptions): FileStore {
  const { disk, log, now, stateDir, runDir, statusHeader, lockGid, systemSpool } = options;
  const processUid = process.getuid?.() ?? 0;
  const locator = { disk, places: options, processUid, refusedPlace: createPlaceWatch(disk, now) };
  const lockGroup = lockGid === undefined ? undefined : { gid: lockGid, folder: systemSpool };
  const maildir = createMaildirBackend({ disk, log, now, stateDir, statusHeader });
  const mbox = createMboxBackend({ disk, log, now, stateDir, statusHeader, lockGroup });
  const backends: Record<Format, Backend> = { maildir, mbox };
  const takenOver = new TakenOverIds(disk, join(stateDir, 'taken-over'));
  const converter = createConverter({ disk, log, now, mbox, maildir, takenOver });
  const locks = createSessionLocks(`${runDir}/sessions`);
  let open = 0;
  let closed: Promise<void> | undefined;

  /** A client can't do anything about a mailbox that is refused; a sender should keep the mail until the host has. */
  function find(mailbox: Mailbox, kind: 'permanent' | 'temporary'): Found {
    const found = findMailbox(locator, mailbox);
    const reason = found.refused ?? wrongProcess(mailbox);
    if (reason === undefined) return found;
    log.error('maildrop.refused', { mailbox: mailbox.name, path: found.path, reason });
    throw new Fault(kind, 'the mailbox can not be used');
  }

  function wrongProcess(mailbox: Mailbox): string | undefined {
    const uid = mailbox.owner?.uid ?? processUid;
    return uid === processUid || processUid === 0 ? undefined : `is for a process of uid ${uid}, and this one has ${processUid}`;
  }

  /** By path: two accounts may have the same home, and so the same mailbox. */
  function lockFor(found: Found): SessionLock {
    const lock = locks.take(found.path);
    if (lock === undefined) throw new Fault('in-use', 'another session has this maildrop');
    return lock;
  }

  /** What a session or a conversion begins with, nothing of an earlier conversion left unfinished. The session lock is held. */
  async function settled(mailbox: Mailbox, found: Found): Promise<{ found: Found; ids: TakenOver | undefined }> {
    const ids = takenOver.of(mailbox);
    if (ids?.unfinished === undefined) return { found, ids };
    await converter.finish(mailbox, ids);
    return { found: find(mailbox, 'permanent'), ids: takenOver.of(mailbox) };
  }

  return {
    async open(mailbox, openOptions = {}) {
      const first = find(mailbox, 'permanent');
      const lock = lockFor(first);
      try {
        const { found, ids } = await settled(mailbox, first);
        const opened = found.exists ? await backends[found.format].open({ path: found.path, mailbox }, openOptions) : emptyMaildrop;
        if (!found.exists) log.info('maildrop.none', { mailbox: mailbox.name, wouldBe: found.path });
        const maildrop = ids === undefined ? opened : withTakenOver(opened, ids);
        open += 1;
        return new SessionLease(maildrop, lock, () => {
          open -= 1;
        });
      } catch (error) {
        lock.release();
        throw unreadable(error);
      }
    },

    async deliver(mailbox, message, envelope) {
      const found = find(mailbox, 'temporary');
      if (!found.exists) {
        try {
          await makeFolders(disk, dirname(found.path), processUid === 0 ? mailbox.owner : undefined);
        } catch (error) {
          throw unwritable(error);
        }
      }
      await backends[found.format].deliver({ path: found.path, mailbox }, message, envelope);
    },

    async usage(mailbox) {
      const found = find(mailbox, 'temporary');
      if (!found.exists) return nothing;
      try {
        return await backends[found.format].usage({ path: found.path, mailbox });
      } catch (error) {
        throw waitable(unreadable(error));
      }
    },

    async convert(mailbox, to) {
      const first = find(mailbox, 'permanent');
      const lock = lockFor(first);
      try {
        const { found } = await settled(mailbox, first);
        if (!found.exists) throw new Fault('not-found', 'no such mailbox: {name}', { values: { name: found.path } });
        return await converter.convert(found, mailbox, to);
      } catch (error) {
        throw unwritable(error);
      } finally {
        lock.release();
      }
    },

    locate: async (mailbox) => locateMailbox(locator, mailbox),

    close() {
      if (closed === undefined) {
        locks.close();
        closed = mbox.close();
      }
      return closed;
    },

    counts() {
      const { maildirs, messages } = maildir.counts();
      return { open, maildirs, maildirMessages: messages };
    },
  };
}
