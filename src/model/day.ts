/** Days of the calendar, as `YYYY-MM-DD`: such texts compare as the days do. */

/** `undefined` for what is no day there is. */
export function parseDay(written: unknown): string | undefined {
  if (typeof written !== 'string' || !/^\d{4}-\d{2}-\d{2}$/.test(written)) return undefined;
  const date = new Date(`${written}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(written) ? written : undefined;
}

/** The day it is at `ms` since 1970 in a time zone. @param timeZone IANA name; `undefined`: the host's. @throws RangeError for one that isn't there */
export function dayAt(ms: number, timeZone: string | undefined): string {
  const parts = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(ms);
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? '';
  return `${part('year').padStart(4, '0')}-${part('month')}-${part('day')}`;
}

export function isTimeZone(name: string): boolean {
  try {
    dayAt(0, name);
    return true;
  } catch {
    return false;
  }
}
