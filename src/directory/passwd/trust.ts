/** Whether the way to a file, and so what is found at its end, is in the hands of one user. */
import { isSticky, writableByMore } from '../../os/openToOthers.ts';
import type { Step, Walk } from '../../os/pathSteps.ts';

/** Why nobody acts for a domain: one line for the host, that names the file. */
export class Refusal extends Error {}

/**
 * That nobody but root and this user has a say in what is found at the end of the way.
 * @throws Refusal
 */
export function requireTrusted({ steps, end }: Walk, uid: number): void {
  for (const [at, { path, stats }] of steps.entries()) {
    if (stats.uid !== 0 && stats.uid !== uid) {
      const what = stats.isSymbolicLink() ? 'a link' : 'a folder';
      throw new Refusal(`${path}: ${what} of uid ${stats.uid} on the way to a file of uid ${uid}`);
    }
    // The mode of a link means nothing.
    const writable = stats.isSymbolicLink() ? undefined : writableByMore(stats);
    if (writable !== undefined && !(isSticky(stats) && isFolder(steps[at + 1]))) throw new Refusal(`${path}: ${writable}`);
  }
  const writable = writableByMore(end.stats);
  if (writable !== undefined) throw new Refusal(`${end.path}: ${writable}`);
}

/** In a folder like /tmp only another folder is certain to be its owner's doing: to files and links anybody may give a second name. */
function isFolder(step: Step | undefined): boolean {
  return step?.stats.isDirectory() === true;
}
