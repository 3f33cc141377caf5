/**
 * Salts and keys for SCRAM where none are stored. A salt comes from the directory's secret and the account's name, so it is the
 * same from every front and after every restart, for accounts with a clear-text password and for those that don't exist alike.
 */
import { createHmac } from 'node:crypto';
import type { ScramHash } from '../model/directory.ts';
import type { ScramKeys } from './schemes/scheme.ts';
import { deriveScramKeys, SCRAM_ITERATIONS, SCRAM_SALT_OCTETS } from './schemes/scram.ts';

export class ScramKeyring {
  readonly #secret: Buffer;
  readonly #limit: number;
  readonly #keys = new Map<string, { readonly password: Buffer; readonly keys: Promise<ScramKeys> }>();

  /** @param limit keys kept; the oldest make room */
  constructor(secret: Buffer, limit: number) {
    this.#secret = secret;
    this.#limit = limit;
  }

  /** The option `s-` doesn't count: else two salts would tell that only one of the names exists. */
  salt(name: string, hash: ScramHash, octets: number = SCRAM_SALT_OCTETS): Buffer {
    const text = `scram salt\0${hash}\0${name.replace(/^s-/, '')}`;
    return createHmac('sha512', this.#secret).update(text).digest().subarray(0, octets);
  }

  /** Derived once for each password: a millisecond of the thread pool. */
  keys(name: string, password: Buffer, hash: ScramHash): Promise<ScramKeys> {
    const id = `${hash}\0${name}`;
    const known = this.#keys.get(id);
    if (known?.password.equals(password)) return known.keys;
    // The copy doesn't hold on to the whole file that the password was read from.
    const fresh = { password: Buffer.from(password), keys: deriveScramKeys(hash, password, this.salt(name, hash), SCRAM_ITERATIONS) };
    this.#keys.delete(id);
    this.#keys.set(id, fresh);
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= this.#limit) break;
      this.#keys.delete(oldest);
    }
    return fresh.keys;
  }
}
