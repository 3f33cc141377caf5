/** Reads the few keys this room needs from a TOML file of a domain's owner; keys it doesn't know are somebody else's. */
import { createRequire } from 'node:module';
import { parseDay } from '../../model/day.ts';
import { parseSize } from '../../model/size.ts';

const require = createRequire(import.meta.url);
let library: typeof import('smol-toml') | undefined;

/** At first use, as most domains have no such file; before that by who is about to give up the right to read it. */
export function loadToml(): typeof import('smol-toml') {
  library ??= require('smol-toml') as typeof import('smol-toml');
  return library;
}

/** What is wrong with a file, and where. */
export class BadToml extends Error {
  readonly line: number;

  constructor(line: number, reason: string) {
    super(reason);
    this.line = line;
  }
}

export interface TomlTable {
  /** `undefined`: not there. @throws BadToml unless it is one of `allowed` */
  choice<T extends string>(key: string, allowed: readonly T[]): T | undefined;
  /** @throws BadToml unless it is a string */
  text(key: string): string | undefined;
  /** A string stands there. */
  isText(key: string): boolean;
  /** @throws BadToml unless it is true or false */
  flag(key: string): boolean | undefined;
  /** @throws BadToml unless it is an array of strings */
  texts(key: string): readonly string[] | undefined;
  /** @throws BadToml unless it is a whole number within these bounds */
  integer(key: string, min: number, max: number): number | undefined;
  /** In octets. @throws BadToml unless it is a size such as "500 MB", or a whole number of octets */
  size(key: string): number | undefined;
  /** As `YYYY-MM-DD`. @throws BadToml unless it is a date, or one in a string */
  day(key: string): string | undefined;
  /** A table within this one. @throws BadToml unless it is one */
  table(key: string): TomlTable | undefined;
  /** A complaint about the value of a key. */
  bad(key: string, reason: string): BadToml;
}

/** @throws BadToml */
export function readToml(octets: Buffer): TomlTable {
  const text = octets.toString('utf8');
  return tableOf(parsed(text), text);
}

function tableOf(table: ReadonlyMap<string, unknown>, text: string): TomlTable {
  const bad = (key: string, reason: string) => new BadToml(lineOf(text, key), `${key}: ${reason}`);
  const value = (key: string): unknown => table.get(key);

  return {
    bad,
    choice(key, allowed) {
      const found = value(key);
      const choice = allowed.find((one) => one === found);
      if (found !== undefined && choice === undefined) throw bad(key, `must be ${allowed.map((one) => `"${one}"`).join(' or ')}`);
      return choice;
    },
    text(key) {
      const found = value(key);
      if (found !== undefined && typeof found !== 'string') throw bad(key, 'must be a string');
      return found;
    },
    isText: (key) => typeof value(key) === 'string',
    flag(key) {
      const found = value(key);
      if (found !== undefined && typeof found !== 'boolean') throw bad(key, 'must be true or false');
      return found;
    },
    texts(key) {
      const found = value(key);
      if (found === undefined) return undefined;
      if (!Array.isArray(found)) throw bad(key, 'must be a list of strings');
      return found.map((one) => {
        if (typeof one !== 'string') throw bad(key, 'must be a list of strings');
        return one;
      });
    },
    integer(key, min, max) {
      const found = value(key);
      if (found === undefined) return undefined;
      if (typeof found !== 'number' || !Number.isInteger(found) || found < min || found > max) {
        throw bad(key, `must be a whole number from ${min} to ${max}`);
      }
      return found;
    },
    size(key) {
      const found = value(key);
      const octets = parseSize(found);
      if (found !== undefined && octets === undefined) throw bad(key, 'must be a size such as "500 MB", or a number of octets');
      return octets;
    },
    day(key) {
      const found = value(key);
      if (found === undefined) return undefined;
      const day = parseDay(found instanceof Date ? found.toISOString() : found);
      if (day === undefined) throw bad(key, 'must be a date such as 2026-12-31');
      return day;
    },
    table(key) {
      const found = value(key);
      if (found === undefined) return undefined;
      if (typeof found !== 'object' || found === null || Array.isArray(found) || found instanceof Date) throw bad(key, 'must be a table');
      return tableOf(new Map(Object.entries(found)), text);
    },
  };
}

function parsed(text: string): ReadonlyMap<string, unknown> {
  const { parse, TomlError } = loadToml();
  try {
    return new Map(Object.entries(parse(text)));
  } catch (error) {
    if (error instanceof TomlError) throw new BadToml(error.line, error.message.split('\n', 1)[0] ?? 'not TOML');
    throw new BadToml(1, error instanceof Error ? error.message : 'not TOML');
  }
}

/** Keys of ours stand bare or quoted, one on a line; a table by its header. */
function lineOf(text: string, key: string): number {
  const at = text.split('\n').findIndex((line) => new RegExp(`^\\s*(?:["']?${key}["']?\\s*=|\\[${key}\\])`).test(line));
  return at < 0 ? 1 : at + 1;
}
