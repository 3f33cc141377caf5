/** The sums of SCRAM, RFC 5802 section 3, for SHA-1 and, by RFC 7677, SHA-256. Names are the RFC's. */
import { createHmac, hash as digest, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { ScramHash } from '../../model/directory.ts';

const pbkdf2Later = promisify(pbkdf2);

/** Octets of each key, proof and signature. */
export const scramLength: Readonly<Record<ScramHash, number>> = { sha1: 20, sha256: 32 };

/** What a server keeps instead of a password. */
export interface ScramVerifier {
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** Hi(Normalize(password), salt, i), in the thread pool. @param prepared the password after `preparedPassword` */
export function saltedPassword(hash: ScramHash, prepared: Buffer, salt: Buffer, iterations: number): Promise<Buffer> {
  return pbkdf2Later(prepared, salt, iterations, scramLength[hash], hash);
}

/** StoredKey = H(HMAC(SaltedPassword, "Client Key")), ServerKey = HMAC(SaltedPassword, "Server Key"). */
export function scramVerifier(hash: ScramHash, salted: Buffer): ScramVerifier {
  return {
    storedKey: digest(hash, hmac(hash, salted, 'Client Key'), 'buffer'),
    serverKey: hmac(hash, salted, 'Server Key'),
  };
}

/** Whether H(ClientProof XOR ClientSignature) = StoredKey, in constant time. */
export function proofHolds(hash: ScramHash, storedKey: Buffer, authMessage: Buffer, clientProof: Buffer): boolean {
  const length = scramLength[hash];
  if (clientProof.length !== length || storedKey.length !== length) return false;
  const clientKey = hmac(hash, storedKey, authMessage);
  for (const [index, octet] of clientProof.entries()) clientKey.writeUInt8(clientKey.readUInt8(index) ^ octet, index);
  return timingSafeEqual(digest(hash, clientKey, 'buffer'), storedKey);
}

/** ServerSignature = HMAC(ServerKey, AuthMessage): shows the client that the server knows its verifier. */
export function serverSignature(hash: ScramHash, serverKey: Buffer, authMessage: Buffer): Buffer {
  return hmac(hash, serverKey, authMessage);
}

function hmac(hash: ScramHash, key: Buffer, text: string | Buffer): Buffer {
  return createHmac(hash, key).update(text).digest();
}
