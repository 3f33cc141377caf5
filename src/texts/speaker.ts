/** Says a text in the language that the person asked for, as far as there is a translation. */
import { catalogue, type Language, type Text, type Translation, type Values } from './index.ts';

/** Translations the host brought along: language tag → its own name for itself, and English text → translation. */
export type Phrasebook = ReadonlyMap<string, { readonly name: string; readonly texts: ReadonlyMap<string, string> }>;

export interface Speaker {
  /** `{name}` is filled in from `values`; never throws, and never leaves a line end in what it says. */
  say(text: Text, values: Values, language: string): string;
  /** Tags with the language's own name, English first. For LANG, RFC 6856 section 3. */
  readonly languages: readonly { readonly tag: string; readonly name: string }[];
  /** RFC 4647 section 3.4 (lookup): the tag of ours that fits a wanted one best; `undefined` when none does. */
  match(wanted: string): string | undefined;
}

const builtIn: Record<Language, string> = { da: 'Dansk', de: 'Deutsch' };

export function createSpeaker(own: Phrasebook = new Map()): Speaker {
  const languages = [{ tag: 'en', name: 'English' }, ...Object.entries(builtIn).map(([tag, name]) => ({ tag, name }))];
  for (const [tag, { name }] of own) if (!languages.some((known) => known.tag === tag)) languages.push({ tag, name });

  /** Each sentence as it was first said, in turn: words, name, words … Parting it anew would cost more than the rest of a reply. */
  const parted = new Map<string, readonly string[]>();

  function fill(sentence: string, values: Values): string {
    let parts = parted.get(sentence);
    if (parts === undefined) {
      parts = sentence.split(/\{(\w+)\}/);
      parted.set(sentence, parts);
    }
    let said = parts[0] ?? '';
    for (let n = 1; n < parts.length; n += 2) said += filledIn(parts[n] ?? '', values) + parts[n + 1];
    return said;
  }

  return {
    languages,
    say(text, values, language) {
      const built: Translation = catalogue[text];
      const sentence = own.get(language)?.texts.get(text) ?? (isBuiltIn(language) ? built[language] : text);
      return fill(sentence, values);
    },
    match(wanted) {
      for (let tag = wanted.toLowerCase(); tag !== ''; tag = tag.slice(0, Math.max(0, tag.lastIndexOf('-')))) {
        const found = languages.find((language) => language.tag === tag);
        if (found) return found.tag;
      }
      return undefined;
    },
  };
}

function isBuiltIn(language: string): language is Language {
  return Object.hasOwn(builtIn, language);
}

function filledIn(name: string, values: Values): string {
  if (!Object.hasOwn(values, name)) return `{${name}}`;
  const value = values[name];
  return typeof value === 'string' ? value.replace(/[\r\n]+/g, ' ') : String(value);
}
