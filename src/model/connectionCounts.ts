/** How many connections there are by some key (a source, an account), in all fronts together. */
export interface ConnectionCounts {
  /** @returns how many there are now, this one included */
  enter(key: string): number;
  leave(key: string): void;
  /** Keys with connections of this process. */
  readonly size: number;
}

/** Those of this process alone. */
export function createLocalCounts(): ConnectionCounts {
  const counts = new Map<string, number>();
  return {
    enter(key) {
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      return count;
    },
    leave(key) {
      const count = (counts.get(key) ?? 0) - 1;
      if (count > 0) counts.set(key, count);
      else counts.delete(key);
    },
    get size() {
      return counts.size;
    },
  };
}
