/**
 * A map of bounded weight that forgets what was not set for longest. In two generations: when the young one is half full, it becomes the old
 * one, and what was left in that is forgotten. So it holds at least half of its capacity, and each step takes the same time, where looking
 * for the oldest entry of a full Map would take longer and longer.
 */
export class RecentMap<K, V> {
  readonly #half: number;
  readonly #weigh: (value: V) => number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();
  #youngWeight = 0;
  #oldWeight = 0;

  /** @param weigh must not change for a value that is in the map; left out: 1 each */
  constructor(capacity: number, weigh: (value: V) => number = () => 1) {
    this.#half = Math.ceil(capacity / 2);
    this.#weigh = weigh;
  }

  /** Weight of all. */
  get size(): number {
    return this.#youngWeight + this.#oldWeight;
  }

  get(key: K): V | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  set(key: K, value: V): void {
    const young = this.#young.get(key);
    const old = young === undefined ? this.#old.get(key) : undefined;
    if (young !== undefined) this.#youngWeight -= this.#weigh(young);
    if (old !== undefined) {
      this.#oldWeight -= this.#weigh(old);
      this.#old.delete(key);
    }
    this.#young.set(key, value);
    this.#youngWeight += this.#weigh(value);
    if (this.#youngWeight < this.#half) return;
    this.#old = this.#young;
    this.#oldWeight = this.#youngWeight;
    this.#young = new Map();
    this.#youngWeight = 0;
  }

  /** The old generation first. */
  *[Symbol.iterator](): Generator<[K, V]> {
    yield* this.#old;
    yield* this.#young;
  }
}
