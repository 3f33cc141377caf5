/** What stands for a password in a file, and what can be shown by it. */
import { timingSafeEqual } from 'node:crypto';
import type { ProofKind, ScramHash } from '../../model/directory.ts';

/** Keys of RFC 5802 section 3, of one password with one salt. */
export interface ScramKeys {
  readonly hash: ScramHash;
  readonly salt: Buffer;
  readonly iterations: number;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** One stored password, understood. */
export interface Verifier {
  /** Whether `password` takes long enough to be worth remembering its answer. */
  readonly costly: boolean;
  /** Whether this is the password. Costly ones run off the event loop. @throws Fault temporary where the host can't compute it */
  password(password: Buffer): boolean | Promise<boolean>;
  /** The password itself, where it is stored so. */
  readonly clearText?: Buffer;
  /** HMAC-MD5 of the challenge with the password as key: what is left when only its two inner states are stored. */
  readonly hmacMd5?: (challenge: Buffer) => Buffer;
  readonly scram?: ScramKeys;
}

export type Random = (octets: number) => Buffer;

/** A family of stored passwords. `{NAME}…`, with `.HEX` or `.B64` after the name for another encoding than its own. */
export interface Scheme {
  /** Upper case; the first is the one written. */
  readonly names: readonly [string, ...string[]];
  /** How the octets are written; `text`: as they are. */
  readonly encoding: 'text' | 'base64' | 'hex';
  /** Ways to log in that each password stored so can honour. */
  readonly proves: ReadonlySet<ProofKind>;
  /** Where every hash has this many octets: hex and base64 can be told apart by their length. */
  readonly octets?: number;
  /** `undefined`: not well-formed, or dearer to check than a login may be. */
  verifier(stored: Buffer): Verifier | undefined;
  /** What to store for a password; absent where no new ones should be made. */
  readonly make?: (password: Buffer, random: Random) => Buffer | Promise<Buffer>;
  /** Written without `{NAME}`: other programs that read passwd files know crypt(3) hashes and nothing else. */
  readonly bare?: boolean;
}

export const passwordOnly: ReadonlySet<ProofKind> = new Set(['password']);
export const everyProof: ReadonlySet<ProofKind> = new Set(['password', 'apop', 'cram-md5', 'scram-sha-1', 'scram-sha-256']);

/** A verifier that knows whether a password is the one, and nothing more. */
export function passwordVerifier(check: (password: Buffer) => boolean | Promise<boolean>, costly: boolean): Verifier {
  return { costly, password: check };
}

/** In a time that depends on what was given, and not on what it is compared with. */
export function same(given: Buffer, stored: Buffer): boolean {
  const isAsLong = given.length === stored.length;
  return timingSafeEqual(given, isAsLong ? stored : given) && isAsLong;
}
