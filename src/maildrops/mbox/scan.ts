/** The messages of a mailbox file as they lay at one moment, and whether they still do. */
import { hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { borrowSlot, SLOT_SIZE } from '../../message/octetLoops.ts';
import type { Disk } from '../../os/disk.ts';
import { type FileMark, mtimeMsOf, wouldShow } from './fileMark.ts';
import { headerFacts, looksLikeHeader } from './header.ts';
import { MboxMessage } from './message.ts';
import { OPEN_END, Rows } from './rows.ts';
import { blankBefore, CONTEXT, FROM, type ReadAt, Scanner } from './scanner.ts';
import { numberCopies, type Retired } from './uniqueIds.ts';

/**
 * How far the mark vouches for the rows. `racy`: the file may have been changed since without a trace in its size and time stamps.
 * `likely`: it looked right when that had become impossible. `exact`: any change would show.
 */
export type Trust = 'racy' | 'likely' | 'exact';

interface Found {
  readonly file: FileMark;
  readonly rows: Rows;
  readonly count: number;
  readonly preamble: number;
  readonly tail: string;
  readonly trust: Trust;
  readonly retired: Retired;
}

/** Never changed once made. Rows may be added to `rows` beyond `count`: they belong to a later scan. */
export class Scan {
  readonly file: FileMark;
  readonly rows: Rows;
  readonly count: number;
  /** Octets at the start of the file that are no message: never served and never removed. */
  readonly preamble: number;
  /** Digest of the last TAIL octets, one character an octet. */
  readonly tail: string;
  readonly trust: Trust;
  readonly retired: Retired;
  /** Memory it may take, in octets: as reckoned when it was made. */
  readonly weight: number;
  #messages: readonly MboxMessage[] | undefined;

  constructor(found: Found) {
    this.file = found.file;
    this.rows = found.rows;
    this.count = found.count;
    this.preamble = found.preamble;
    this.tail = found.tail;
    this.trust = found.trust;
    this.retired = found.retired;
    this.weight = SCAN_WEIGHT + found.rows.byteLength + found.count * MESSAGE_WEIGHT + found.retired.size * RETIRED_WEIGHT;
  }

  /** The same with another trust. */
  with(changes: { readonly trust: Trust }): Scan {
    const { file, rows, count, preamble, tail, retired } = this;
    const scan = new Scan({ file, rows, count, preamble, tail, retired, ...changes });
    scan.#messages = this.#messages;
    return scan;
  }

  /** Message-number n is `messages[n - 1]`. Made when first asked for, and shared by the sessions that see this scan. */
  get messages(): readonly MboxMessage[] {
    this.#messages ??= Array.from({ length: this.count }, (_, row) => new MboxMessage(this.rows, row));
    return this.#messages;
  }
}

const SCAN_WEIGHT = 1024;
/** A message object with its unique-id. */
const MESSAGE_WEIGHT = 120;
const RETIRED_WEIGHT = 100;
const TAIL = 4096;
/** Octets to go through before others get a turn: a few milliseconds. */
const TURN = 8 * 1024 * 1024;
const SAMPLES = 32;
/** A message with a longer header is looked up by reading the whole mailbox. */
const HEADER_CHECKED = 65_536;

export interface Reading {
  readonly disk: Disk;
  readonly fd: number;
  /** Octets read at a time, at most SLOT_SIZE. */
  readonly windowSize: number;
  now(): number;
}

/**
 * Reads the whole file. The caller holds the mailbox lock. `previous`: an earlier scan of the same mailbox, from which messages keep
 * their unique-ids.
 */
export async function scanFile(reading: Reading, mark: FileMark, previous: Scan | undefined, retired: Retired): Promise<Scan> {
  const rows = Rows.withRoom(Math.min(mark.size / 2048, 65_536));
  const readAt = readerOf(reading, mark.size);
  const begin = beginningOf(readAt, mark.size);
  await scanFrom(reading, rows, readAt, begin.offset, mark, begin.kind === 'headless');
  if (begin.kind === 'message' && rows.count > 0) rows.setPlace(0, 0, rows.content(0), rows.body(0), rows.end(0));
  await numberCopies(rows, 0, previous, retired, reading);
  return complete(reading, rows, mark, { preamble: rows.count > 0 ? rows.start(0) : mark.size, retired }, 'exact');
}

/** Reads what has been added since `scan`, whose old end `stillEndsSo`. The caller holds the mailbox lock. */
export async function scanGrowth(reading: Reading, scan: Scan, mark: FileMark): Promise<Scan> {
  const readAt = readerOf(reading, mark.size);
  const last = scan.count - 1;
  const parted = scan.file.size === 0 || (scan.count > 0 && !scan.rows.has(last, OPEN_END));
  if (!parted || !readAt(scan.file.size, FROM.length).equals(FROM)) {
    // The last message, or what stands before the first, goes on: it is read again, in rows that no earlier scan sees.
    if (last <= 0) return scanFile(reading, mark, scan, scan.retired);
    const rows = scan.rows.copy(last, 16);
    await scanFrom(reading, rows, readAt, scan.rows.start(last), mark, false);
    const known = rows.sameDigest(last, scan.rows, last);
    if (known) rows.setCounter(last, scan.rows.counter(last));
    await numberCopies(rows, known ? last + 1 : last, undefined, scan.retired, reading);
    return complete(reading, rows, mark, scan, scan.trust);
  }
  const rows = scan.rows.count === scan.count ? scan.rows : scan.rows.copy(scan.count, 16);
  await scanFrom(reading, rows, readAt, scan.file.size, mark, false);
  await numberCopies(rows, scan.count, undefined, scan.retired, reading);
  return complete(reading, rows, mark, scan, scan.trust);
}

/** A scan of rows that are known to be right so far as `trust` says. */
export function complete(
  reading: Reading,
  rows: Rows,
  mark: FileMark,
  { preamble, retired }: { readonly preamble: number; readonly retired: Retired },
  trust: Trust,
): Scan {
  const now: Trust = wouldShow(mark, reading.now()) ? 'exact' : 'racy';
  const least = now === 'exact' && trust !== 'exact' ? 'likely' : now;
  return new Scan({ file: mark, rows, count: rows.count, preamble, tail: tailOf(reading, mark.size), trust: least, retired });
}

/** Whether the octets that were the last are still where they were: true after an append, false after nearly any other change. */
export function stillEndsSo(reading: Reading, scan: Scan): boolean {
  return tailOf(reading, scan.file.size) === scan.tail;
}

/** Looks at some messages, the last one among them: do they begin where they should? */
export function sampleHolds(reading: Reading, { rows, count }: Scan): boolean {
  const step = Math.max(1, Math.floor(count / SAMPLES));
  for (let row = count - 1; row >= 0; row -= step) if (!rowBegins(reading, rows, row)) return false;
  return true;
}

/** Whether these messages lie where the rows say: each begins so, has the header that gave it its unique-id, and ends where another begins. */
export function rowsHold(reading: Reading, { rows, count, file }: Scan, which: Iterable<number>): boolean {
  const header = Buffer.allocUnsafe(HEADER_CHECKED);
  for (const row of which) {
    const content = rows.content(row);
    const got = reading.disk.read(reading.fd, header, 0, Math.min(header.length, file.size - content), content);
    const facts = headerFacts(header, 0, got, content + got === file.size);
    if (facts === undefined || !rows.hasDigest(row, facts.digest)) return false;
    if (!rowBegins(reading, rows, row) || (row + 1 < count && !rowBegins(reading, rows, row + 1))) return false;
  }
  return true;
}

/** Whether a `From ` line that parts messages is where the message of this row begins. */
export function rowBegins({ disk, fd }: Reading, rows: Rows, row: number): boolean {
  const start = rows.start(row);
  // The first may have lost its `From ` line, or have blank lines before it.
  if (row === 0 && start === 0) return true;
  const context = Math.min(CONTEXT, start);
  const octets = Buffer.alloc(context + FROM.length);
  const got = disk.read(fd, octets, 0, octets.length, start - context);
  return got === octets.length && octets.subarray(context).equals(FROM) && blankBefore(octets, start - context, context) >= 0;
}

/** How a file begins: with a message, with one that has no `From ` line, or with octets that are none. */
function beginningOf(readAt: ReadAt, size: number): { kind: 'message' | 'headless' | 'none'; offset: number } {
  let offset = 0;
  let first = readAt(0, 1024);
  for (;;) {
    const at = first.findIndex((octet) => octet !== 0x0a && octet !== 0x0d);
    offset += at < 0 ? first.length : at;
    if (at >= 0 || offset >= size) break;
    first = readAt(offset, 1024);
  }
  const from = Math.max(0, offset - CONTEXT);
  const octets = readAt(from, CONTEXT + 1024);
  const begins = octets.subarray(offset - from);
  const lineStart = offset === 0 || octets[offset - from - 1] === 0x0a;
  if (lineStart && begins.subarray(0, FROM.length).equals(FROM) && blankBefore(octets, from, offset - from) >= 0) {
    return { kind: 'message', offset };
  }
  return lineStart && looksLikeHeader(begins) ? { kind: 'headless', offset } : { kind: 'none', offset: 0 };
}

async function scanFrom(reading: Reading, rows: Rows, readAt: ReadAt, start: number, mark: FileMark, headless: boolean): Promise<void> {
  const scanner = new Scanner(rows, readAt, start, mtimeMsOf(mark));
  if (headless) scanner.beginWithoutFromLine();
  const slot = borrowSlot(SLOT_SIZE);
  try {
    const area = slot.octets;
    let context = Math.min(CONTEXT, start);
    if (reading.disk.read(reading.fd, area, 0, context, start - context) < context)
      throw new Error('the file became shorter while it was read');
    let turn = TURN;
    for (let at = start; at < mark.size; ) {
      const wanted = Math.min(reading.windowSize, area.length - CONTEXT, mark.size - at);
      const got = reading.disk.read(reading.fd, area, context, wanted, at);
      if (got === 0) throw new Error('the file became shorter while it was read');
      const length = context + got;
      scanner.take(area.subarray(0, length), at - context, context);
      at += got;
      context = Math.min(CONTEXT, length);
      area.copyWithin(0, length - context, length);
      turn -= got;
      if (turn <= 0 && at < mark.size) {
        turn = TURN;
        await nextTurn();
      }
    }
    scanner.end(mark.size);
  } finally {
    slot.release();
  }
}

/** Reads no further than `size`, as octets that came later belong to another scan. */
function readerOf({ disk, fd }: Reading, size: number): ReadAt {
  let area = Buffer.allocUnsafe(1024);
  return (position, length) => {
    const wanted = Math.max(0, Math.min(length, size - position));
    if (area.length < wanted) area = Buffer.allocUnsafeSlow(wanted);
    let done = 0;
    while (done < wanted) {
      const got = disk.read(fd, area, done, wanted - done, position + done);
      if (got === 0) throw new Error('the file became shorter while it was read');
      done += got;
    }
    return area.subarray(0, wanted);
  };
}

function tailOf({ disk, fd }: Reading, size: number): string {
  const octets = Buffer.allocUnsafe(Math.min(TAIL, size));
  const got = disk.read(fd, octets, 0, octets.length, size - octets.length);
  return hash('sha256', octets.subarray(0, got), 'binary').slice(0, 16);
}
