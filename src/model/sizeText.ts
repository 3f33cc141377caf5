const units = ['B', 'kB', 'MB', 'GB', 'TB'];

/** A size for people, in powers of ten as `parseSize` reads them: `500 MB`, `1.5 GB`. Rounded to two or three digits. */
export function formatSize(octets: number): string {
  let value = octets;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const rounded = value >= 10 || unit === 0 ? Math.round(value) : Math.round(value * 10) / 10;
  return `${rounded} ${units[unit]}`;
}
