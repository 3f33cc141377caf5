/** The settings file, turned into what the program works with; or everything that is wrong with it, at once. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import { type DomainName, parseDomainName } from '../model/address.ts';
import { checkTogether } from './check.ts';
import { canonicalAddress, type ListenAddress } from './kinds.ts';
import type { ConfigProblem } from './problem.ts';
import { Reader, type WrittenSetting } from './reader.ts';
import { addressDomain, defaultListeners, listenTable, type Row, settingsTable, tlsNameTable } from './table.ts';
import { readToml } from './toml.ts';

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type Values<Rows> = { readonly [K in keyof Rows as Camel<K & string>]: Rows[K] extends Row<infer T> ? T : never };
type Sections = ReturnType<typeof settingsTable>;

export type ListenSettings = Values<ReturnType<typeof listenTable>>;
export type Protocol = ListenSettings['protocol'];
export type { ListenAddress };

/** Keys as in the file, in camel case; paths are absolute, domains and addresses in their one canonical form. */
export type Settings = Values<Sections['']> & {
  readonly [K in Exclude<keyof Sections, '' | 'tls'>]: Values<Sections[K]>;
} & {
  readonly tls: Values<Sections['tls']> & {
    readonly names: ReadonlyMap<DomainName, { readonly certificate: string; readonly key: string }>;
  };
  /** Local address → domain of bare logins. */
  readonly addresses: ReadonlyMap<string, DomainName>;
  readonly listen: readonly ListenSettings[];
  /** Name in greetings and Received lines; never empty. */
  readonly hostname: string;
  /** `undefined`: there is no file and everything has its default. */
  readonly file: string | undefined;
  /** Each setting as it was written, in the order of the table. */
  readonly written: readonly WrittenSetting[];
};

export interface LoadOptions {
  /** Look whether the files and users named in the settings are there. */
  readonly checkHost?: boolean;
}

export type Loaded =
  | { readonly settings: Settings; readonly errors?: undefined }
  | { readonly settings?: undefined; readonly errors: readonly ConfigProblem[] };

/** `undefined`: all defaults. */
export function loadSettings(file: string | undefined, options: LoadOptions = {}): Loaded {
  if (file === undefined) return parseSettings(undefined, Buffer.alloc(0), options);
  const path = resolve(file);
  try {
    return parseSettings(path, readFileSync(path), options);
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code;
    if (code === undefined) throw thrown;
    return { errors: [{ file: path, line: 1, text: 'this file cannot be read: {detail}', values: { detail: code } }] };
  }
}

/** `file` must be absolute: relative paths in it start from its folder. */
export function parseSettings(file: string | undefined, octets: Uint8Array, options: LoadOptions = {}): Loaded {
  const name = file ?? 'postkasse.toml';
  const folder = dirname(resolve(name));
  const reader = new Reader(name, readToml(name, octets));

  const table = settingsTable(folder);
  const sections = new Map<string, Record<string, unknown>>();
  for (const [section, rows] of Object.entries(table)) {
    const path = section === '' ? [] : [section];
    const further = section === '' ? [...Object.keys(table), 'addresses', 'listen'] : section === 'tls' ? ['names'] : [];
    sections.set(section, reader.section(path, reader.tableAt(path), rows, further));
  }
  const names = readNames(reader, folder);
  const addresses = readAddresses(reader);
  const listen = readListeners(reader, folder);

  const { '': top = {}, tls = {}, ...rest } = Object.fromEntries(sections);
  const { metrics = {} } = rest;
  // The table gives each key its type; the reader has put there what its kind makes of it.
  const settings = {
    ...top,
    ...rest,
    hostname: top.hostname ?? parseDomainName(hostname()) ?? 'localhost',
    tls: { ...tls, names: new Map(Array.from(names, ([name, entry]) => [parseDomainName(name), entry])) },
    addresses,
    listen,
    file,
    written: reader.written,
  } as unknown as Settings;
  const pairs = [{ path: ['tls'], ...tls }, ...Array.from(names, ([name, entry]) => ({ path: ['tls', 'names', name], ...entry }))];
  checkTogether({ ...top, metrics, listen, pairs }, reader, options.checkHost === true);
  if (reader.problems.length === 0) return { settings };
  return { errors: reader.problems.toSorted((a, b) => a.line - b.line) };
}

/** By the name as it is written. */
function readNames(reader: Reader, folder: string): ReadonlyMap<string, Record<string, unknown>> {
  const names = new Map<string, Record<string, unknown>>();
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(reader.tableAt(['tls', 'names']))) {
    const path = ['tls', 'names', name];
    const canonical = parseDomainName(name);
    if (canonical === undefined) reader.wrong(path, name, addressDomain.allowed);
    else if (seen.has(canonical)) reader.complain(path, { text: '{key} is there twice', values: { key: canonical } });
    else seen.add(canonical);
    names.set(name, reader.section(path, reader.asTable(path, value), tlsNameTable(folder), []));
  }
  return names;
}

function readAddresses(reader: Reader): ReadonlyMap<string, DomainName> {
  const addresses = new Map<string, DomainName>();
  for (const [key, value] of Object.entries(reader.tableAt(['addresses']))) {
    const path = ['addresses', key];
    const address = canonicalAddress(key);
    const parsed = addressDomain.schema.safeParse(value);
    if (address === undefined) reader.wrong(path, key, { text: 'an IP address' });
    else if (addresses.has(address)) reader.complain(path, { text: '{key} is there twice', values: { key: address } });
    if (!parsed.success) reader.wrong(path, value, addressDomain.allowed);
    else if (address !== undefined) {
      addresses.set(address, parsed.data);
      reader.note(path, value);
    }
  }
  return addresses;
}

function readListeners(reader: Reader, folder: string): readonly Record<string, unknown>[] {
  const given = reader.at(['listen']);
  if (given !== undefined && !Array.isArray(given)) {
    reader.wrong(['listen'], given, { text: 'tables that begin with [[listen]]' });
    return [];
  }
  const rows = listenTable(folder);
  return (given ?? defaultListeners).map((entry: unknown, i: number) => {
    const path = ['listen', i];
    const table = reader.asTable(path, entry);
    for (const key of ['protocol', 'address'] as const)
      if (table[key] === undefined)
        reader.complain(path, { text: '{key} is missing', values: { key: `listen.${key}` } }, rows[key].allowed);
    return reader.section(path, table, rows, []);
  });
}
