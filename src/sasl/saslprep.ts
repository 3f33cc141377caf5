/** SASLprep, RFC 4013: one form for strings that look the same, before they are compared or hashed. */

import { isUtf8 } from 'node:buffer';
import { createRequire } from 'node:module';
import type prep from '@mongodb-js/saslprep';

const require = createRequire(import.meta.url);
let library: typeof prep | undefined;

/** At first use: its tables take 15 ms to unpack, and most hosts never need them; before that by who is about to give up the right to read it. */
export function loadSaslprep(): typeof prep {
  library ??= require('@mongodb-js/saslprep') as typeof prep;
  return library;
}

/**
 * @param use 'query' lets code points pass that Unicode 3.2 didn't have, 'stored' does not. RFC 3454 section 7.
 * @returns `undefined` for what SASLprep prohibits
 */
export function saslprep(text: string, use: 'query' | 'stored'): string | undefined {
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  try {
    return loadSaslprep()(text, { allowUnassigned: use === 'query' });
  } catch {
    return undefined;
  }
}

/**
 * A password as SCRAM hashes it, `Normalize(password)` of RFC 5802 section 2.2. What SASLprep prohibits, or what isn't UTF-8, is
 * hashed as it is: clients do the same, and the alternative is an account that nobody can open.
 */
export function preparedPassword(password: Buffer): Buffer {
  if (!isUtf8(password)) return password;
  const prepared = saslprep(password.toString('utf8'), 'stored');
  return prepared === undefined ? password : Buffer.from(prepared);
}
