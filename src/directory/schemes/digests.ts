/** One round of a hash, with or without a salt after it: what LDAP servers and older Dovecot set-ups hold. */
import { hash, timingSafeEqual } from 'node:crypto';
import { passwordOnly, passwordVerifier, type Scheme } from './scheme.ts';

const SALT_OCTETS = 8;

function unsalted(names: Scheme['names'], algorithm: string, octets: number, encoding: Scheme['encoding']): Scheme {
  return {
    names,
    encoding,
    proves: passwordOnly,
    octets,
    verifier(stored) {
      if (stored.length !== octets) return undefined;
      return passwordVerifier((password) => timingSafeEqual(hash(algorithm, password, 'buffer'), stored), false);
    },
    make: (password) => hash(algorithm, password, 'buffer'),
  };
}

/** The salt stands behind the digest and has any length. */
function salted(name: string, algorithm: string, octets: number): Scheme {
  const digest = (password: Buffer, salt: Buffer) => hash(algorithm, Buffer.concat([password, salt]), 'buffer');
  return {
    names: [name],
    encoding: 'base64',
    proves: passwordOnly,
    verifier(stored) {
      if (stored.length <= octets) return undefined;
      const salt = stored.subarray(octets);
      const expected = stored.subarray(0, octets);
      return passwordVerifier((password) => timingSafeEqual(digest(password, salt), expected), false);
    },
    make(password, random) {
      const salt = random(SALT_OCTETS);
      return Buffer.concat([digest(password, salt), salt]);
    },
  };
}

export const plainMd5 = unsalted(['PLAIN-MD5'], 'md5', 16, 'hex');

export const digests: readonly Scheme[] = [
  unsalted(['SHA', 'SHA1'], 'sha1', 20, 'base64'),
  unsalted(['SHA256'], 'sha256', 32, 'base64'),
  unsalted(['SHA512'], 'sha512', 64, 'base64'),
  salted('SSHA', 'sha1', 20),
  salted('SSHA256', 'sha256', 32),
  salted('SSHA512', 'sha512', 64),
  salted('SMD5', 'md5', 16),
  plainMd5,
  unsalted(['LDAP-MD5'], 'md5', 16, 'base64'),
];
