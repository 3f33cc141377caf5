/** Which types of look-up tables to write: those that this Postfix has. */
import { type Installation, settingOf } from './installation.ts';

/** In order of preference, after what `default_database_type` says. */
const indexed = ['lmdb', 'cdb', 'hash', 'btree', 'dbm', 'texthash'];
const patterns = ['regexp', 'pcre'];

/** Files that postmap writes beside a map of this type. */
const compiled: Readonly<Record<string, readonly string[]>> = {
  lmdb: ['.lmdb'],
  cdb: ['.cdb'],
  hash: ['.db'],
  btree: ['.db'],
  dbm: ['.dir', '.pag'],
};

export interface MapTypes {
  /** For addresses and names. */
  readonly indexed: string;
  /** For regular expressions; `undefined`: there is none. */
  readonly pattern: string | undefined;
}

/** `undefined`: this Postfix has no type that we can write. */
export function chooseMapTypes(installation: Installation): MapTypes | undefined {
  const { mapTypes } = installation;
  const own = settingOf(installation, 'default_database_type');
  const type = [own, ...indexed].find((name) => indexed.includes(name) && mapTypes.has(name));
  return type === undefined ? undefined : { indexed: type, pattern: patterns.find((name) => mapTypes.has(name)) };
}

/** Endings of the files that postmap makes of such a map; empty: Postfix reads the file itself. */
export function compiledEndings(type: string): readonly string[] {
  return compiled[type] ?? [];
}
