/** Mailboxes in one file each: mbox(5), in the mboxrd form. */
import { join } from 'node:path';
import type { Log } from '../../model/log.ts';
import type { Disk } from '../../os/disk.ts';
import type { LockGroup } from '../../os/dotlock.ts';
import { LOCK_TIMEOUT_MS } from '../../os/mailboxLock.ts';
import type { Backend } from '../backend.ts';
import type { Carried, Print } from '../carried.ts';
import { unreadable } from '../faults.ts';
import type { Owner } from '../folders.ts';
import { createAppender } from './append.ts';
import { holding, type Leaving, readBack, takeAdded, writeMbox } from './carry.ts';
import type { Context, StatusHeader } from './context.ts';
import { sameMark } from './fileMark.ts';
import { createIndexFiles, noIndexFiles } from './indexFile.ts';
import { createJournals, noJournals } from './journal.ts';
import { createLatecomers } from './latecomers.ts';
import { lookAt, openPlace, type Place, withMailbox } from './mailboxFile.ts';
import { MboxMaildrop } from './maildrop.ts';
import { readingOf, refresh } from './refresh.ts';
import { Rows } from './rows.ts';
import { Scan, sampleHolds } from './scan.ts';
import { ScanCache } from './scanCache.ts';
import { Turns } from './turns.ts';
import { Retired } from './uniqueIds.ts';

export type { StatusHeader } from './context.ts';

const CACHE_OCTETS = 64 * 1024 * 1024;
const WINDOW = 131_072;

export interface MboxOptions {
  readonly disk: Disk;
  readonly log: Log;
  /** ms since 1970 by the clock that stamps files. */
  now(): number;
  /** Where indexes and journals go; `undefined`: none are kept, and a mailbox that can only be changed in place isn't changed. */
  readonly stateDir: string | undefined;
  readonly statusHeader: StatusHeader;
  /** How long to wait for programs that have locked a mailbox. */
  readonly lockTimeoutMs?: number;
  /** For lock files where the process may make none by itself. */
  readonly lockGroup?: LockGroup | undefined;
  /** Memory for what is known of mailboxes, in octets. */
  readonly cacheOctets?: number;
  /** Octets read at a time while a mailbox is scanned. */
  readonly windowSize?: number;
}

export interface MboxBackend extends Backend {
  /** Hands all messages to `work`, both locks held; `undefined`: there is no mailbox. @throws Fault temporary, permanent */
  holding<T>(path: string, work: (leaving: Leaving | undefined) => Promise<T>): Promise<T>;
  /** Takes what was added behind `size` octets to a mailbox that is no longer in use. @returns how many messages */
  takeAdded(path: string, size: number, keep: (message: Carried) => Promise<void>): Promise<number>;
  /** @returns for each message what it must be when it is read back */
  writeNew(path: string, owner: Owner | undefined, messages: Iterable<Carried>): Promise<Print[]>;
  /** What sessions will find in the file at `draft` once it is the mailbox at `path`. */
  readBack(draft: string, path: string): Promise<{ uniqueId: string; print: Print }[]>;
  /** Waits for what is under way, and lets go of files that are still watched for late writers. */
  close(): Promise<void>;
}

export function createMboxBackend(options: MboxOptions): MboxBackend {
  const { disk, log, stateDir } = options;
  const processUid = process.getuid?.() ?? 0;
  const appender = createAppender(() => context);
  const context: Context = {
    disk,
    log,
    now: options.now,
    statusHeader: options.statusHeader,
    lockTimeoutMs: options.lockTimeoutMs ?? LOCK_TIMEOUT_MS,
    lockGroup: options.lockGroup,
    ownerUid: processUid === 0 ? undefined : processUid,
    cache: new ScanCache(options.cacheOctets ?? CACHE_OCTETS),
    indexes: stateDir === undefined ? noIndexFiles : createIndexFiles(join(stateDir, 'mbox'), disk, log),
    journals: stateDir === undefined ? noJournals : createJournals(join(stateDir, 'mbox'), disk, log),
    latecomers: createLatecomers(disk, log, appender.carry),
    turns: new Turns(),
    windowSize: options.windowSize ?? WINDOW,
  };

  return {
    async open({ path, mailbox }, { noStatus = false }) {
      try {
        const scan = (await scanOf(context, path)) ?? empty();
        return new MboxMaildrop({ context, path, name: mailbox.name, noStatus }, scan);
      } catch (error) {
        throw unreadable(error);
      }
    },
    deliver: ({ path }, message, envelope) => appender.deliver(path, message, envelope),
    usage: async ({ path }) => ({ octets: disk.stat(path)?.size ?? 0 }),
    holding: (path, work) => holding(context, path, work),
    takeAdded: (path, size, keep) => takeAdded(context, path, size, keep),
    writeNew: (path, owner, messages) => writeMbox(disk, path, owner, messages),
    readBack: (draft, path) => readBack(context, draft, path),
    async close() {
      await context.turns.idle();
      await context.latecomers.close();
    },
  };
}

/** An unchanged mailbox costs one stat and no lock. `undefined`: there is none. */
async function scanOf(context: Context, path: string): Promise<Scan | undefined> {
  await context.latecomers.check(path);
  const cached = context.cache.get(path);
  if (cached !== undefined && cached.trust !== 'racy') {
    const stats = context.disk.stat(path);
    if (stats !== undefined && sameMark(cached.file, stats)) return cached;
  }
  const place = lookAt(context, path);
  if (place === undefined) return undefined;
  const indexed = cached === undefined ? fromIndex(context, path, place) : undefined;
  if (indexed !== undefined) return indexed;
  return withMailbox(context, path, { access: 'write', create: false }, async (held) =>
    held === undefined ? undefined : refresh(context, held),
  );
}

/** What the index says, if it is of the file as it lies there. It is looked at here and there all the same: others could have written the index. */
function fromIndex(context: Context, path: string, place: Place): Scan | undefined {
  const indexed = context.indexes.read(path);
  if (indexed === undefined || indexed.trust === 'racy' || !sameMark(indexed.file, place.stats)) return undefined;
  const fd = openPlace(context, path, place, 'read');
  if (fd === undefined) return undefined;
  try {
    if (!sampleHolds(readingOf(context, fd), indexed)) return undefined;
    context.cache.set(path, indexed);
    return indexed;
  } finally {
    context.disk.close(fd);
  }
}

function empty(): Scan {
  const file = { dev: 0n, ino: 0n, size: 0, mtimeNs: 0n, ctimeNs: 0n };
  return new Scan({ file, rows: Rows.withRoom(0), count: 0, preamble: 0, tail: '', trust: 'exact', retired: new Retired() });
}
