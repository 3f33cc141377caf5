/** Words of a header field that are no ASCII, made readable. RFC 2047. */

const WORD = /=\?([^?\s]{1,64})\?([bq])\?([^?\s]*)\?=/gi;
/** White space between two encoded words belongs to neither. RFC 2047 section 6.2. */
const BETWEEN = /(=\?[^?\s]{1,64}\?[bq]\?[^?\s]*\?=)[ \t]+(?==\?[^?\s]{1,64}\?[bq]\?[^?\s]*\?=)/gi;

/** As people read it. What can't be decoded stays as it is. */
export function decodeWords(value: string): string {
  return value
    .replace(BETWEEN, '$1')
    .replace(WORD, (word, charset: string, encoding: string, text: string) => decodedWord(charset, encoding, text) ?? word);
}

function decodedWord(charset: string, encoding: string, text: string): string | undefined {
  const octets = encoding.toLowerCase() === 'b' ? Buffer.from(text, 'base64') : quotedOctets(text);
  try {
    // RFC 2231 section 5 lets a language follow the charset.
    return new TextDecoder(charset.replace(/\*.*$/, '')).decode(octets);
  } catch {
    // No such charset.
    return undefined;
  }
}

function quotedOctets(text: string): Buffer {
  return Buffer.from(
    text.replaceAll('_', ' ').replace(/=([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
    'latin1',
  );
}
