import type { Translation } from './index.ts';

export const directory = {
  'accounts can not be looked up just now': {
    da: 'konti kan ikke slås op lige nu',
    de: 'Konten können gerade nicht nachgeschlagen werden',
  },
  'unknown password scheme {scheme}': { da: 'ukendt adgangskodeformat {scheme}', de: 'unbekanntes Passwortformat {scheme}' },
  'a password holds neither NUL nor line ends': {
    da: 'en adgangskode indeholder hverken NUL eller linjeskift',
    de: 'ein Passwort enthält weder NUL noch Zeilenenden',
  },
} as const satisfies Record<string, Translation>;
