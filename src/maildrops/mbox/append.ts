/** Delivery: messages are appended under both locks. Those that come for one mailbox at the same time share the locks and one fsync. */
import type { Envelope } from '../../model/envelope.ts';
import { Fault } from '../../model/fault.ts';
import type { Octets } from '../../model/octets.ts';
import { unwritable, waitable } from '../faults.ts';
import type { Context } from './context.ts';
import { markOf, sameMark } from './fileMark.ts';
import { type Held, withMailbox } from './mailboxFile.ts';
import { partingAfter, readRange } from './pieces.ts';
import { readingOf } from './refresh.ts';
import { scanGrowth } from './scan.ts';
import { type StoredForm, storedForm } from './storedForm.ts';

/** More than this isn't written on the event loop. */
const AT_ONCE = 262_144;
/** More new octets than this are left for the next scan to read. */
const EXTEND_LIMIT = 4 * 1024 * 1024;

interface Waiting {
  /** Writes the message to the end of the file. */
  write(held: Held): Promise<void>;
  resolve(): void;
  reject(fault: Fault): void;
}

export interface Appender {
  /** Resolves once the message would survive a power cut. @throws Fault temporary, permanent: then the mailbox is as it was */
  deliver(path: string, message: Octets, envelope: Envelope): Promise<void>;
  /** Octets [from, to) of another file, as they are. */
  carry(path: string, fd: number, from: number, to: number): Promise<void>;
}

/** `context` is asked for when it is needed: it holds parts that need the appender. */
export function createAppender(contextOf: () => Context): Appender {
  const waiting = new Map<string, Waiting[]>();

  function append(path: string, write: Waiting['write']): Promise<void> {
    return new Promise((resolve, reject) => {
      const entry: Waiting = { write, resolve, reject };
      const queue = waiting.get(path);
      if (queue !== undefined) return void queue.push(entry);
      const started = [entry];
      waiting.set(path, started);
      void work(path, started);
    });
  }

  /** Until nobody waits any more. Who waited hears of it when the locks are given back. */
  async function work(path: string, queue: Waiting[]): Promise<void> {
    while (queue.length > 0) {
      const written: Waiting[] = [];
      let batch: Waiting[] = [];
      try {
        await withMailbox(contextOf(), path, { access: 'append', create: true }, async (held) => {
          // Whoever came while the lock was waited for is in it, too.
          batch = queue.splice(0);
          if (held === undefined) throw new Error('the mailbox was not made');
          written.push(...(await appendAll(contextOf(), held, batch)));
        });
      } catch (error) {
        const fault = waitable(unwritable(error));
        for (const entry of batch.length > 0 ? batch : queue.splice(0)) if (!written.includes(entry)) entry.reject(fault);
      }
      for (const entry of written) entry.resolve();
    }
    waiting.delete(path);
  }

  return {
    async deliver(path, message, envelope) {
      const form = await storedForm(message, envelope);
      await append(path, (held) => writeForm(contextOf(), held, form));
    },
    carry(path, fd, from, to) {
      return append(path, (held) => {
        const { disk } = contextOf();
        return readRange(disk, fd, from, to, (octets) => disk.writeLater(held.fd, octets));
      });
    },
  };
}

/** Those that are on disc; the others have been told. */
async function appendAll(context: Context, held: Held, batch: readonly Waiting[]): Promise<readonly Waiting[]> {
  const { disk, log } = context;
  if (held.stats.nlink > 1)
    throw new Fault('temporary', 'the mailbox can not be used', { cause: new Error(`${held.path}: has ${held.stats.nlink} hard links`) });
  const before = markOf(held.stats);
  const written: Waiting[] = [];
  for (const entry of batch) {
    const { size } = held.look();
    try {
      await part(context, held);
      await entry.write(held);
      written.push(entry);
    } catch (error) {
      entry.reject(unwritable(error));
      cut(context, held, size);
    }
  }
  if (written.length === 0) return [];
  try {
    await disk.sync(held.fd);
  } catch (error) {
    log.error('mbox.sync-failed', { path: held.path, error });
    cut(context, held, before.size);
    for (const entry of written) entry.reject(unwritable(error));
    return [];
  }
  await remember(context, held, before);
  return written;
}

/** The last message gets what it lacks: a line end that a crash took from it, and the blank line after it. */
async function part({ disk }: Context, held: Held): Promise<void> {
  const { size } = held.look();
  const tail = Buffer.alloc(Math.min(3, size));
  disk.read(held.fd, tail, 0, tail.length, size - tail.length);
  const parting = partingAfter(tail);
  if (parting !== '') disk.write(held.fd, Buffer.from(parting));
}

async function writeForm({ disk }: Context, held: Held, { first, rest }: StoredForm): Promise<void> {
  if (first.length <= AT_ONCE) disk.write(held.fd, first);
  else await disk.writeLater(held.fd, first);
  if (rest === undefined) return;
  for (let next = await rest.next(); !next.done; next = await rest.next()) await disk.writeLater(held.fd, next.value);
}

/** Back to the size from before: no half message stays. */
function cut({ disk, log }: Context, held: Held, size: number): void {
  try {
    if (held.look().size > size) disk.truncate(held.fd, size);
  } catch (error) {
    log.error('mbox.half-message', { path: held.path, size, error });
  }
}

/** What is known of the mailbox is extended while the lock is held anyway: the next session finds it ready. */
async function remember(context: Context, held: Held, before: ReturnType<typeof markOf>): Promise<void> {
  const known = context.cache.get(held.path);
  if (known === undefined || !sameMark(known.file, before)) return;
  const mark = markOf(held.look());
  if (mark.size - before.size > EXTEND_LIMIT) return;
  try {
    context.cache.set(held.path, await scanGrowth(readingOf(context, held.fd), known, mark));
  } catch (error) {
    context.log.warn('mbox.extend-failed', { path: held.path, error });
  }
}
