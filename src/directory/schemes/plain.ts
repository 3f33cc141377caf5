/** Clear text: the one kind from which every proof can be worked out. */
import { everyProof, type Scheme, same, type Verifier } from './scheme.ts';

/** `undefined` for the empty password: it would let everybody in. */
export function clearText(stored: Buffer): Verifier | undefined {
  if (stored.length === 0) return undefined;
  return { costly: false, clearText: stored, password: (given) => same(given, stored) };
}

export const plain: Scheme = {
  names: ['PLAIN', 'CLEARTEXT', 'CLEAR'],
  encoding: 'text',
  proves: everyProof,
  verifier: clearText,
  make: (password) => password,
};
