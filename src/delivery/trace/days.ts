/** The files of a trace: one for each day in UTC, `2026-11-29.jsonl`. */

const FILE = /^(\d{4}-\d{2}-\d{2})\.jsonl$/;
const DAY_MS = 86_400_000;

export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

export function fileOf(folder: string, day: string): string {
  return `${folder}/${day}.jsonl`;
}

/** `undefined`: no file of a trace. */
export function dayIn(name: string): string | undefined {
  return FILE.exec(name)?.[1];
}

/** The first of so many days that end with the one of `nowMs`. */
export function firstOf(days: number, nowMs: number): string {
  return dayOf(nowMs - (days - 1) * DAY_MS);
}
