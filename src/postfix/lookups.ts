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
  /** Milliseconds of a clock that only goes forward. */
  readonly clock: () => number;
}

const none: Found = { kind: 'none' };

export function createLookups({ maps, counts, log, clock }: LookupsOptions): Lookups {
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  let more = 0;

  /** Once a second at most: whoever's files are in trouble, Postfix asks on and on. */
  function noteDeferral(map: MapName, key: string, { cause, message }: Fault): void {
    const now = clock();
    if (now - loggedAtMs < 1000) {
      more++;
      return;
    }
    loggedAtMs = now;
    log.warn('lookup.deferred', { map, key: key.slice(0, MOST_LOGGED), cause: cause ?? message, ...(more > 0 && { more }) });
    more = 0;
  }

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
        noteDeferral(map, key, fault);
        return { kind: 'later', fault };
      }
    },
  };
}

/** Characters of a key: who asks decides how long it is. */
const MOST_LOGGED = 320;
