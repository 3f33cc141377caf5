/** What was done once, for as long as the process lives: for tests and a look around. */
import type { OnceMemory } from '../../model/onceMemory.ts';

/** @param now ms since 1970 */
export function createMemoryOnceMemory(now: () => number): OnceMemory {
  const noted = new Map<string, number>();
  return {
    async first({ name }, topic, key, lastsS) {
      const entry = JSON.stringify([name, topic, key]);
      const notedAt = noted.get(entry);
      if (notedAt !== undefined && Math.abs(now() - notedAt) < lastsS * 1000) return false;
      noted.set(entry, now());
      return true;
    },
  };
}
