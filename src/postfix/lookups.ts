/** A question of Postfix' to one of our tables: looked up, counted, and whatever goes wrong made into "try again". */
import { Fault } from '../model/fault.ts';
import type { Log } from '../model/log.ts';
import type { MapName } from '../model/lookupMaps.ts';
import type { LookupCounts } from '../model/report.ts';

/** The value of a key, or `undefined` where the table has none. @throws Fault where that can't be told just now */
export type LookupMap = (key: string) => Promise<string | undefined>;

export type Found =
  | { readonly kind: 'found'; readonly value: string }
  | { readonly kind: 'none' }
  /** Not known at the moment: Postfix asks again, and mail waits. */
  | { readonly kind: 'later'; readonly fault: Fault };

export interface Lookups {
  /** Never rejects. @param key as it came, not yet trusted in any way */
  find(map: MapName, key: string): Promise<Found>;
}

export interface LookupsOptions {
  readonly maps: Readonly<Record<MapName, LookupMap>>;
  /** Written to. */
  readonly counts: LookupCounts;
  readonly log: Log;
}

const none: Found = { kind: 'none' };

export function createLookups({ maps, counts, log }: LookupsOptions): Lookups {
  return {
    async find(map, key) {
      try {
        const value = await maps[map](key);
        if (value === undefined) {
          counts.notFound++;
          return none;
        }
        counts.found++;
        return { kind: 'found', value };
      } catch (thrown) {
        const fault = Fault.from(thrown);
        counts.deferred++;
        log.warn('lookup.deferred', { map, key: key.slice(0, MOST_LOGGED), cause: fault.cause ?? fault.message });
        return { kind: 'later', fault };
      }
    },
  };
}

/** Characters of a key: who asks decides how long it is. */
const MOST_LOGGED = 320;
