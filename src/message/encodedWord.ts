/** RFC 2047 section 2: at most 75 octets an encoded word. */
const MOST_CHARACTERS = 11;

/** A header field's text, ASCII as it is, anything else as encoded words on lines of their own. RFC 2047 section 5. */
export function encodedText(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text) && !text.includes('=?')) return text;
  const characters = [...text];
  const words: string[] = [];
  for (let at = 0; at < characters.length; at += MOST_CHARACTERS) {
    const octets = Buffer.from(characters.slice(at, at + MOST_CHARACTERS).join(''));
    words.push(`=?utf-8?B?${octets.toString('base64')}?=`);
  }
  // Between two encoded words white space is not shown.
  return words.join('\r\n ');
}
