import type { Translation } from './index.ts';

/** Said to the operator about the settings file. */
export const config = {
  '{problem}; allowed: {allowed}': { da: '{problem}; tilladt: {allowed}', de: '{problem}; erlaubt: {allowed}' },
  'this is not UTF-8 text': { da: 'dette er ikke UTF-8-tekst', de: 'das ist kein UTF-8-Text' },
  'this is not TOML: {detail}': { da: 'dette er ikke TOML: {detail}', de: 'das ist kein TOML: {detail}' },
  'this file cannot be read: {detail}': { da: 'denne fil kan ikke læses: {detail}', de: 'diese Datei ist nicht lesbar: {detail}' },
  'there is no setting {key}': { da: 'der er ingen indstilling {key}', de: 'es gibt keine Einstellung {key}' },
  'there is no setting {key}; did you mean {meant}?': {
    da: 'der er ingen indstilling {key}; mente du {meant}?',
    de: 'es gibt keine Einstellung {key}; meinten Sie {meant}?',
  },
  '{key} cannot be {value}': { da: '{key} kan ikke være {value}', de: '{key} kann nicht {value} sein' },
  '{key} is missing': { da: '{key} mangler', de: '{key} fehlt' },
  '{key} is there twice': { da: '{key} er der to gange', de: '{key} ist doppelt vorhanden' },
  '{key} is for Unix sockets only': { da: '{key} er kun for Unix-sokler', de: '{key} ist nur für Unix-Sockets' },
  '{key} is for Unix sockets and this host only': {
    da: '{key} er kun for Unix-sokler og denne maskine',
    de: '{key} ist nur für Unix-Sockets und diesen Rechner',
  },
  '{key} is not for {protocol}': { da: '{key} er ikke for {protocol}', de: '{key} ist nicht für {protocol}' },
  '{key} is not for Unix sockets': { da: '{key} er ikke for Unix-sokler', de: '{key} ist nicht für Unix-Sockets' },
  'two listeners have the address {address}': {
    da: 'to lyttere har adressen {address}',
    de: 'zwei Listener haben die Adresse {address}',
  },
  '{key} can be reached from other hosts; set {setting} = true if that is meant': {
    da: '{key} kan nås fra andre maskiner; sæt {setting} = true, hvis det er meningen',
    de: '{key} ist von anderen Rechnern aus erreichbar; {setting} = true setzen, wenn das so sein soll',
  },
  'there is a certificate, but no key': {
    da: 'der er et certifikat, men ingen nøgle',
    de: 'es gibt ein Zertifikat, aber keinen Schlüssel',
  },
  'there is a key, but no certificate': {
    da: 'der er en nøgle, men intet certifikat',
    de: 'es gibt einen Schlüssel, aber kein Zertifikat',
  },
  'certificate and key are missing': { da: 'certifikat og nøgle mangler', de: 'Zertifikat und Schlüssel fehlen' },
  '{path} is no file': { da: '{path} er ikke en fil', de: '{path} ist keine Datei' },
  '{path} cannot be read: {detail}': { da: '{path} kan ikke læses: {detail}', de: '{path} ist nicht lesbar: {detail}' },
  'there is no text {text}': { da: 'der er ingen tekst {text}', de: 'es gibt keinen Text {text}' },
  'there is no text {text}; did you mean {meant}?': {
    da: 'der er ingen tekst {text}; mente du {meant}?',
    de: 'es gibt keinen Text {text}; meinten Sie {meant}?',
  },
  'the translation has {placeholder}, which the text does not have': {
    da: 'oversættelsen har {placeholder}, som teksten ikke har',
    de: 'die Übersetzung hat {placeholder}, das der Text nicht hat',
  },
  'the name of a file of texts must be a language tag': {
    da: 'navnet på en fil med tekster skal være et sprogmærke',
    de: 'der Name einer Textdatei muss ein Sprachkürzel sein',
  },

  'true or false': { da: 'true eller false', de: 'true oder false' },
  'a number from {min} to {max}': { da: 'et tal fra {min} til {max}', de: 'eine Zahl von {min} bis {max}' },
  'a whole number from {min} to {max}': { da: 'et helt tal fra {min} til {max}', de: 'eine ganze Zahl von {min} bis {max}' },
  'one of {choices}': { da: 'en af {choices}', de: 'eines von {choices}' },
  'a size such as "500 MB", or a number of octets': {
    da: 'en størrelse som "500 MB" eller et antal oktetter',
    de: 'eine Größe wie "500 MB" oder eine Zahl von Oktetten',
  },
  '"none", a size such as "500 MB", or a number of octets': {
    da: '"none", en størrelse som "500 MB" eller et antal oktetter',
    de: '"none", eine Größe wie "500 MB" oder eine Zahl von Oktetten',
  },
  'one line of text': { da: 'en linje tekst', de: 'eine Zeile Text' },
  'a path': { da: 'en sti', de: 'ein Pfad' },
  'a relative path without ".."': { da: 'en relativ sti uden ".."', de: 'ein relativer Pfad ohne ".."' },
  'a domain name': { da: 'et domænenavn', de: 'ein Domainname' },
  'a domain name, or "" for none': { da: 'et domænenavn, eller "" for intet', de: 'ein Domainname, oder "" für keinen' },
  'a network such as 192.0.2.0/24 or 2001:db8::/32': {
    da: 'et netværk som 192.0.2.0/24 eller 2001:db8::/32',
    de: 'ein Netz wie 192.0.2.0/24 oder 2001:db8::/32',
  },
  'a list of networks such as ["127.0.0.0/8", "::1/128"]': {
    da: 'en liste af netværk som ["127.0.0.0/8", "::1/128"]',
    de: 'eine Liste von Netzen wie ["127.0.0.0/8", "::1/128"]',
  },
  'a file mode in octal digits, such as "0660"': {
    da: 'en filtilstand i oktale cifre, som "0660"',
    de: 'ein Dateimodus in Oktalziffern, etwa "0660"',
  },
  '127.0.0.1:1110, [::1]:1110 or unix:path': {
    da: '127.0.0.1:1110, [::1]:1110 eller unix:sti',
    de: '127.0.0.1:1110, [::1]:1110 oder unix:Pfad',
  },
  '127.0.0.1:9273 or [::1]:9273': { da: '127.0.0.1:9273 eller [::1]:9273', de: '127.0.0.1:9273 oder [::1]:9273' },
  '"auto" or a whole number from 1 to 256': {
    da: '"auto" eller et helt tal fra 1 til 256',
    de: '"auto" oder eine ganze Zahl von 1 bis 256',
  },
  '"never" or a whole number from 0 to 36500': {
    da: '"never" eller et helt tal fra 0 til 36500',
    de: '"never" oder eine ganze Zahl von 0 bis 36500',
  },
  'a list of SASL mechanisms': { da: 'en liste af SASL-mekanismer', de: 'eine Liste von SASL-Mechanismen' },
  '"auto" or a list of {choices}': { da: '"auto" eller en liste af {choices}', de: '"auto" oder eine Liste aus {choices}' },
  'one or more characters that no name holds, such as "@%:!;"': {
    da: 'et eller flere tegn, som intet navn har, såsom "@%:!;"',
    de: 'ein oder mehrere Zeichen, die kein Name enthält, etwa "@%:!;"',
  },
  'one character such as "+" or "-", or "" for none': {
    da: 'et tegn som "+" eller "-", eller "" for intet',
    de: 'ein Zeichen wie "+" oder "-", oder "" für keines',
  },
  'false, true, "pam" or "shadow"': { da: 'false, true, "pam" eller "shadow"', de: 'false, true, "pam" oder "shadow"' },
  'tables that begin with [[listen]]': { da: 'tabeller, der begynder med [[listen]]', de: 'Tabellen, die mit [[listen]] beginnen' },
  'an IP address': { da: 'en IP-adresse', de: 'eine IP-Adresse' },
  'a table': { da: 'en tabel', de: 'eine Tabelle' },
  default: { da: 'standard', de: 'Vorgabe' },
  'line {line}': { da: 'linje {line}', de: 'Zeile {line}' },
} as const satisfies Record<string, Translation>;
