/**
 * Unique-ids of messages whose headers are equal. The digest of the header alone would name them all the same, so each gets a counter,
 * which stays its own for as long as the index remembers it and is given to no other after it. RFC 1939 section 7.
 */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Rows } from './rows.ts';
import type { Reading, Scan } from './scan.ts';

/** Digests of removed messages that are remembered; the oldest are forgotten first. */
const RETIRED_LIMIT = 8192;
/** With fewer new rows than this, looking through all the others is cheaper than a table of them. */
const FEW = 16;
const PIECE = 262_144;
const PIECES_A_TURN = 32;
const LF = 0x0a;

/** What unique-ids have been used up: by digest, the first counter that hasn't been. Shared by the scans of one mailbox. */
export class Retired {
  readonly #next: Map<string, number>;

  constructor(entries: Iterable<readonly [digest: string, next: number]> = []) {
    this.#next = new Map(entries);
  }

  next(digest: string): number {
    return this.#next.get(digest) ?? 0;
  }

  retire(digest: string, counter: number): void {
    const next = Math.max(this.next(digest), counter + 1);
    this.#next.delete(digest);
    this.#next.set(digest, next);
    if (this.#next.size > RETIRED_LIMIT) for (const oldest of this.#next.keys()) return void this.#next.delete(oldest);
  }

  get size(): number {
    return this.#next.size;
  }
  entries(): Iterable<readonly [string, number]> {
    return this.#next;
  }
}

/** Gives the rows from `from` on their counters. Those before have theirs; with `previous`, equal messages get back the ones they had there. */
export async function numberCopies(
  rows: Rows,
  from: number,
  previous: Scan | undefined,
  retired: Retired,
  reading: Reading,
): Promise<void> {
  const print = new Printer(reading);
  const known = previous === undefined ? undefined : copiesIn(previous.rows, previous.count);
  const own = rows.count - from > FEW || known !== undefined ? copiesIn(rows, rows.count) : undefined;
  const done = new Set<number>();
  for (let row = from; row < rows.count; row++) {
    if (done.has(row)) continue;
    const copies = own === undefined ? search(rows, row) : lookUp(own, rows, rows, row);
    const before = known === undefined || previous === undefined ? [] : lookUp(known, previous.rows, rows, row);
    if (copies.length === 1 && before.length <= 1) {
      const only = before[0];
      if (only !== undefined && previous !== undefined) rows.setCounter(row, previous.rows.counter(only));
      else if (retired.size > 0) rows.setCounter(row, retired.next(rows.digest(row)));
      continue;
    }
    const news = copies.filter((copy) => copy >= from);
    for (const copy of copies) await print.of(rows, copy);
    const given = previous === undefined ? new Map<number, number>() : match(rows, news, previous.rows, before);
    let next = retired.next(rows.digest(row));
    for (const copy of copies) if (copy < from) next = Math.max(next, rows.counter(copy) + 1);
    for (const copy of before) next = Math.max(next, (previous?.rows.counter(copy) ?? 0) + 1);
    for (const copy of news) {
      rows.setCounter(copy, given.get(copy) ?? next++);
      done.add(copy);
    }
  }
}

/** Which of `news` are the same messages as which of `before`: by their bodies, in order. New row → counter. */
function match(rows: Rows, news: readonly number[], old: Rows, before: readonly number[]): Map<number, number> {
  const given = new Map<number, number>();
  const [only] = before;
  if (before.length === 1 && only !== undefined && old.print(only) === 0n) {
    // It was the only one of its kind, so nobody looked at its body.
    const length = old.end(only) - old.body(only);
    const same = news.find((row) => rows.end(row) - rows.body(row) === length);
    if (same !== undefined) given.set(same, old.counter(only));
    return given;
  }
  const counters = new Map<bigint, number[]>();
  for (const row of before) {
    const there = counters.get(old.print(row));
    if (there === undefined) counters.set(old.print(row), [old.counter(row)]);
    else there.push(old.counter(row));
  }
  for (const there of counters.values()) there.reverse();
  for (const row of news) {
    const counter = counters.get(rows.print(row))?.pop();
    if (counter !== undefined) given.set(row, counter);
  }
  return given;
}

/** Rows by the first bits of their digests: nearly always one. */
type Copies = Map<number, number | number[]>;

function copiesIn(rows: Rows, count: number): Copies {
  const found: Copies = new Map();
  for (let row = 0; row < count; row++) {
    const key = rows.digestKey(row);
    const there = found.get(key);
    if (there === undefined) found.set(key, row);
    else if (typeof there === 'number') found.set(key, [there, row]);
    else there.push(row);
  }
  return found;
}

/** The rows in `copies`, which was made of `of`, with the digest that `row` of `rows` has. */
function lookUp(copies: Copies, of: Rows, rows: Rows, row: number): readonly number[] {
  const there = copies.get(rows.digestKey(row)) ?? [];
  return typeof there === 'number'
    ? rows.sameDigest(row, of, there)
      ? [there]
      : []
    : there.filter((copy) => rows.sameDigest(row, of, copy));
}

function search(rows: Rows, row: number): readonly number[] {
  const key = rows.digestKey(row);
  const found: number[] = [];
  for (let other = 0; other < rows.count; other++) {
    if (rows.digestKey(other) === key && rows.sameDigest(row, rows, other)) found.push(other);
  }
  return found;
}

/** Tells bodies apart. They are read only for messages with equal headers. */
class Printer {
  readonly #reading: Reading;
  #pieces = 0;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  async of(rows: Rows, row: number): Promise<void> {
    if (rows.print(row) !== 0n) return;
    const { disk, fd } = this.#reading;
    const body = createHash('sha256');
    let last = LF;
    const piece = Buffer.allocUnsafe(Math.min(PIECE, rows.end(row) - rows.body(row)));
    for (let at = rows.body(row); at < rows.end(row); ) {
      const got = disk.read(fd, piece, 0, Math.min(piece.length, rows.end(row) - at), at);
      if (got === 0) throw new Error('the file became shorter while it was read');
      body.update(piece.subarray(0, got));
      last = piece[got - 1] ?? LF;
      at += got;
      if (++this.#pieces % PIECES_A_TURN === 0) await nextTurn();
    }
    // A line that a crash has cut short gets its end when the mailbox is next written to: that doesn't make it another message.
    if (last !== LF) body.update('\n');
    const print = body.digest().readBigUInt64LE();
    rows.setPrint(row, print === 0n ? 1n : print);
  }
}
