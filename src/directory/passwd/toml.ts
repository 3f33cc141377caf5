/** Reads the few keys this room needs from a TOML file of a domain's owner; keys it doesn't know are somebody else's. */
import { createRequire } from 'node:module';

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
  /** @throws BadToml unless it is true or false */
  flag(key: string): boolean | undefined;
  /** @throws BadToml unless it is an array of strings */
  texts(key: string): readonly string[] | undefined;
  /** A complaint about the value of a key. */
  bad(key: string, reason: string): BadToml;
}

/** @throws BadToml */
export function readToml(octets: Buffer): TomlTable {
  const text = octets.toString('utf8');
  const table = parsed(text);

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

/** Keys of ours stand at the top of the file, bare or quoted, one on a line. */
function lineOf(text: string, key: string): number {
  const at = text.split('\n').findIndex((line) => new RegExp(`^\\s*["']?${key}["']?\\s*=`).test(line));
  return at < 0 ? 1 : at + 1;
}
