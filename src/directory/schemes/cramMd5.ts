/** {CRAM-MD5}: the two states that HMAC-MD5 has after the padded key, the outer one first. RFC 2104 section 4, RFC 2195. */
import { hash, timingSafeEqual } from 'node:crypto';
import { BLOCK_OCTETS, digestFrom, STATE_OCTETS, stateAfter } from './md5State.ts';
import type { Scheme } from './scheme.ts';

export const cramMd5: Scheme = {
  names: ['CRAM-MD5', 'HMAC-MD5'],
  encoding: 'hex',
  proves: new Set(['password', 'cram-md5']),
  octets: 2 * STATE_OCTETS,
  verifier(stored) {
    if (stored.length !== 2 * STATE_OCTETS) return undefined;
    const outer = stored.subarray(0, STATE_OCTETS);
    const inner = stored.subarray(STATE_OCTETS);
    return {
      costly: false,
      password: (password) => timingSafeEqual(statesOf(password), stored),
      hmacMd5: (challenge) => digestFrom(outer, digestFrom(inner, challenge)),
    };
  },
  make: statesOf,
};

function statesOf(password: Buffer): Buffer {
  const key = Buffer.alloc(BLOCK_OCTETS);
  (password.length > BLOCK_OCTETS ? hash('md5', password, 'buffer') : password).copy(key);
  return Buffer.concat([stateAfter(key.map((octet) => octet ^ 0x5c) as Buffer), stateAfter(key.map((octet) => octet ^ 0x36) as Buffer)]);
}
