/** Sizes as people write them. */

const factors: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['B', 1],
  ['KB', 1e3],
  ['MB', 1e6],
  ['GB', 1e9],
  ['TB', 1e12],
  ['KIB', 2 ** 10],
  ['MIB', 2 ** 20],
  ['GIB', 2 ** 30],
  ['TIB', 2 ** 40],
]);

/** Octets: of a whole number, or of a text such as `500 MB`, `1.5 GiB`. `undefined`: no size, or one that no number holds exactly. */
export function parseSize(written: unknown): number | undefined {
  if (typeof written === 'number') return Number.isSafeInteger(written) && written >= 0 ? written : undefined;
  if (typeof written !== 'string') return undefined;
  const [, digits, unit = ''] = /^(\d{1,15}(?:\.\d{1,3})?) ?([KMGT]?I?B)?$/i.exec(written) ?? [];
  const factor = factors.get(unit.toUpperCase());
  if (digits === undefined || factor === undefined) return undefined;
  const octets = Math.round(Number(digits) * factor);
  return Number.isSafeInteger(octets) ? octets : undefined;
}
