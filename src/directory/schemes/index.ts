/**
 * Stored passwords by name: `{SCHEME}…` as Dovecot writes them and `$…$` of crypt(3). One file for each family; a new scheme is
 * a row in its family's file, or a file and a line here.
 */
import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import type { ProofKind } from '../../model/directory.ts';
import { Fault } from '../../model/fault.ts';
import { argon2 } from './argon2.ts';
import { cramMd5 } from './cramMd5.ts';
import { crypts, modularVerifier } from './crypt.ts';
import { digests, plainMd5 } from './digests.ts';
import { pbkdf2Scheme } from './pbkdf2.ts';
import { plain } from './plain.ts';
import { passwordOnly, type Random, type Scheme, type Verifier } from './scheme.ts';
import { scramSha1, scramSha256 } from './scram.ts';

/** {MD5} is two things in Dovecot, too: crypt(3)'s `$1$`, and a bare MD5 digest. */
const md5: Scheme = {
  names: ['MD5'],
  encoding: 'text',
  proves: passwordOnly,
  verifier(stored) {
    if (stored.subarray(0, 3).equals(Buffer.from('$1$'))) return modularVerifier(stored);
    const octets = decoded(stored, plainMd5, '');
    return octets && plainMd5.verifier(octets);
  },
};

const schemes: readonly Scheme[] = [...crypts, ...argon2, scramSha256, scramSha1, pbkdf2Scheme, ...digests, cramMd5, plain, md5];
const byName = new Map(schemes.flatMap((scheme) => scheme.names.map((name) => [name, scheme] as const)));

/** Names that `hashPassword` takes, the recommended ones first. */
export const knownSchemes: readonly string[] = schemes.filter((scheme) => scheme.make).map((scheme) => scheme.names[0]);

/** Ways to log in that each password behind this `{SCHEME}` can honour; none for what isn't known. */
export function provedBy(prefix: string): ReadonlySet<ProofKind> {
  const name = /^\{([\w-]+)(?:\.(?:hex|b64|base64))?\}$/i.exec(prefix)?.[1]?.toUpperCase();
  return (name === undefined ? undefined : byName.get(name)?.proves) ?? new Set();
}

/**
 * What `{SCHEME}…` or `$…$` stands for.
 * @returns `undefined` for what is neither, malformed, of an unknown scheme, or dearer to check than a login may be
 */
export function storedVerifier(stored: Buffer): Verifier | undefined {
  if (stored[0] === 0x24) return modularVerifier(stored);
  const [prefix, name, suffix = ''] = /^\{([\w-]{1,32})(?:\.(hex|b64|base64))?\}/i.exec(stored.subarray(0, 48).toString('latin1')) ?? [];
  if (prefix === undefined || name === undefined) return undefined;
  const scheme = byName.get(name.toUpperCase());
  const octets = scheme && decoded(stored.subarray(prefix.length), scheme, suffix.toLowerCase());
  return octets && scheme.verifier(octets);
}

/**
 * What stands for `password` in a passwd file. Hashes of crypt(3) come without `{SCHEME}`, for the sake of other readers of the file.
 * @param name of `knownSchemes`, in any case, perhaps with `.HEX` or `.B64`
 * @throws Fault syntax for an unknown scheme, or a password that no line of a file could hold
 */
export async function hashPassword(name: string, password: Buffer, random: Random = randomBytes): Promise<string> {
  const [base = '', suffix = '', ...more] = name.toUpperCase().split('.');
  const scheme = byName.get(base);
  if (scheme?.make === undefined || !['', 'HEX', 'B64'].includes(suffix) || more.length > 0) {
    throw new Fault('syntax', 'unknown password scheme {scheme}', { values: { scheme: name } });
  }
  if (password.length === 0 || password.includes(0) || password.includes(0x0a) || password.includes(0x0d)) {
    throw new Fault('syntax', 'a password holds neither NUL nor line ends');
  }
  const made = await scheme.make(password, random);
  if (suffix !== '') return `{${base}.${suffix}}${made.toString(suffix === 'HEX' ? 'hex' : 'base64')}`;
  if (scheme.encoding !== 'text') return `{${base}}${made.toString(scheme.encoding)}`;
  // A colon would end the field, and a string holds no octets that aren't UTF-8.
  if (made.includes(0x3a) || !isUtf8(made)) return `{${base}.B64}${made.toString('base64')}`;
  return scheme.bare === true ? made.toString('latin1') : `{${base}}${made.toString('utf8')}`;
}

function decoded(stored: Buffer, scheme: Scheme, suffix: string): Buffer | undefined {
  const text = () => stored.toString('latin1');
  if (suffix === 'hex') return fromHex(text());
  if (suffix !== '') return fromBase64(text());
  if (scheme.encoding === 'text') return stored;
  // Dovecot does the same: where the length tells hex and base64 apart, either is taken.
  const isHex = scheme.octets === undefined ? scheme.encoding === 'hex' : stored.length === 2 * scheme.octets;
  return isHex ? fromHex(text()) : fromBase64(text());
}

function fromHex(text: string): Buffer | undefined {
  return /^(?:[0-9a-f]{2})+$/i.test(text) ? Buffer.from(text, 'hex') : undefined;
}

function fromBase64(text: string): Buffer | undefined {
  return /^[\w+/-]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}
