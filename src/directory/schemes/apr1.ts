/** `$apr1$salt$hash`: what htpasswd makes unless told otherwise. MD5 a thousand times, and unknown to crypt(3). */
import { hash, timingSafeEqual } from 'node:crypto';
import { passwordVerifier, type Verifier } from './scheme.ts';

const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const PREFIX = '$apr1$';

export function apr1Verifier(stored: Buffer): Verifier | undefined {
  const match = /^\$apr1\$([^$]{1,8})\$[./0-9A-Za-z]{22}$/.exec(stored.toString('latin1'));
  if (match === null) return undefined;
  const salt = Buffer.from(match[1] ?? '', 'latin1');
  return passwordVerifier((password) => timingSafeEqual(apr1(password, salt), stored), true);
}

const md5 = (parts: readonly Buffer[]) => hash('md5', Buffer.concat(parts), 'buffer');

function apr1(password: Buffer, salt: Buffer): Buffer {
  const parts = [password, Buffer.from(PREFIX), salt];
  const both = md5([password, salt, password]);
  for (let left = password.length; left > 0; left -= 16) parts.push(both.subarray(0, Math.min(left, 16)));
  for (let bits = password.length; bits > 0; bits >>= 1) parts.push(bits & 1 ? Buffer.alloc(1) : password.subarray(0, 1));
  let digest = md5(parts);
  for (let round = 0; round < 1000; round++) {
    digest = md5([
      round & 1 ? password : digest,
      ...(round % 3 ? [salt] : []),
      ...(round % 7 ? [password] : []),
      round & 1 ? digest : password,
    ]);
  }
  return Buffer.concat([Buffer.from(PREFIX), salt, Buffer.from(`$${encoded(digest)}`)]);
}

/** Base 64 of its own, least significant bits first, the octets in an order of their own. */
function encoded(digest: Buffer): string {
  const at = (index: number) => digest.readUInt8(index);
  let text = '';
  const put = (value: number, digits: number) => {
    for (let rest = value, i = 0; i < digits; i++, rest >>>= 6) text += alphabet[rest & 63];
  };
  for (const [a, b, c] of [
    [0, 6, 12],
    [1, 7, 13],
    [2, 8, 14],
    [3, 9, 15],
    [4, 10, 5],
  ] as const)
    put((at(a) << 16) | (at(b) << 8) | at(c), 4);
  put(at(11), 2);
  return text;
}
