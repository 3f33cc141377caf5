/** {SCRAM-SHA-1}, {SCRAM-SHA-256}: `iterations,salt,StoredKey,ServerKey` in base64, as Dovecot writes them. RFC 5802 section 3. */
import { timingSafeEqual } from 'node:crypto';
import type { ProofKind, ScramHash } from '../../model/directory.ts';
import { preparedPassword } from '../../sasl/saslprep.ts';
import { saltedPassword, scramLength, scramVerifier } from '../../sasl/scram/arithmetic.ts';
import type { Scheme, ScramKeys } from './scheme.ts';
import { turns } from './turns.ts';

/**
 * RFC 7677 section 4 asks for 4096 at least, and Dovecot makes as many: clear text, verifiers and the accounts that are
 * invented for unknown names then all look the same from outside.
 */
export const SCRAM_ITERATIONS = 4096;
export const SCRAM_SALT_OCTETS = 16;
/** A second of work. */
const MOST_ITERATIONS = 2_000_000;

const inTurn = turns(2);

/** Takes a millisecond of the thread pool. */
export async function deriveScramKeys(hash: ScramHash, password: Buffer, salt: Buffer, iterations: number): Promise<ScramKeys> {
  const salted = await inTurn(() => saltedPassword(hash, preparedPassword(password), salt, iterations));
  return { hash, salt, iterations, ...scramVerifier(hash, salted) };
}

function scheme(name: string, hash: ScramHash, kind: ProofKind): Scheme {
  return {
    names: [name],
    encoding: 'text',
    proves: new Set(['password', kind]),
    verifier(stored) {
      const keys = parse(hash, stored.toString('latin1'));
      if (keys === undefined) return undefined;
      return {
        costly: true,
        scram: keys,
        async password(password) {
          const { storedKey } = await deriveScramKeys(hash, password, keys.salt, keys.iterations);
          return timingSafeEqual(storedKey, keys.storedKey);
        },
      };
    },
    async make(password, random) {
      const keys = await deriveScramKeys(hash, password, random(SCRAM_SALT_OCTETS), SCRAM_ITERATIONS);
      const [salt, storedKey, serverKey] = [keys.salt, keys.storedKey, keys.serverKey].map((octets) => octets.toString('base64'));
      return Buffer.from(`${keys.iterations},${salt},${storedKey},${serverKey}`);
    },
  };
}

function parse(hash: ScramHash, text: string): ScramKeys | undefined {
  const match = /^([1-9]\d{0,6}),([\w+/]+={0,2}),([\w+/]+={0,2}),([\w+/]+={0,2})$/.exec(text);
  if (match === null) return undefined;
  const iterations = Number(match[1]);
  const [salt, storedKey, serverKey] = match.slice(2).map((part) => Buffer.from(part, 'base64'));
  if (salt === undefined || storedKey?.length !== scramLength[hash] || serverKey?.length !== scramLength[hash]) return undefined;
  return iterations > MOST_ITERATIONS ? undefined : { hash, salt, iterations, storedKey, serverKey };
}

export const scramSha1 = scheme('SCRAM-SHA-1', 'sha1', 'scram-sha-1');
export const scramSha256 = scheme('SCRAM-SHA-256', 'sha256', 'scram-sha-256');
