/** How hard an account or a network is guessed at: failures lately, and attempts under way, each of which may be one. */
import { Tally, type TallyEntry, type TallyOptions } from './tally.ts';

export interface PressureOptions extends TallyOptions {
  /** Up to here nobody has to wait. */
  readonly allowance: number;
}

export class Pressure {
  readonly #allowance: number;
  readonly #failures: Tally;
  readonly #underWay = new Map<string, number>();

  constructor(options: PressureOptions) {
    this.#allowance = options.allowance;
    this.#failures = new Tally(options);
  }

  get size(): number {
    return this.#failures.size;
  }

  /** How far a further attempt would be beyond the allowance; below 0: it isn't. */
  excess(key: string, nowMs: number): number {
    return this.#failures.level(key, nowMs) + (this.#underWay.get(key) ?? 0) - this.#allowance;
  }

  /** Failures alone use up the allowance. */
  isAttacked(key: string, nowMs: number): boolean {
    return this.#failures.level(key, nowMs) >= this.#allowance;
  }

  /** They have faded to half of the allowance. */
  isCalm(key: string, nowMs: number): boolean {
    return this.#failures.level(key, nowMs) <= this.#allowance / 2;
  }

  /** An attempt that may turn out to be a guess: without it any number could be under way before the first has failed. */
  begin(key: string): void {
    this.#underWay.set(key, (this.#underWay.get(key) ?? 0) + 1);
  }

  end(key: string): void {
    const left = (this.#underWay.get(key) ?? 0) - 1;
    if (left > 0) this.#underWay.set(key, left);
    else this.#underWay.delete(key);
  }

  failed(key: string, nowMs: number): void {
    this.#failures.add(key, nowMs);
  }

  put(entry: TallyEntry): void {
    this.#failures.put(entry);
  }

  entries(nowMs: number): Iterable<TallyEntry> {
    return this.#failures.entries(nowMs);
  }
}
