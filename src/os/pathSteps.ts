/**
 * The steps that the kernel takes along a path, each folder and each link, without opening any of them: whoever owns one of them, or may
 * write to it, decides what is found at the end.
 */
import { join } from 'node:path';
import type { Disk, FileStats } from './disk.ts';

export interface Step {
  /** Without links in it, save the last name. */
  readonly path: string;
  readonly stats: FileStats;
}

export interface Walk {
  /** Folders and links in the order in which they are passed; after each folder comes what was looked for in it. */
  readonly steps: readonly Step[];
  readonly end: Step;
}

/** Linux's own limit for links. */
const MOST_LINKS = 40;
/** Links can be long and lead back and forth; no honest path has so many parts. */
const MOST_STEPS = 256;

/**
 * @param path absolute
 * @returns `undefined`: nothing is there, a link to nothing included
 * @throws Error with `code` of the system, ELOOP for too many links or steps
 */
export function walk(disk: Disk, path: string): Walk | undefined {
  const steps: Step[] = [];
  const left = partsOf(path);
  let here = stepAt(disk, '/');
  let links = 0;
  while (here !== undefined) {
    const name = left.pop();
    if (name === undefined) return { steps, end: here };
    if (!here.stats.isDirectory()) return undefined;
    steps.push(here);
    const next = stepAt(disk, join(here.path, name));
    if (next?.stats.isSymbolicLink() === true) {
      links += 1;
      steps.push(next);
      const target = disk.readlink(next.path);
      left.push(...partsOf(target));
      if (target.startsWith('/')) here = stepAt(disk, '/');
    } else here = next;
    if (links > MOST_LINKS || steps.length > MOST_STEPS) {
      throw Object.assign(new Error(`ELOOP: too many links or steps, '${path}'`), { code: 'ELOOP' });
    }
  }
  return undefined;
}

function stepAt(disk: Disk, path: string): Step | undefined {
  const stats = disk.lstat(path);
  return stats && { path, stats };
}

/** The first one last. */
function partsOf(path: string): string[] {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .reverse();
}
