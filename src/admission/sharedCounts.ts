/**
 * Connections by key, in all fronts together. A front tells the others about a key when its count is `step` away from what it told last, so
 * that one connection at a time never costs a message. So the sum may be wrong by (fronts - 1) × (step - 1), either way: less than a quarter
 * of the limit, or one for each other front where that is more; and by what comes within a batch of news.
 */
import type { ConnectionCounts } from '../model/connectionCounts.ts';
import type { Clock } from './clock.ts';

export interface SharedCountsOptions {
  /** The limit that the counts are for. */
  readonly limit: number;
  readonly fronts: number;
  readonly untoldShare: number;
  /** Counts told are repeated so often, and forgotten when they were not repeated for so long: their front is gone. */
  readonly heartbeatMs: number;
  readonly forgottenMs: number;
  /** Fronts listened to, and counts of all of them. */
  readonly mostFronts: number;
  readonly mostHeard: number;
  readonly clock: Clock;
  tell(key: string, connections: number): void;
}

interface OtherFront {
  heardMs: number;
  readonly counts: Map<string, number>;
}

export class SharedCounts implements ConnectionCounts {
  readonly #options: SharedCountsOptions;
  readonly #step: number;
  readonly #own = new Map<string, number>();
  readonly #told = new Map<string, number>();
  readonly #fronts = new Map<number, OtherFront>();
  /** Of all other fronts together. */
  readonly #others = new Map<string, number>();
  /** Counts in all of `#fronts`. */
  #heard = 0;
  #cancel: (() => void) | undefined;

  constructor(options: SharedCountsOptions) {
    this.#options = options;
    this.#step = Math.max(2, Math.floor((options.limit * options.untoldShare) / options.fronts));
  }

  /** Keys with connections of this front. */
  get size(): number {
    return this.#own.size;
  }

  enter(key: string): number {
    const count = (this.#own.get(key) ?? 0) + 1;
    this.#own.set(key, count);
    if (count >= this.#step) this.#tellIfFar(key, count);
    return this.#others.size === 0 ? count : count + (this.#others.get(key) ?? 0);
  }

  leave(key: string): void {
    const count = (this.#own.get(key) ?? 0) - 1;
    if (count > 0) this.#own.set(key, count);
    else this.#own.delete(key);
    if (this.#told.has(key)) this.#tellIfFar(key, Math.max(0, count));
  }

  /** What another front told. */
  heard(front: number, key: string, connections: number): void {
    const { mostFronts, mostHeard, clock } = this.#options;
    let other = this.#fronts.get(front);
    if (other === undefined) {
      if (this.#fronts.size >= mostFronts) return;
      other = { heardMs: 0, counts: new Map() };
      this.#fronts.set(front, other);
    }
    other.heardMs = clock.now();
    const before = other.counts.get(key) ?? 0;
    if (before === 0 && this.#heard >= mostHeard) return;
    if (connections > 0) other.counts.set(key, connections);
    else other.counts.delete(key);
    this.#heard += Number(connections > 0) - Number(before > 0);
    this.#change(key, connections - before);
    this.#beat();
  }

  stop(): void {
    this.#cancel?.();
    for (const key of this.#told.keys()) this.#options.tell(key, 0);
    this.#told.clear();
  }

  #tellIfFar(key: string, count: number): void {
    const { fronts, tell } = this.#options;
    if (fronts === 1) return;
    const told = this.#told.get(key) ?? 0;
    const isFar = Math.abs(count - told) >= this.#step || (count === 0 && told > 0);
    if (!isFar) return;
    if (count > 0) this.#told.set(key, count);
    else this.#told.delete(key);
    tell(key, count);
    this.#beat();
  }

  /** While there is anything to repeat or to forget. */
  #beat(): void {
    if (this.#cancel !== undefined || (this.#told.size === 0 && this.#fronts.size === 0)) return;
    const { clock, heartbeatMs, forgottenMs, tell } = this.#options;
    this.#cancel = clock.after(heartbeatMs, () => {
      this.#cancel = undefined;
      for (const [key, count] of this.#told) tell(key, count);
      for (const [front, other] of this.#fronts) {
        const age = clock.now() - other.heardMs;
        if (age < 0) other.heardMs = clock.now();
        if (age < forgottenMs && other.counts.size > 0) continue;
        this.#fronts.delete(front);
        this.#heard -= other.counts.size;
        for (const [key, count] of other.counts) this.#change(key, -count);
      }
      this.#beat();
    });
  }

  #change(key: string, change: number): void {
    const count = (this.#others.get(key) ?? 0) + change;
    if (count > 0) this.#others.set(key, count);
    else this.#others.delete(key);
  }
}
