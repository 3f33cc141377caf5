/**
 * The lines of a passwd file: `name:password:uid:gid:gecos:home:shell`, or the two fields of vm-pop3d and htpasswd. One buffer and
 * one offset per name: a hundred thousand lines are gone through once, and fields are parted when somebody asks for a line.
 */
import { isUtf8 } from 'node:buffer';
import { parseUserName, type UserName } from '../../model/address.ts';
import { desForm } from '../schemes/crypt.ts';

export interface PasswdLine {
  /** Offset in the file; `lineNumber` makes a number of it. */
  readonly start: number;
  /** Without its line end. */
  readonly octets: Buffer;
  readonly password: Buffer;
  /** Name and password only, as vm-pop3d and htpasswd write them. */
  readonly twoFields: boolean;
  /** `undefined` where the line has no uid and gid. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Absolute path without a slash at its end; `undefined` for an empty field, `.`, and whatever isn't absolute. */
  readonly home: string | undefined;
}

export interface SkippedLine {
  readonly line: number;
  readonly reason: string;
}

/** How password fields look, before anybody says which kind the domain has: what logins the file can honour follows from it. */
export interface FieldForms {
  readonly dollar: boolean;
  /** Of two-field lines: thirteen characters, as crypt(3)'s oldest hash has. */
  readonly desInTwoFields: boolean;
  readonly other: boolean;
  /** Each `{SCHEME}` that occurs, as written. */
  readonly schemes: ReadonlySet<string>;
}

export interface PasswdLines {
  readonly size: number;
  find(user: UserName): PasswdLine | undefined;
  lineNumber(start: number): number;
  /** Lines left out, the first few of them, and how many there are. */
  readonly skipped: readonly SkippedLine[];
  readonly skippedCount: number;
  readonly forms: FieldForms;
  /** All that lines can be found by. */
  names(): Iterable<UserName>;
  /** The first lines that have a password, to tell the usual scheme from. */
  first(count: number): Iterable<PasswdLine>;
}

type Forms = { -readonly [K in Exclude<keyof FieldForms, 'schemes'>]: FieldForms[K] } & { schemes: Set<string> };

const LF = 0x0a;
const CR = 0x0d;
const HASH = 0x23;
const DOT = 0x2e;
const COLON = 0x3a;
/** 2^32 - 1 means "none" to chown(2). */
const NO_ID = 0xffff_ffff;
const SKIPPED_SHOWN = 10;

/** Octets of a name that is its own folded form, so that no string function is needed. A dot at the start is checked apart. */
const simple = new Uint8Array(256);
for (const octet of Buffer.from('abcdefghijklmnopqrstuvwxyz0123456789-_.+=')) simple[octet] = 1;

export function parsePasswd(octets: Buffer): PasswdLines {
  const starts = new Map<UserName, number>();
  const skipped: SkippedLine[] = [];
  const forms: Forms = { dollar: false, desInTwoFields: false, other: false, schemes: new Set() };
  let skippedCount = 0;
  let line = 0;
  const scan = new LineScan(octets);
  for (let start = hasByteOrderMark(octets) ? 3 : 0; start < octets.length; start = scan.end + 1) {
    line += 1;
    scan.line(start);
    if (octets[start] === HASH || scan.blank) continue;
    const name = scan.wrong === undefined ? scan.name() : undefined;
    if (name !== undefined && !starts.has(name)) {
      starts.set(name, start);
      noteForm(octets, scan, forms);
      continue;
    }
    skippedCount += 1;
    if (skipped.length === SKIPPED_SHOWN) continue;
    skipped.push({ line, reason: scan.wrong ?? (name === undefined ? 'not a user name' : 'a line before it has the same name') });
  }

  return {
    size: starts.size,
    skipped,
    skippedCount,
    forms,
    find(user) {
      const start = starts.get(user);
      return start === undefined ? undefined : lineAt(octets, start);
    },
    lineNumber(start) {
      let number = 1;
      for (let at = octets.indexOf(LF); at >= 0 && at < start; at = octets.indexOf(LF, at + 1)) number += 1;
      return number;
    },
    names: () => starts.keys(),
    *first(count) {
      let given = 0;
      for (const start of starts.values()) {
        if (given === count) return;
        given += 1;
        yield lineAt(octets, start);
      }
    },
  };
}

/** One line after the other. Names are gone through octet by octet, the rest by Buffer's search, which is as fast as memory. */
class LineScan {
  readonly #octets: Buffer;
  /** What is true of nearly every file as a whole need not be looked for in each line. */
  readonly #hasNul: boolean;
  readonly #isUtf8: boolean;
  #start = 0;
  #nameIsSimple = false;
  /** Of the line feed, or the end of the file. */
  end = 0;
  /** Of the first colon, and of the second or the end of the line. */
  nameEnd = 0;
  passwordEnd = 0;
  twoFields = false;
  blank = false;
  /** Why this is no passwd line. */
  wrong: string | undefined;

  constructor(octets: Buffer) {
    this.#octets = octets;
    this.#hasNul = octets.includes(0);
    this.#isUtf8 = isUtf8(octets);
  }

  line(start: number): void {
    const octets = this.#octets;
    const { length } = octets;
    let isSimple = true;
    let isBlank = true;
    let at = start;
    for (; at < length; at++) {
      const octet = octets[at] ?? 0;
      if (octet === COLON || octet === LF) break;
      isSimple &&= simple[octet] === 1;
      isBlank &&= octet === 0x20 || octet === 0x09 || octet === CR;
    }
    const hasColon = at < length && octets[at] === COLON;
    this.#start = start;
    this.nameEnd = at;
    this.#nameIsSimple = isSimple;
    this.end = hasColon ? endOf(octets, LF, at, length) : at;
    this.blank = isBlank && !hasColon;
    this.wrong = hasColon ? this.#wrongFields() : 'no colon';
  }

  #wrongFields(): string | undefined {
    const octets = this.#octets;
    const { nameEnd, end } = this;
    const stop = octets[end - 1] === CR ? end - 1 : end;
    this.passwordEnd = endOf(octets, COLON, nameEnd + 1, stop);
    this.twoFields = this.passwordEnd === stop;
    if (this.#hasNul && octets.subarray(this.#start, stop).includes(0)) return 'a NUL octet';
    if (this.twoFields) return undefined;
    const uidEnd = endOf(octets, COLON, this.passwordEnd + 1, stop);
    // Three fields are two and a remark: the third isn't looked at.
    if (uidEnd === stop) return undefined;
    const gidEnd = endOf(octets, COLON, uidEnd + 1, stop);
    const noIds = uidEnd === this.passwordEnd + 1 && gidEnd === uidEnd + 1;
    if (!noIds && !(isId(octets, this.passwordEnd + 1, uidEnd) && isId(octets, uidEnd + 1, gidEnd))) return 'uid and gid are not numbers';
    if (this.#isUtf8) return undefined;
    const gecosEnd = endOf(octets, COLON, gidEnd + 1, stop);
    return isUtf8(octets.subarray(gecosEnd + 1, endOf(octets, COLON, gecosEnd + 1, stop))) ? undefined : 'a home that is not UTF-8';
  }

  name(): UserName | undefined {
    const [start, end] = [this.#start, this.nameEnd];
    if (end === start) return undefined;
    if (this.#nameIsSimple && end - start <= 64 && this.#octets[start] !== DOT)
      return this.#octets.toString('latin1', start, end) as UserName;
    const octets = this.#octets.subarray(start, end);
    return isUtf8(octets) ? parseUserName(octets.toString('utf8')) : undefined;
  }
}

/** Where the next `octet` stands, or `stop`. */
function endOf(octets: Buffer, octet: number, from: number, stop: number): number {
  const at = octets.indexOf(octet, from);
  return at < 0 || at > stop ? stop : at;
}

function lineAt(octets: Buffer, start: number): PasswdLine {
  const lf = octets.indexOf(LF, start);
  let stop = lf < 0 ? octets.length : lf;
  if (octets[stop - 1] === CR) stop -= 1;
  const line = octets.subarray(start, stop);
  const fields: Buffer[] = [];
  for (let from = 0; from <= line.length; ) {
    const colon = line.indexOf(COLON, from);
    const to = colon < 0 ? line.length : colon;
    fields.push(line.subarray(from, to));
    from = to + 1;
  }
  const [, password = line.subarray(line.length), uid, gid, , home] = fields;
  return { start, octets: line, password, twoFields: fields.length === 2, owner: ownerOf(uid, gid), home: homeOf(home) };
}

/** `undefined` also where only one of the two is given: such lines were left out. */
function ownerOf(uid: Buffer | undefined, gid: Buffer | undefined): PasswdLine['owner'] {
  if (uid === undefined || gid === undefined || uid.length === 0 || gid.length === 0) return undefined;
  return { uid: Number(uid.toString('latin1')), gid: Number(gid.toString('latin1')) };
}

function homeOf(field: Buffer | undefined): string | undefined {
  if (field === undefined || field[0] !== 0x2f) return undefined;
  return field.toString('utf8').replace(/(?<=.)\/+$/, '');
}

function isId(octets: Buffer, start: number, end: number): boolean {
  let id = 0;
  for (let at = start; at < end; at++) {
    const digit = (octets[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return false;
    id = id * 10 + digit;
  }
  return end > start && end - start <= 10 && id < NO_ID;
}

function noteForm(octets: Buffer, { nameEnd, passwordEnd, twoFields }: LineScan, forms: Forms): void {
  const start = nameEnd + 1;
  if (start === passwordEnd) return;
  switch (octets[start]) {
    case 0x21: // '!' and '*': locked
    case 0x2a:
      return;
    case 0x24: {
      // '$', and another one behind it: else it is no hash.
      const second = octets.indexOf(0x24, start + 1);
      if (second > start + 1 && second < passwordEnd) forms.dollar = true;
      else forms.other = true;
      return;
    }
    case 0x7b: // '{'
      forms.schemes.add(/^\{[^}]*\}/.exec(octets.toString('latin1', start, Math.min(passwordEnd, start + 40)))?.[0] ?? '{');
      return;
    default:
      if (twoFields && passwordEnd - start === 13 && desForm.test(octets.toString('latin1', start, passwordEnd)))
        forms.desInTwoFields = true;
      else forms.other = true;
  }
}

function hasByteOrderMark(octets: Buffer): boolean {
  return octets[0] === 0xef && octets[1] === 0xbb && octets[2] === 0xbf;
}
