/** Places that are taken for a while, a limited number of each kind. */
export interface Place {
  readonly kind: string;
  /** Of that kind at a time. */
  readonly most: number;
}

export class Places {
  readonly #taken = new Map<string, number>();

  get size(): number {
    return this.#taken.size;
  }

  /** Takes all of them or none. @returns whether it did */
  take(places: readonly Place[]): boolean {
    if (places.some(({ kind, most }) => (this.#taken.get(kind) ?? 0) >= most)) return false;
    for (const { kind } of places) this.#taken.set(kind, (this.#taken.get(kind) ?? 0) + 1);
    return true;
  }

  give(places: readonly Place[]): void {
    for (const { kind } of places) {
      const left = (this.#taken.get(kind) ?? 0) - 1;
      if (left > 0) this.#taken.set(kind, left);
      else this.#taken.delete(kind);
    }
  }
}
