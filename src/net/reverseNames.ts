/** The names of our own addresses in DNS, for hosts that tell domains apart by the address connected to. */

const FRESH_MS = 10 * 60_000;
const RETRY_MS = 30_000;

interface Entry {
  readonly name: Promise<string | undefined>;
  untilMs: number;
}

/**
 * A host has few addresses and their names rarely change: each is asked for once in ten minutes, and after a failure not again for half a
 * minute. Who asks while an answer is on its way waits for the same one. `undefined`: it has no name, or nobody could be asked.
 */
export function createReverseNames(
  reverse: (address: string) => Promise<readonly string[]>,
  now: () => number,
): (address: string) => Promise<string | undefined> {
  const known = new Map<string, Entry>();
  return (address) => {
    const found = known.get(address);
    if (found !== undefined && now() < found.untilMs) return found.name;
    const name = reverse(address).then(
      ([first]) => first,
      () => {
        entry.untilMs = now() + RETRY_MS;
        return undefined;
      },
    );
    const entry: Entry = { name, untilMs: now() + FRESH_MS };
    known.set(address, entry);
    return name;
  };
}
