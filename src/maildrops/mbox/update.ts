/** The UPDATE state of an mbox: exactly the marked messages go, whatever has happened to the file since they were listed. */
import { unwritable } from '../faults.ts';
import type { Context } from './context.ts';
import { markOf } from './fileMark.ts';
import { type Locate, locator, removalEnd } from './locate.ts';
import { type Held, withMailbox } from './mailboxFile.ts';
import type { MboxMessage } from './message.ts';
import { makePlan, type Plan } from './plan.ts';
import { readingOf, refresh } from './refresh.ts';
import { removeLeftover, replaceMailbox } from './replace.ts';
import { READ } from './rows.ts';
import { complete, rowBegins, rowsHold, type Scan } from './scan.ts';

export interface UpdateWish {
  readonly path: string;
  /** What logs call the mailbox. */
  readonly name: string;
  /** The scan that the session's messages are of. */
  readonly listed: Scan;
  readonly deleted: ReadonlySet<MboxMessage>;
  readonly retrieved: ReadonlySet<MboxMessage>;
  /** Leave `Status:` alone. */
  readonly noStatus: boolean;
}

/** Where what is known might deceive, so many messages are looked at one by one before they go; with more, the whole file is. */
const FEW = 1000;

interface Change {
  /** Row → end of what goes. */
  readonly removed: ReadonlyMap<number, number>;
  /** Rows to be flagged as read and rows that were listed; `undefined`: `Status:` stays as it is. */
  readonly status: { readonly read: ReadonlySet<number>; readonly listed: ReadonlySet<number> } | undefined;
}

/** @throws Fault temporary: then nothing was removed, or it will be before the mailbox is next used */
export async function update(context: Context, wish: UpdateWish): Promise<void> {
  if (wish.deleted.size === 0 && !asksForStatus(context, wish)) return;
  try {
    await withMailbox(context, wish.path, { access: 'write', create: false }, async (held) => {
      if (held !== undefined) await updateHeld(context, wish, held);
    });
  } catch (error) {
    throw unwritable(error);
  }
}

/** Whether a message that stays has been read and doesn't say so, and the setting makes that a reason to write. */
function asksForStatus({ statusHeader }: Context, { deleted, retrieved, noStatus }: UpdateWish): boolean {
  if (statusHeader !== 'always' || noStatus) return false;
  for (const message of retrieved) if (!deleted.has(message) && !message.rows.has(message.row, READ)) return true;
  return false;
}

async function updateHeld(context: Context, wish: UpdateWish, held: Held): Promise<void> {
  const { disk, log } = context;
  const startedAtMs = context.now();
  let scan = await refresh(context, held);
  let change = changeOf(context, wish, scan);
  if (scan.trust !== 'exact' && !(change.removed.size < FEW && rowsHold(readingOf(context, held.fd), scan, change.removed.keys()))) {
    scan = await refresh(context, held, true);
    change = changeOf(context, wish, scan);
  }
  const removal = makePlan(disk, held.fd, scan, { removed: change.removed, status: undefined });
  const rewritten = change.removed.size > 0 && !removal.truncates;
  const flags = change.status !== undefined && (rewritten || asksForStatus(context, wish));
  const plan = flags ? makePlan(disk, held.fd, scan, change) : removal;
  if (plan.start === scan.file.size) return;

  const how = plan.truncates ? await cutOff(context, held, scan, change, plan) : await rewrite(context, held, scan, plan, change, removal);
  if (how === undefined) return;
  log.info('mbox.update', {
    mailbox: wish.name,
    removed: change.removed.size,
    kept: scan.count - change.removed.size,
    how,
    octets: scan.file.size,
    ms: context.now() - startedAtMs,
  });
}

function changeOf(context: Context, wish: UpdateWish, scan: Scan): Change {
  const locate = locator(wish.listed, scan);
  const removed = new Map<number, number>();
  for (const message of wish.deleted) {
    const row = locate(message);
    const end = row === undefined ? undefined : removalEnd(wish.listed, message, scan, row);
    if (row !== undefined && end !== undefined) removed.set(row, end);
  }
  if (context.statusHeader === 'never' || wish.noStatus) return { removed, status: undefined };
  return { removed, status: { read: rowsOf(wish.retrieved, locate), listed: rowsOf(wish.listed.messages, locate) } };
}

function rowsOf(messages: Iterable<MboxMessage>, locate: Locate): ReadonlySet<number> {
  const rows = new Set<number>();
  for (const message of messages) {
    const row = locate(message);
    if (row !== undefined) rows.add(row);
  }
  return rows;
}

/** Only messages at the end go: the file gets shorter, and nothing is copied. */
async function cutOff(context: Context, held: Held, scan: Scan, change: Change, plan: Plan): Promise<string> {
  const { disk, log } = context;
  const row = scan.count - change.removed.size;
  if (!rowBegins(readingOf(context, held.fd), scan.rows, row)) throw new Error(`no message begins at octet ${plan.start}`);
  removeLeftover(context, held.path);
  disk.truncate(held.fd, plan.start);
  try {
    await disk.sync(held.fd);
  } catch (error) {
    // The messages are gone for everybody who looks; after a power cut they might be there again.
    log.error('mbox.sync-failed', { path: held.path, error });
  }
  remember(context, held, held.fd, scan, change, plan);
  return 'truncate';
}

async function rewrite(context: Context, held: Held, scan: Scan, plan: Plan, change: Change, removal: Plan): Promise<string | undefined> {
  const made = await replaceMailbox(context, held, plan.pieces);
  if (made !== undefined) {
    remember(context, held, made.fd, scan, change, plan);
    context.disk.close(made.fd);
    held.keepOpen();
    context.latecomers.watch(held.path, held.fd, held.stats.size);
    return 'replace';
  }
  // In place nothing is written for the sake of `Status:` alone: a file that grows could not be put right after a crash.
  if (change.removed.size === 0) return undefined;
  if (removal.truncates) return cutOff(context, held, scan, change, removal);
  const pieces = removal.start > 0 ? removal.pieces.slice(1) : removal.pieces;
  await context.journals.rewrite(held, removal.start, pieces);
  remember(context, held, held.fd, scan, change, removal);
  return 'in-place';
}

/** The mailbox as it is now, for the next session; `fd` is of the new file. That removed unique-ids are used up is written down. */
function remember(context: Context, held: Held, fd: number, scan: Scan, change: Change, plan: Plan): void {
  const { rows, retired } = scan;
  for (const row of change.removed.keys()) retired.retire(rows.digest(row), rows.counter(row));
  try {
    const mark = markOf(context.disk.fstat(fd));
    if (plan.rows !== undefined && mark.size === plan.size) {
      const preamble = plan.rows.count > 0 ? plan.rows.start(0) : mark.size;
      context.cache.set(held.path, complete(readingOf(context, fd), plan.rows, mark, { preamble, retired }, scan.trust));
    }
    const known = context.cache.get(held.path);
    if (known !== undefined) context.indexes.write(held.path, known);
  } catch (error) {
    context.log.warn('mbox.extend-failed', { path: held.path, error });
  }
}
