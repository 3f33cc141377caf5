/** Brings what is known of a mailbox up to date, for as little reading as will do. */
import type { Context } from './context.ts';
import { type FileMark, markOf, sameFile, sameMark, wouldShow } from './fileMark.ts';
import type { Held } from './mailboxFile.ts';
import { type Reading, type Scan, sampleHolds, scanFile, scanGrowth, stillEndsSo } from './scan.ts';
import { Retired } from './uniqueIds.ts';

/** An index of less than this isn't worth its file: reading the mailbox again costs no more. */
const INDEX_WORTH = 524_288;

/** A smaller mailbox is read again rather than looked at here and there. */
const SMALL = 1_048_576;

/**
 * The scan of the file as it is now.
 * @param afresh whether to read the whole file, whatever is known
 */
export async function refresh(context: Context, held: Held, afresh = false): Promise<Scan> {
  const { path, fd } = held;
  const reading = readingOf(context, fd);
  const mark = markOf(held.look());
  const cached = context.cache.get(path);
  const previous = cached ?? context.indexes.read(path);
  const startedAtMs = context.now();

  if (previous !== undefined && !afresh) {
    const known = stillKnown(reading, previous, mark, cached !== undefined);
    if (known !== undefined) {
      if (known !== cached) context.cache.set(path, known);
      return known;
    }
  }
  const grown = previous !== undefined && !afresh && hasGrown(reading, previous, mark);
  const scan = grown
    ? await scanGrowth(reading, previous, mark)
    : await scanFile(reading, mark, previous, previous?.retired ?? new Retired());
  const octets = mark.size - (grown ? previous.file.size : 0);
  context.log.debug('mbox.scan', { octets, messages: scan.count, grown, ms: context.now() - startedAtMs });
  if (!grown && scan.preamble > 0) context.log.warn('mbox.no-message', { path, octets: scan.preamble, messages: scan.count });
  context.cache.set(path, scan);
  if (octets >= INDEX_WORTH || hasCopies(scan)) context.indexes.write(path, scan);
  return scan;
}

/** `undefined`: the file has changed, or may have. */
function stillKnown(reading: Reading, previous: Scan, mark: FileMark, own: boolean): Scan | undefined {
  if (!sameMark(previous.file, mark)) return undefined;
  if (previous.trust !== 'racy') return own || sampleHolds(reading, previous) ? previous : undefined;
  if (mark.size <= SMALL || !sampleHolds(reading, previous)) return undefined;
  return wouldShow(mark, reading.now()) ? previous.with({ trust: 'likely' }) : previous;
}

function hasGrown(reading: Reading, previous: Scan, mark: FileMark): boolean {
  if (!sameFile(previous.file, mark) || mark.size <= previous.file.size) return false;
  return stillEndsSo(reading, previous) && sampleHolds(reading, previous);
}

export function readingOf({ disk, windowSize, now }: Context, fd: number): Reading {
  return { disk, fd, windowSize, now };
}

/** Their counters are nowhere but in the index. */
function hasCopies({ rows, count }: Scan): boolean {
  for (let row = 0; row < count; row++) if (rows.counter(row) > 0) return true;
  return false;
}
