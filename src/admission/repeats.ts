/** Wrong passwords that were tried already: a program that nobody told the new one tries the same for days, which is no guessing. */
import { createHmac } from 'node:crypto';
import { RecentMap } from './recentMap.ts';

export interface RepeatsOptions {
  /** Since it was last tried. */
  readonly rememberedMs: number;
  readonly capacity: number;
}

/** 48 bits of a keyed digest: enough to tell a password from the other few of one source, and nothing without the key. */
export type PasswordMark = number;

export function passwordMark(key: Buffer, source: string, account: string, password: Buffer): PasswordMark {
  return createHmac('sha256', key).update(`${source}\0${account}\0`).update(password).digest().readUIntBE(0, 6);
}

export class Repeats {
  readonly #options: RepeatsOptions;
  readonly #triedMs: RecentMap<PasswordMark, number>;

  constructor(options: RepeatsOptions) {
    this.#options = options;
    this.#triedMs = new RecentMap(options.capacity);
  }

  get size(): number {
    return this.#triedMs.size;
  }

  /** Remembers it. @returns whether it was remembered already */
  tried(mark: PasswordMark, nowMs: number): boolean {
    const before = this.#triedMs.get(mark);
    this.#triedMs.set(mark, nowMs);
    return before !== undefined && nowMs - before <= this.#options.rememberedMs;
  }
}
