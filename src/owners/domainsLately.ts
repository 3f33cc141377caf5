/** What domains say, as they said it within the last second: quota asks about the same few for recipient after recipient, and each answer is a worker's. */
import type { DomainName } from '../model/address.ts';
import type { Directory, HostedDomain } from '../model/directory.ts';

const LASTS_MS = 1000;
const MOST_KNOWN = 1000;

/** @param clock milliseconds of a clock that only goes forward */
export function domainsLately(directory: Pick<Directory, 'domain'>, clock: () => number): Pick<Directory, 'domain'> {
  const known = new Map<DomainName, { readonly atMs: number; readonly answer: Promise<HostedDomain | undefined> }>();

  function ask(name: DomainName, atMs: number): Promise<HostedDomain | undefined> {
    const answer = directory.domain(name);
    known.delete(name);
    known.set(name, { atMs, answer });
    const [oldest] = known.keys();
    if (known.size > MOST_KNOWN && oldest !== undefined) known.delete(oldest);
    // What couldn't be answered is asked again by the next one.
    answer.catch(() => {
      if (known.get(name)?.answer === answer) known.delete(name);
    });
    return answer;
  }

  return {
    domain(name) {
      const nowMs = clock();
      const found = known.get(name);
      return found !== undefined && nowMs - found.atMs < LASTS_MS ? found.answer : ask(name, nowMs);
    },
  };
}
