/** What a front asks the supervisor for: the report of all processes. One question at a time, however many wait for the answer. */
import type { HouseReport } from '../model/report.ts';
import type { EverybodyTold, FromFront } from './protocol.ts';

export interface Everybody {
  /** @throws Error when no answer comes in time */
  report(): Promise<HouseReport>;
  told(message: EverybodyTold): void;
}

/** Longer than the supervisor waits for those who don't answer, twice. */
const LIMIT_MS = 5000;

export function createEverybody(tell: (message: FromFront) => void): Everybody {
  let asked: (PromiseWithResolvers<HouseReport> & { readonly limit: NodeJS.Timeout }) | undefined;
  return {
    report() {
      if (asked === undefined) {
        const answer = Promise.withResolvers<HouseReport>();
        const limit = setTimeout(() => {
          asked = undefined;
          answer.reject(new Error('the supervisor does not answer'));
        }, LIMIT_MS);
        asked = { ...answer, limit };
        tell({ kind: 'everybody' });
      }
      return asked.promise;
    },
    told({ report }) {
      clearTimeout(asked?.limit);
      asked?.resolve(report);
      asked = undefined;
    },
  };
}
