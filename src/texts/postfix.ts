import type { Translation } from './index.ts';

/** Said to Postfix, and by it to its log or to who sends mail. */
export const postfix = {
  'a name of a table, a space and a key are wanted': {
    da: 'der ventes et tabelnavn, et mellemrum og en nøgle',
    de: 'erwartet werden ein Tabellenname, ein Leerzeichen und ein Schlüssel',
  },
  'there is no table of that name': { da: 'der er ingen tabel med det navn', de: 'eine Tabelle dieses Namens gibt es nicht' },
  '"get", a space and an encoded key are wanted': {
    da: 'der ventes "get", et mellemrum og en kodet nøgle',
    de: 'erwartet werden "get", ein Leerzeichen und ein kodierter Schlüssel',
  },
  'there is no such key': { da: 'den nøgle findes ikke', de: 'diesen Schlüssel gibt es nicht' },
  'the answer is too long': { da: 'svaret er for langt', de: 'die Antwort ist zu lang' },
  'no answer in time': { da: 'intet svar i tide', de: 'keine Antwort in der gesetzten Zeit' },
  'this sender address is for its owner, who has to log in': {
    da: 'denne afsenderadresse er for dens ejer, som skal logge ind',
    de: 'diese Absenderadresse ist ihrem Besitzer vorbehalten, der sich anmelden muss',
  },
} as const satisfies Record<string, Translation>;
