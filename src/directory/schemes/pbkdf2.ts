/** {PBKDF2}$1$salt$rounds$hash: Dovecot's own form, SHA-1, the salt taken as it is written, the hash in hex. RFC 8018 section 5.2. */
import { pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { passwordOnly, passwordVerifier, type Scheme } from './scheme.ts';
import { turns } from './turns.ts';

const pbkdf2Later = promisify(pbkdf2);
const inTurn = turns(2);

const HASH_OCTETS = 20;
const ROUNDS = 100_000;
/** Two seconds of work. */
const MOST_ROUNDS = 5_000_000;

const derive = (password: Buffer, salt: string, rounds: number) =>
  inTurn(() => pbkdf2Later(password, Buffer.from(salt, 'latin1'), rounds, HASH_OCTETS, 'sha1'));

export const pbkdf2Scheme: Scheme = {
  names: ['PBKDF2'],
  encoding: 'text',
  proves: passwordOnly,
  verifier(stored) {
    const [, salt, rounds, hash] = /^\$1\$([^$]+)\$([1-9]\d{0,7})\$([0-9a-f]{40})$/i.exec(stored.toString('latin1')) ?? [];
    if (salt === undefined || hash === undefined || Number(rounds) > MOST_ROUNDS) return undefined;
    const expected = Buffer.from(hash, 'hex');
    return passwordVerifier(async (password) => timingSafeEqual(await derive(password, salt, Number(rounds)), expected), true);
  },
  async make(password, random) {
    const salt = random(12).toString('base64url');
    return Buffer.from(`$1$${salt}$${ROUNDS}$${(await derive(password, salt, ROUNDS)).toString('hex')}`);
  },
};
