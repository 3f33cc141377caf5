import type { z } from 'zod';
import { nearest } from './nearest.ts';
import type { ConfigProblem, Said } from './problem.ts';
import type { Row } from './table.ts';
import type { TomlDocument } from './toml.ts';

type Path = readonly (string | number)[];
type Table = Readonly<Record<string, unknown>>;

export interface WrittenSetting {
  /** `tls.names.mail.kvt.dk.key` is `['tls', 'names', 'mail.kvt.dk', 'key']`. */
  readonly path: Path;
  readonly value: unknown;
  /** `undefined`: the default. */
  readonly line: number | undefined;
}

/** Takes values out of the document, row by row, and keeps what is wrong with them. */
export class Reader {
  readonly problems: ConfigProblem[];
  readonly written: WrittenSetting[] = [];
  readonly #file: string;
  readonly #document: TomlDocument;

  constructor(file: string, document: TomlDocument) {
    this.#file = file;
    this.#document = document;
    this.problems = [...document.problems];
  }

  at(path: Path): unknown {
    let value: unknown = this.#document.table;
    for (const key of path) value = isTable(value) || Array.isArray(value) ? (value as Table)[key] : undefined;
    return value;
  }

  /** Empty where there is none. */
  tableAt(path: Path): Table {
    return this.asTable(path, this.at(path) ?? {});
  }

  asTable(path: Path, value: unknown): Table {
    if (isTable(value)) return value;
    this.wrong(path, value, { text: 'a table' });
    return {};
  }

  /** The value of each row; keys that are neither a row nor one of `further` are complained of. */
  section(path: Path, table: Table, rows: Readonly<Record<string, Row>>, further: readonly string[]): Record<string, unknown> {
    const known = [...Object.keys(rows), ...further];
    for (const key of Object.keys(table)) {
      if (known.includes(key)) continue;
      const meant = nearest(key, known);
      const values = { key: dotted([...path, key]) };
      if (meant === undefined) this.complain([...path, key], { text: 'there is no setting {key}', values });
      else this.complain([...path, key], { text: 'there is no setting {key}; did you mean {meant}?', values: { ...values, meant } });
    }
    const values: Record<string, unknown> = {};
    for (const [key, { schema, default: fallback, allowed }] of Object.entries(rows)) {
      const given = table[key];
      const parsed = schema.safeParse(given ?? fallback);
      if (parsed.success) {
        values[camel(key)] = parsed.data;
        this.note([...path, key], given ?? fallback);
      } else if (given !== undefined) this.wrong([...path, key], offender(given, parsed.error), allowed);
    }
    return values;
  }

  note(path: Path, value: unknown): void {
    const line = this.at(path) === undefined ? undefined : this.#document.lineOf(path);
    if (value !== undefined) this.written.push({ path, value, line });
  }

  wrong(path: Path, value: unknown, allowed: Said): void {
    this.complain(path, { text: '{key} cannot be {value}', values: { key: dotted(path), value: shown(value) } }, allowed);
  }

  complain(path: Path, said: Said, allowed?: Said): void {
    this.problems.push({ ...said, file: this.#file, line: this.#document.lineOf(path), allowed });
  }
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** The element of a list that is wrong, or the value itself. */
function offender(value: unknown, error: z.ZodError): unknown {
  const index = error.issues[0]?.path[0];
  return Array.isArray(value) && typeof index === 'number' ? value[index] : value;
}

function shown(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  const json = JSON.stringify(value) ?? String(value);
  return json.length <= 80 ? json : `${json.slice(0, 77)}…`;
}

/** As it would be written in TOML; elements of `[[listen]]` go by their table's name. */
export function dotted(path: Path): string {
  return path
    .filter((key) => typeof key === 'string')
    .map((key) => (/^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key)))
    .join('.');
}

function camel(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
