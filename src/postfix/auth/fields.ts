/** Lines of Dovecot's auth protocol: fields with a TAB between them, in which some octets are escaped. */

const ESCAPE = '\x01';
const escapes: ReadonlyMap<string, string> = new Map([
  ['\0', '0'],
  [ESCAPE, '1'],
  ['\t', 't'],
  ['\r', 'r'],
  ['\n', 'l'],
]);
const meanings: ReadonlyMap<string, string> = new Map(Array.from(escapes, ([octet, letter]) => [letter, octet]));

const escaped = new RegExp(`${ESCAPE}(.?)`, 'gs');
const toEscape = new RegExp(`[${[...escapes.keys()].join('')}]`, 'g');

/** Of a line without its end. An escape that means nothing stands for what comes after it; at the end of a field it is left out. */
export function fieldsOf(line: string): string[] {
  const fields = line.split('\t');
  if (!line.includes(ESCAPE)) return fields;
  return fields.map((field) => field.replace(escaped, (_, letter: string) => meanings.get(letter) ?? letter));
}

/** Without a line end. */
export function lineOf(fields: readonly string[]): string {
  return fields.map((field) => field.replace(toEscape, (octet) => ESCAPE + escapes.get(octet))).join('\t');
}
