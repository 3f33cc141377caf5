/**
 * How long a failed login is held back. Each failure from one source doubles the delay of its next one, and each quiet spell takes one doubling
 * back. Only failures wait: who knows the password gets in at once, however often somebody behind the same address guessed wrong.
 */
export interface ThrottleOptions {
  /** Delay of a first failure, in ms; 0 switches delays off. */
  readonly baseMs: number;
  /** No delay is longer. */
  readonly maxMs?: number;
  /** A quiet spell, in ms. */
  readonly forgetMs?: number;
  /** Sources remembered; beyond that the one whose last failure is longest ago is forgotten. */
  readonly capacity?: number;
}

interface Guesses {
  readonly failures: number;
  readonly atMs: number;
}

export class Throttle {
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #forgetMs: number;
  readonly #capacity: number;
  /** In order of the last failure: what is written goes to the end. */
  readonly #sources = new Map<string, Guesses>();

  constructor(options: ThrottleOptions) {
    this.#baseMs = options.baseMs;
    this.#maxMs = options.maxMs ?? 15_000;
    this.#forgetMs = options.forgetMs ?? 60_000;
    this.#capacity = options.capacity ?? 20_000;
  }

  /** Counts a failed login and says how long after its command the reply may go out, in ms. */
  failed(source: string, nowMs: number): number {
    const earlier = this.#level(source, nowMs);
    const delay = Math.min(this.#baseMs * 2 ** earlier, Math.max(this.#maxMs, this.#baseMs));
    this.#sources.delete(source);
    // Failures that no longer lengthen the delay are not piled up, or it would stay long for hours after.
    this.#sources.set(source, { failures: delay < this.#maxMs ? earlier + 1 : earlier, atMs: nowMs });
    if (this.#sources.size > this.#capacity) {
      const [oldest] = this.#sources.keys();
      if (oldest !== undefined) this.#sources.delete(oldest);
    }
    return delay;
  }

  /** Sources remembered, for the state in the log. */
  get size(): number {
    return this.#sources.size;
  }

  #level(source: string, nowMs: number): number {
    const record = this.#sources.get(source);
    if (record === undefined) return 0;
    return Math.max(0, record.failures - Math.floor(Math.max(0, nowMs - record.atMs) / this.#forgetMs));
  }
}
