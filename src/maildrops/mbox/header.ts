/** What the mailbox needs to know of a message's header, in one pass over it. */
import { hash } from 'node:crypto';
import { HAS_STATUS, HEADER_ENDS, OLD, READ } from './rows.ts';

/** Of a longer header the rest isn't looked at. */
export const HEADER_LIMIT = 262_144;

export interface HeaderFacts {
  /** Index of the blank line that ends the header, or of the end of what was given. */
  end: number;
  /** READ, OLD, HAS_STATUS, HEADER_ENDS. */
  flags: number;
  /**
   * SHA-256 of the header, one character an octet, without the fields that other programs change while the message rests: `X-…`,
   * `Status`, `Content-Length`, `Lines`. The unique-id comes from it.
   */
  digest: string;
}

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;
const scratch = Buffer.allocUnsafeSlow(HEADER_LIMIT + 1);

/**
 * Reads the header that begins at `start`.
 * @param whole true: nothing follows `end`. Else `undefined` is returned when the blank line isn't there yet
 */
export function headerFacts(octets: Buffer, start: number, end: number, whole: boolean): HeaderFacts | undefined {
  const limit = Math.min(end, start + HEADER_LIMIT);
  let flags = 0;
  let kept = 0;
  // Of the octets from here to `at`, all belong to the digest.
  let run = start;
  let omitted = false;
  let at = start;
  for (; at < limit; ) {
    const first = octets[at] ?? 0;
    // A lone CR at the very end is a blank line that a crash has cut short.
    if (first === LF || (first === CR && (at + 1 < limit ? octets[at + 1] === LF : whole && at + 1 === end))) {
      flags |= HEADER_ENDS;
      break;
    }
    let lineEnd = at;
    while (lineEnd < limit && octets[lineEnd] !== LF) lineEnd++;
    lineEnd = Math.min(lineEnd + 1, limit);
    if (first !== SPACE && first !== TAB) {
      const omit = isOmitted(octets, at, lineEnd, first | 0x20);
      if (omit && !omitted) {
        octets.copy(scratch, kept, run, at);
        kept += at - run;
      }
      if (!omit && omitted) run = at;
      if (omit && (first | 0x20) === 0x73) flags |= HAS_STATUS | lettersOf(octets, at, lineEnd);
      omitted = omit;
    }
    at = lineEnd;
  }
  if ((flags & HEADER_ENDS) === 0 && !whole && at < start + HEADER_LIMIT) return undefined;
  // A last line that a crash has cut short counts as if it had its end: it will get one when the mailbox is next written to.
  const cut = !omitted && at > start && octets[at - 1] !== LF;
  if (!omitted && !cut && run === start) return { end: at, flags, digest: hash('sha256', octets.subarray(start, at), 'binary') };
  if (!omitted) {
    octets.copy(scratch, kept, run, at);
    kept += at - run;
  }
  if (cut) scratch[kept++] = LF;
  return { end: at, flags, digest: hash('sha256', scratch.subarray(0, kept), 'binary') };
}

/** `lower`: the first octet of the line in lower case. */
function isOmitted(octets: Buffer, at: number, end: number, lower: number): boolean {
  switch (lower) {
    case 0x78: // x
      return octets[at + 1] === 0x2d && hasColon(octets, at + 2, end);
    case 0x73: // s
      return isField(octets, at, end, 'status');
    case 0x63: // c
      return isField(octets, at, end, 'content-length');
    case 0x6c: // l
      return isField(octets, at, end, 'lines');
    default:
      return false;
  }
}

function hasColon(octets: Buffer, from: number, end: number): boolean {
  for (let i = from; i < end; i++) if (octets[i] === COLON) return true;
  return false;
}

/** `name` in lower case, then blanks, if any, and the colon. RFC 5322 section 4.5 */
function isField(octets: Buffer, at: number, end: number, name: string): boolean {
  let i = at + name.length;
  if (i >= end) return false;
  for (let n = 0; n < name.length; n++) {
    const octet = octets[at + n] ?? 0;
    if ((octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet) !== name.charCodeAt(n)) return false;
  }
  while (i < end && (octets[i] === SPACE || octets[i] === TAB)) i++;
  return i < end && octets[i] === COLON;
}

function lettersOf(octets: Buffer, at: number, end: number): number {
  let letters = 0;
  for (let i = at + 'status:'.length; i < end; i++) {
    if (octets[i] === 0x52) letters |= READ;
    if (octets[i] === 0x4f) letters |= OLD;
  }
  return letters;
}

/** A header without a `From ` line before it: does the first line begin with a field name and a colon? RFC 5322 section 2.2 */
export function looksLikeHeader(octets: Buffer): boolean {
  return /^[!-9;-~]+[ \t]*:/.test(octets.toString('latin1', 0, Math.min(octets.length, 998)));
}

/** Where the first `Status:` field lies, its line ends included, in octets[0, length) of a header. */
export function statusField(octets: Buffer, length: number): { start: number; end: number } | undefined {
  for (let at = 0; at < length; ) {
    let end = lineAfter(octets, at, length);
    if (isField(octets, at, end, 'status')) {
      while (end < length && (octets[end] === SPACE || octets[end] === TAB)) end = lineAfter(octets, end, length);
      return { start: at, end };
    }
    at = end;
  }
  return undefined;
}

function lineAfter(octets: Buffer, at: number, length: number): number {
  const lf = octets.indexOf(LF, at);
  return lf < 0 || lf >= length ? length : lf + 1;
}
