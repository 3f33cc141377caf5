/**
 * The `aliases` file of a domain: the syntax of aliases(5), without commands, files and includes, which would be run or opened by whoever
 * reads this. A name with `*` or `?` is a pattern. `:expires:2026-12-31` among the targets: after that day there is no such alias.
 */
import { type DomainName, parseUserName, type UserName } from '../../model/address.ts';
import { parseDay } from '../../model/day.ts';
import type { Alias } from '../../model/directory.ts';
import { parseTarget, qualified, type Target } from './aliasTargets.ts';
import { compileGlob, type Glob } from './glob.ts';
import type { SkippedLine } from './lines.ts';

export interface Aliases {
  readonly size: number;
  /** The alias of this name; one that has expired is none. */
  find(user: UserName): AliasLine | undefined;
  /** Of all that are exact, in the order of the file; those that have expired among them. */
  names(): Iterable<UserName>;
  /** Each pattern, in the order of the file. */
  patterns(): Iterable<AliasLine>;
  /** Patterns that match, in the order of the file. */
  matching(user: UserName): Iterable<AliasLine>;
  /** Lines left out, the first few of them, and how many there are. */
  readonly skipped: readonly SkippedLine[];
  readonly skippedCount: number;
}

/** As it stands in the file, and taken apart when it is asked for: most never are. */
export interface AliasLine {
  readonly name: string;
  readonly value: string;
}

const SKIPPED_SHOWN = 10;
const MOST_TARGETS = 500;
const LONGEST_VALUE = 20_000;
const EXPIRES = /^:expires:(.*)$/;

export function parseAliases(octets: Buffer): Aliases {
  const exact = new Map<UserName, AliasLine>();
  const patterns: { readonly glob: Glob; readonly line: AliasLine }[] = [];
  const names = new Set<string>();
  const skipped: SkippedLine[] = [];
  let skippedCount = 0;

  const skip = (line: number, reason: string) => {
    skippedCount += 1;
    if (skipped.length < SKIPPED_SHOWN) skipped.push({ line, reason });
  };

  for (const { number, text } of logicalLines(octets.toString('utf8'))) {
    const entry = parseEntry(text);
    if (typeof entry === 'string') {
      skip(number, entry);
      continue;
    }
    const { key, glob, line } = entry;
    if (names.has(key)) {
      skip(number, 'a line before it has the same name');
      continue;
    }
    names.add(key);
    if (glob !== undefined) patterns.push({ glob, line });
    else exact.set(key as UserName, line);
  }

  return {
    size: names.size,
    skipped,
    skippedCount,
    names: () => exact.keys(),
    patterns: () => patterns.map(({ line }) => line),
    find: (user) => exact.get(user),
    *matching(user) {
      for (const { glob, line } of patterns) if (glob(user)) yield line;
    },
  };
}

/** @param today `YYYY-MM-DD`, asked for where it matters. `undefined`: it has expired */
export function aliasOf({ name, value }: AliasLine, domain: DomainName, today: () => string): Alias | undefined {
  const parsed = parseTargets(value);
  // Told when the file was read.
  if (typeof parsed === 'string') return undefined;
  if (parsed.expires !== undefined && today() > parsed.expires) return undefined;
  return { name, targets: [...new Set(parsed.targets.map((target) => qualified(target, domain)))] };
}

/** A line that begins with white space goes on where the one before ended; one that begins with `#` ends nothing. */
function* logicalLines(text: string): Generator<{ readonly number: number; readonly text: string }> {
  let number = 0;
  let first = 0;
  let whole = '';
  for (const raw of text.replace(/^\ufeff/, '').split('\n')) {
    number += 1;
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (line.trim() === '' || /^\s*#/.test(line)) continue;
    if (/^\s/.test(line)) {
      if (first === 0) first = number;
      whole += ` ${line.trim()}`;
      continue;
    }
    if (whole !== '') yield { number: first, text: whole };
    first = number;
    whole = line;
  }
  if (whole !== '') yield { number: first, text: whole };
}

/** A text: what is wrong. */
function parseEntry(text: string): { key: string; glob: Glob | undefined; line: AliasLine } | string {
  const [, quoted, bare, rest = ''] = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^\s:"]+))\s*:(.*)$/s.exec(text) ?? [];
  const name = quoted?.replace(/\\(.)/gs, '$1') ?? bare;
  if (name === undefined) return 'not `name: address, …`';
  const key = parseUserName(name.replace(/[*?]/g, 'x'));
  if (key === undefined) return `${JSON.stringify(name)} can not be the name of a user`;
  const value = rest.trim();
  const targets = parseTargets(value);
  if (typeof targets === 'string') return targets;
  const line = { name, value };
  if (!/[*?]/.test(name)) return { key, glob: undefined, line };
  const folded = name.normalize('NFC').toLowerCase();
  return { key: folded, glob: compileGlob(folded), line };
}

function parseTargets(value: string): { readonly targets: readonly Target[]; readonly expires: string | undefined } | string {
  if (value.length > LONGEST_VALUE) return `longer than ${LONGEST_VALUE} characters`;
  const targets: Target[] = [];
  let expires: string | undefined;
  for (const written of parted(value)) {
    const [, date] = EXPIRES.exec(written) ?? [];
    if (date !== undefined) {
      expires = parseDay(date);
      if (expires === undefined) return `${JSON.stringify(date)} is no day; :expires:2026-12-31`;
      continue;
    }
    const target = parseTarget(written);
    if (target === undefined)
      return /^[/|]|^:include:/.test(written) ? 'commands, files and includes are not taken' : `${JSON.stringify(written)} is no address`;
    targets.push(target);
  }
  if (targets.length === 0) return 'no address after the name';
  return targets.length > MOST_TARGETS ? `more than ${MOST_TARGETS} addresses` : { targets, expires };
}

/** At commas that stand in no quotes. */
function parted(value: string): string[] {
  const pieces: string[] = [];
  let isQuoted = false;
  let start = 0;
  for (let at = 0; at < value.length; at += 1) {
    const character = value[at];
    if (character === '"') isQuoted = !isQuoted;
    else if (character === '\\' && isQuoted) at += 1;
    else if (character === ',' && !isQuoted) {
      pieces.push(value.slice(start, at));
      start = at + 1;
    }
  }
  pieces.push(value.slice(start));
  return pieces.map((piece) => piece.trim()).filter((piece) => piece !== '');
}
