/**
 * Finds the messages of an mbox. One search, for `From `, serves both ends: at the start of a line after a blank line it parts two
 * messages, after a run of `>` it is a quoted line. The result is the same whatever the size of the windows the file is read in.
 */
import { countBareLf } from '../../message/octetLoops.ts';
import { dateOfFromLine } from './fromLine.ts';
import { HEADER_LIMIT, type HeaderFacts, headerFacts } from './header.ts';
import { HEADER_ENDS, OPEN_END, QUOTED, type Rows } from './rows.ts';

export const FROM = Buffer.from('From ');
const GT = 0x3e;
const LF = 0x0a;
const CR = 0x0d;
/** Octets before a window that are kept with it, to see how the lines before ended. */
export const CONTEXT = 8;
const HEADER_GUESS = 16_384;
const LONGEST_FROM_LINE = 2000;

/** The file, for what doesn't lie in one window. Fewer octets than asked for only at its end. Valid until the next call. */
export type ReadAt = (position: number, length: number) => Buffer;

export class Scanner {
  readonly #rows: Rows;
  readonly #readAt: ReadAt;
  readonly #start: number;
  /** For messages that say no date. */
  readonly #defaultMs: number;
  /** The message that is being read; -1: none so far. */
  #row = -1;
  /** Of its `From ` line. */
  #fromLine = 0;
  /** Its `From ` line has no end yet. */
  #inFromLine = false;
  #bareLf = 0;
  #quoted = 0;
  /** What went before the window in its line is nothing, or only `>`. */
  #lineSoFar = false;

  /** `start`: where to begin, at the start of a line: the octets there are the `From ` line of a message or belong to none. */
  constructor(rows: Rows, readAt: ReadAt, start: number, defaultMs: number) {
    this.#rows = rows;
    this.#readAt = readAt;
    this.#start = start;
    this.#defaultMs = defaultMs;
  }

  /** Before the first window: a message that lacks its `From ` line begins at `start`. */
  beginWithoutFromLine(): void {
    this.#row = this.#rows.add();
    this.#rows.setReceivedAtMs(this.#row, this.#defaultMs);
    this.#describe(this.#start, this.#headerAt(this.#start));
  }

  /**
   * Takes the next octets: `window` is of the file from `base` on; its first `context` octets are CONTEXT of those taken before, fewer
   * only at the start of the file.
   */
  take(window: Buffer, base: number, context: number): void {
    let at = base + context === this.#start ? context : Math.max(0, context - FROM.length + 1);
    let counted = context;
    if (this.#inFromLine) {
      counted = this.#endFromLine(window, base, context);
      at = Math.max(at, counted);
    }
    while (at < window.length) {
      const hit = window.indexOf(FROM, at);
      if (hit < 0) break;
      at = hit + FROM.length;
      const run = this.#runBefore(window, base, hit);
      if (run < 0) continue;
      if (run > 0) {
        this.#quoted++;
        continue;
      }
      const blank = blankBefore(window, base, hit);
      if (blank < 0) continue;
      if (this.#row >= 0) {
        this.#count(window, counted, hit);
        this.#finish(base + hit - blank, blank, 0, 0);
      }
      this.#begin(base + hit);
      counted = this.#endFromLine(window, base, hit);
      at = counted;
    }
    if (this.#row >= 0) this.#count(window, counted, window.length);
    const keep = Math.max(0, window.length - CONTEXT);
    this.#lineSoFar = keep + base > 0 && this.#runBefore(window, base, keep) >= 0;
  }

  /** The file ends at `size`. */
  end(size: number): void {
    if (this.#row < 0) return;
    if (this.#inFromLine) this.#describe(size, this.#headerAt(size));
    const content = this.#rows.content(this.#row);
    const least = Math.max(0, content - 1, size - 3);
    const tail = this.#readAt(least, size - least);
    let blank = 0;
    // The line before a blank one may be the `From ` line; the blank one itself lies after it.
    if (size > content && tail.at(-1) === LF) {
      if (tail.at(-2) === LF) blank = 1;
      else if (tail.at(-2) === CR && tail.at(-3) === LF && size > content + 1) blank = 2;
    }
    const unended = blank === 0 && size > content && tail.at(-1) !== LF;
    this.#finish(size - blank, blank, unended ? 2 : 0, blank === 0 ? OPEN_END : 0);
  }

  #begin(offset: number): void {
    this.#row = this.#rows.add();
    this.#fromLine = offset;
    this.#rows.setPlace(this.#row, offset, offset, offset, offset);
    this.#bareLf = 0;
    this.#quoted = 0;
  }

  /** Looks for the end of the `From ` line from index `at` on. Returns the index after it: the length where it lies further on. */
  #endFromLine(window: Buffer, base: number, at: number): number {
    const lf = window.indexOf(LF, at);
    this.#inFromLine = lf < 0;
    if (lf < 0) return window.length;
    const start = this.#fromLine - base;
    if (start >= 0) this.#setDate(window, start, lf);
    else {
      const line = this.#readAt(this.#fromLine, Math.min(LONGEST_FROM_LINE, base + lf - this.#fromLine));
      this.#setDate(line, 0, line.length);
    }
    const content = base + lf + 1;
    const facts = headerFacts(window, lf + 1, window.length, false);
    if (facts === undefined) this.#describe(content, this.#headerAt(content));
    else this.#describe(content, facts, base);
    return lf + 1;
  }

  #setDate(octets: Buffer, start: number, end: number): void {
    this.#rows.setReceivedAtMs(this.#row, dateOfFromLine(octets, start, end) ?? this.#defaultMs);
  }

  /** `origin`: offset in the file of what `facts.end` counts from. */
  #describe(content: number, facts: HeaderFacts, origin = content): void {
    this.#inFromLine = false;
    this.#rows.setPlace(this.#row, this.#rows.start(this.#row), content, origin + facts.end, content);
    this.#rows.setFlags(this.#row, facts.flags);
    this.#rows.setDigest(this.#row, facts.digest);
  }

  /** A header that doesn't end in the window is read once more as a whole. */
  #headerAt(content: number): HeaderFacts {
    const guess = this.#readAt(content, HEADER_GUESS);
    const facts = headerFacts(guess, 0, guess.length, guess.length < HEADER_GUESS);
    if (facts !== undefined) return facts;
    const whole = this.#readAt(content, HEADER_LIMIT);
    return headerFacts(whole, 0, whole.length, true) as HeaderFacts;
  }

  #count(window: Buffer, from: number, to: number): void {
    if (to > from) this.#bareLf += countBareLf(window, from, to, from > 0 ? window[from - 1] : LF);
  }

  /** `blank`: octets of the blank line after `end`; `added`: octets that the wire puts at the end. */
  #finish(end: number, blank: number, added: number, flags: number): void {
    const rows = this.#rows;
    const row = this.#row;
    const content = rows.content(row);
    const body = Math.min(rows.body(row), end);
    // The blank line has been counted with the rest, where it is a bare LF.
    const bareLf = this.#bareLf - (blank === 1 ? 1 : 0);
    rows.setPlace(row, rows.start(row), content, body, end);
    rows.setOctets(row, end - content + bareLf - this.#quoted + added);
    // A blank line that parts the message from the next is not the end of its header, too.
    const kept = body < end ? rows.flags(row) : rows.flags(row) & ~HEADER_ENDS;
    rows.setFlags(row, kept | flags | (this.#quoted > 0 ? QUOTED : 0));
  }

  /** How many `>` stand before index `at`, if nothing else does in that line; -1 if something does. */
  #runBefore(window: Buffer, base: number, at: number): number {
    let start = at;
    while (start > 0 && window[start - 1] === GT) start--;
    if (start > 0) return window[start - 1] === LF ? at - start : -1;
    if (base === 0) return at;
    // The line began before the window, which has at least one `>` of it, as CONTEXT is longer than what a hit can lie in.
    return this.#lineSoFar ? at : -1;
  }
}

/** Octets of the blank line before index `at`, the start of a line; 0 at the start of the file; -1: the line before isn't blank. */
export function blankBefore(window: Buffer, base: number, at: number): number {
  if (at + base === 0) return 0;
  const before = window[at - 2];
  if (before === LF || at + base === 1) return 1;
  if (before === CR && (window[at - 3] === LF || at + base === 2)) return 2;
  return -1;
}
