/** Translations that the host brings along: `texts/<tag>.toml` beside the settings file. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { catalogue } from '../texts/index.ts';
import type { Phrasebook } from '../texts/speaker.ts';
import { text } from './kinds.ts';
import { nearest } from './nearest.ts';
import type { ConfigProblem } from './problem.ts';
import { Reader } from './reader.ts';
import { readToml } from './toml.ts';

export type Phrasebooks =
  | { readonly phrasebook: Phrasebook; readonly errors?: undefined }
  | { readonly phrasebook?: undefined; readonly errors: readonly ConfigProblem[] };

const known = new Set<string>(Object.keys(catalogue));
/** RFC 5646 section 2.1, as far as a catalogue may need it: `sv`, `pt-br`, `zh-hant`. */
const languageTag = /^[a-z]{2,8}(?:-[a-z0-9]{1,8})*$/;

/** Without a settings file, or a folder `texts` beside it, the phrasebook is empty. */
export function loadPhrasebook(settingsFile: string | undefined): Phrasebooks {
  const phrasebook = new Map<string, { name: string; texts: ReadonlyMap<string, string> }>();
  const errors: ConfigProblem[] = [];
  if (settingsFile === undefined) return { phrasebook };
  const folder = join(dirname(resolve(settingsFile)), 'texts');
  for (const name of tomlFiles(folder)) {
    const file = join(folder, name);
    try {
      const parsed = parsePhrases(file, readFileSync(file));
      if (parsed.errors) errors.push(...parsed.errors);
      else phrasebook.set(basename(name, '.toml').toLowerCase(), parsed);
    } catch (thrown) {
      const code = (thrown as NodeJS.ErrnoException).code;
      if (code === undefined) throw thrown;
      errors.push({ file, line: 1, text: 'this file cannot be read: {detail}', values: { detail: code } });
    }
  }
  return errors.length === 0 ? { phrasebook } : { errors };
}

type Phrases =
  | { readonly name: string; readonly texts: ReadonlyMap<string, string>; readonly errors?: undefined }
  | { readonly errors: readonly ConfigProblem[] };

/** `name = "Svenska"`, then `[texts]` with the English text as the key. */
export function parsePhrases(file: string, octets: Uint8Array): Phrases {
  const reader = new Reader(file, readToml(file, octets));
  const tag = basename(file, '.toml').toLowerCase();
  if (!languageTag.test(tag)) reader.complain([], { text: 'the name of a file of texts must be a language tag' });
  const rows = { name: { ...text, default: tag, help: '' } };
  const { name } = reader.section([], reader.tableAt([]), rows, ['texts']);
  const texts = new Map<string, string>();
  for (const [english, translation] of Object.entries(reader.tableAt(['texts']))) {
    const path = ['texts', english];
    const parsed = text.schema.safeParse(translation);
    if (!known.has(english)) complainOfUnknown(reader, english);
    else if (!parsed.success) reader.wrong(path, translation, text.allowed);
    else {
      const foreign = parsed.data.match(/\{\w+\}/g)?.find((placeholder) => !english.includes(placeholder));
      if (foreign !== undefined)
        reader.complain(path, {
          text: 'the translation has {placeholder}, which the text does not have',
          values: { placeholder: foreign },
        });
      texts.set(english, parsed.data);
    }
  }
  return reader.problems.length === 0 ? { name: String(name), texts } : { errors: reader.problems };
}

function complainOfUnknown(reader: Reader, english: string): void {
  const meant = nearest(english, known);
  const values = { text: JSON.stringify(english) };
  if (meant === undefined) reader.complain(['texts', english], { text: 'there is no text {text}', values });
  else
    reader.complain(['texts', english], {
      text: 'there is no text {text}; did you mean {meant}?',
      values: { ...values, meant: JSON.stringify(meant) },
    });
}

/** In the order of their names; none where there is no such folder. */
function tomlFiles(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.toml'))
      .sort();
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT' || (thrown as NodeJS.ErrnoException).code === 'ENOTDIR') return [];
    throw thrown;
  }
}
