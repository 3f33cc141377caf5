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

function fill(sentence: string, values: Values): string {
  if (!sentence.includes('{')) return sentence;
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) =>
    Object.hasOwn(values, name) ? String(values[name]).replace(/[\r\n]+/g, ' ') : whole,
  );
}
