/** By what a file is known again, and known to be unchanged. */
import type { FileStats } from '../../os/disk.ts';

export interface FileMark {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** How long two changes may get the same time stamp: a tick of the kernel is 10 ms at most. */
const TICK_MS = 20;
/** Where stamps are whole seconds, as on old or foreign file systems (FAT: two). */
const COARSE_TICK_MS = 2000;
const NS_PER_MS = 1_000_000n;
const NS_PER_S = 1_000_000_000n;

export function markOf({ dev, ino, size, mtimeNs, ctimeNs }: FileStats): FileMark {
  return { dev, ino, size, mtimeNs, ctimeNs };
}

export function sameFile(a: FileMark, b: FileMark): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}

export function sameMark(a: FileMark, b: FileMark): boolean {
  return a.mtimeNs === b.mtimeNs && a.size === b.size && a.ctimeNs === b.ctimeNs && sameFile(a, b);
}

/** Whether a change after `nowMs` would show in the time stamps of a file that has these now. */
export function wouldShow(mark: FileMark, nowMs: number): boolean {
  const lastMs = Math.max(Number(mark.mtimeNs / NS_PER_MS), Number(mark.ctimeNs / NS_PER_MS));
  const coarse = mark.mtimeNs % NS_PER_S === 0n && mark.ctimeNs % NS_PER_S === 0n;
  return nowMs - lastMs > (coarse ? COARSE_TICK_MS : TICK_MS);
}

export function mtimeMsOf(mark: FileMark): number {
  return Number(mark.mtimeNs / NS_PER_MS);
}
