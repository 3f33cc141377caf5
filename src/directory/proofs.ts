/** Whether a proof holds against what is stored: the same sums for every directory. */
import { createHmac, hash as digestOf } from 'node:crypto';
import type { Proof, ScramHash } from '../model/directory.ts';
import { proofHolds, serverSignature } from '../sasl/scram/arithmetic.ts';
import { type ScramKeys, same, type Verifier } from './schemes/scheme.ts';

export interface Outcome {
  readonly holds: boolean;
  /** With a SCRAM proof that holds. */
  readonly serverSignature?: Buffer;
}

const fails: Outcome = { holds: false };

/** Keys of an account whose password is stored in clear. */
export type KeysOf = (password: Buffer, hash: ScramHash) => Promise<ScramKeys>;

/**
 * @param verifiers of one password, the one in the passwd file first: a password is checked against that alone
 * @throws Fault temporary
 */
export async function checkProof(verifiers: readonly Verifier[], proof: Proof, keysOf: KeysOf): Promise<Outcome> {
  const clearText = verifiers[0]?.clearText;
  switch (proof.kind) {
    case 'password':
      return { holds: proof.password.length > 0 && (await verifiers[0]?.password(proof.password)) === true };
    case 'apop':
      return clearText === undefined
        ? fails
        : sameHex(digestOf('md5', Buffer.concat([Buffer.from(proof.timestamp), clearText])), proof.digest);
    case 'cram-md5': {
      const challenge = Buffer.from(proof.challenge);
      if (clearText !== undefined) return sameHex(createHmac('md5', clearText).update(challenge).digest('hex'), proof.digest);
      const hmacMd5 = verifiers.find((verifier) => verifier.hmacMd5)?.hmacMd5;
      return hmacMd5 === undefined ? fails : sameHex(hmacMd5(challenge).toString('hex'), proof.digest);
    }
    case 'scram': {
      const { hash, authMessage, clientProof } = proof;
      const keys = storedKeys(verifiers, hash) ?? (clearText && (await keysOf(clearText, hash)));
      if (keys === undefined || !proofHolds(hash, keys.storedKey, authMessage, clientProof)) return fails;
      return { holds: true, serverSignature: serverSignature(hash, keys.serverKey, authMessage) };
    }
  }
}

/** Keys that are stored as they are. */
export function storedKeys(verifiers: readonly Verifier[], hash: ScramHash): ScramKeys | undefined {
  return verifiers.find((verifier) => verifier.scram?.hash === hash)?.scram;
}

/** Digests are compared in lower case: RFC 1939 and 2195 write them so. */
function sameHex(computed: string, given: string): Outcome {
  return { holds: same(Buffer.from(computed), Buffer.from(given)) };
}
