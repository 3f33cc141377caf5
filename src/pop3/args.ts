/** Readers of arguments. What doesn't read as asked is a syntax fault, never a guess. */
import { Fault } from '../model/fault.ts';
import type { Arg } from './command.ts';

/** Decimal digits and nothing else. One too large to be exact is far beyond any maildrop and so not found. */
export const messageNumber: Arg<number> = (words) => {
  const number = decimal(word(words));
  if (number === undefined) throw new Fault('syntax', 'not a message-number');
  return number;
};

/** Lines of the body that TOP shows. */
export const lineCount: Arg<number> = (words) => {
  const number = decimal(word(words));
  if (number === undefined) throw new Fault('syntax', 'not a number of lines');
  return Math.min(number, Number.MAX_SAFE_INTEGER);
};

/** `undefined` for whatever isn't digits throughout. */
function decimal(written: string): number | undefined {
  let number = 0;
  for (let at = 0; at < written.length; at++) {
    const digit = written.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    number = number * 10 + digit;
  }
  return number;
}

/** A word that is up to the command. */
export function word(words: string[]): string {
  const first = words.shift();
  if (first === undefined || first === '') throw new Fault('syntax', 'missing argument');
  return first;
}

/** The word, if there is one. A blank at the end of the line is not. */
export function optional<T>(arg: Arg<T>): Arg<T | undefined> {
  return (words) => (words.every((one) => one === '') ? undefined : arg(words));
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
const ascii = /^[\x00-\x7f]*$/;

/** The octets of a login name as characters: UTF-8 (RFC 6856 section 2.2), or latin1 as mail programs sent it before that. */
function loginOf(octets: string): string {
  if (ascii.test(octets)) return octets;
  try {
    return utf8.decode(Buffer.from(octets, 'latin1'));
  } catch {
    return octets;
  }
}

/** A login name with something after it. */
export const loginName: Arg<string> = (words) => loginOf(word(words));

/** A login name that is the rest of the line: one more word would be part of a name that cannot be. */
export const lastLoginName: Arg<string> = (words) => {
  const name = word(words);
  if (words.length > 0) throw new Fault('syntax', 'a user name has no blanks');
  return loginOf(name);
};

/** The rest of the line with its blanks, as the octets that came: RFC 1939 section 7. */
export const password: Arg<Buffer> = (words) => {
  const octets = words.splice(0).join(' ');
  if (octets === '') throw new Fault('syntax', 'missing argument');
  // crypt(3) would stop reading there and take what comes before for the whole.
  if (octets.includes('\0')) throw new Fault('syntax', 'a password has no NUL');
  return Buffer.from(octets, 'latin1');
};

/** APOP's digest, folded to lower case. RFC 1939 section 7. */
export const digest: Arg<string> = (words) => {
  const written = word(words);
  if (!/^[0-9a-fA-F]{32}$/.test(written)) throw new Fault('syntax', 'a digest has 32 hexadecimal digits');
  return written.toLowerCase();
};

/** RFC 4647 section 2.1: a basic language range. */
export const languageRange: Arg<string> = (words) => {
  const written = word(words);
  if (!/^(?:\*|[a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*)$/.test(written)) throw new Fault('syntax', 'not a language tag');
  return written;
};
