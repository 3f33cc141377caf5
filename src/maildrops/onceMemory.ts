/**
 * What was done once for a mailbox: a small file per mailbox and topic, below the state folder of whose mail it is. Each entry is a record of fixed
 * length, written in place: after a crash it is there or it isn't. Losing the files means that some things are done once more.
 */
import { hash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Fault } from '../model/fault.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { OnceMemory, OnceTopic } from '../model/onceMemory.ts';
import { codeOf, type Disk } from '../os/disk.ts';
import { tryLock } from '../os/locks.ts';

export interface OnceMemoryOptions {
  /** Made at first need. */
  readonly folder: string;
  readonly disk: Pick<Disk, 'open' | 'close' | 'fstat' | 'read' | 'write' | 'sync' | 'syncDirectory'>;
  /** ms since 1970. */
  readonly now: () => number;
  /** Entries of one mailbox and topic; then the one that ends first is forgotten. Default: 8192, which are a quarter of a megabyte. */
  readonly mostEntries?: number;
}

/** First octets of the key's SHA-256, when it was noted (ms since 1970), and for how many seconds. */
const DIGEST = 20;
const RECORD = DIGEST + 8 + 4;
const MOST_ENTRIES = 8192;
/** For somebody else to be done with the file, who holds it for one fsync. */
const LOCK_PATIENCE_MS = 20_000;
const LOCK_PAUSE_MS = 5;

const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;

export function createOnceMemory({ folder, disk, now, mostEntries = MOST_ENTRIES }: OnceMemoryOptions): OnceMemory {
  /** The last one in the queue of each file: between processes the kernel decides, and here nobody need ask it twice. */
  const queues = new Map<string, Promise<unknown>>();

  async function first(path: string, key: string, lastsS: number): Promise<boolean> {
    const { fd, fresh } = await opened(path, disk);
    try {
      await locked(fd);
      const digest = hash('sha256', key, 'buffer').subarray(0, DIGEST);
      const at = now();
      const slot = slotFor(recordsOf(fd), digest, at, lastsS, mostEntries);
      if (slot === undefined) return false;
      disk.write(fd, record(digest, at, lastsS), slot * RECORD);
      await disk.sync(fd);
      if (fresh) await disk.syncDirectory(dirname(path));
      return true;
    } finally {
      disk.close(fd);
    }
  }

  /** What a crash has left of a record at the end is no record, and the next one takes its place. */
  function recordsOf(fd: number): Buffer {
    const size = Math.min(disk.fstat(fd).size, mostEntries * RECORD);
    const records = Buffer.allocUnsafe(size - (size % RECORD));
    for (let at = 0; at < records.length; ) {
      const octets = disk.read(fd, records, at, records.length - at, at);
      if (octets === 0) return records.subarray(0, at - (at % RECORD));
      at += octets;
    }
    return records;
  }

  return {
    async first(mailbox, topic, key, lastsS) {
      const path = pathOf(folder, mailbox, topic);
      const before = queues.get(path);
      const mine = (async () => {
        await before?.catch(() => {});
        return first(path, key, lastsS);
      })();
      queues.set(path, mine);
      try {
        return await mine;
      } catch (cause) {
        throw new Fault('temporary', 'the mailbox can not be written just now', { cause });
      } finally {
        if (queues.get(path) === mine) queues.delete(path);
      }
    },
  };
}

/** `@` begins no domain, so system users have a folder of their own. */
function pathOf(folder: string, { domain, user }: Mailbox, topic: OnceTopic): string {
  return join(folder, topic, domain ?? '@', user);
}

/** `fresh`: it may be there since just now. @throws Error with `code`, or one that says that it isn't a file */
async function opened(path: string, disk: OnceMemoryOptions['disk']): Promise<{ fd: number; fresh: boolean }> {
  const open = () => disk.open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  let fd: number;
  try {
    fd = open();
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT') throw thrown;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    fd = open();
    // The folder of the topic, that of all topics, and the one that is in.
    for (let made = dirname(dirname(path)), n = 0; n < 3; n += 1, made = dirname(made)) await disk.syncDirectory(made);
  }
  const stats = disk.fstat(fd);
  if (stats.isFile()) return { fd, fresh: stats.size === 0 };
  disk.close(fd);
  throw new Error(`${path}: not a regular file`);
}

async function locked(fd: number): Promise<void> {
  for (let waitedMs = 0; !tryLock(fd, 'write'); waitedMs += LOCK_PAUSE_MS) {
    if (waitedMs >= LOCK_PATIENCE_MS) throw new Error('another process has the file locked');
    await pause(LOCK_PAUSE_MS);
  }
}

/** Which record to write; `undefined`: the key is there, and its time isn't over. */
function slotFor(records: Buffer, digest: Buffer, now: number, lastsS: number, most: number): number | undefined {
  let over: number | undefined;
  let soonest = 0;
  let soonestEnd = Number.POSITIVE_INFINITY;
  const count = records.length / RECORD;
  for (let slot = 0; slot < count; slot += 1) {
    const start = slot * RECORD;
    const notedAt = records.readDoubleLE(start + DIGEST);
    const endsAt = notedAt + records.readUInt32LE(start + DIGEST + 8) * 1000;
    // A time from the future means that the clock was put back: it counts as long as one from just now would.
    const lasts = (seconds: number) => Math.abs(now - notedAt) < seconds * 1000;
    if (records.compare(digest, 0, DIGEST, start, start + DIGEST) === 0) return lasts(lastsS) ? undefined : slot;
    if (over === undefined && !(now < endsAt)) over = slot;
    if (endsAt < soonestEnd) {
      soonestEnd = endsAt;
      soonest = slot;
    }
  }
  return over ?? (count < most ? count : soonest);
}

function record(digest: Buffer, notedAt: number, lastsS: number): Buffer {
  const octets = Buffer.alloc(RECORD);
  digest.copy(octets);
  octets.writeDoubleLE(notedAt, DIGEST);
  octets.writeUInt32LE(Math.min(Math.max(0, Math.ceil(lastsS)), 0xffff_ffff), DIGEST + 8);
  return octets;
}
