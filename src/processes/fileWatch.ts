/** Notices that files have changed, by looking: they may be replaced, be links, or lie on whatever file system there is. */
import { statSync } from 'node:fs';

const LOOK_MS = 1000;
/** Between two thorough looks at a folder in which nothing happens. */
const LONGEST_PAUSE_MS = 60_000;

/** As long as it stays the same, none of the files has changed. */
export function stampOf(files: readonly string[]): string {
  return files.map(stampOfFile).join(' ');
}

/**
 * Calls `changed` when the files are no longer as `stamp` says and have stayed the same for one look: who renews a certificate writes one
 * file after the other. Says so once for each change. @returns what ends it
 */
export function watchFiles(files: readonly string[], stamp: string, changed: () => void, lookMs = LOOK_MS): () => void {
  let known = stamp;
  let before = stamp;
  const timer = setInterval(() => {
    const now = stampOf(files);
    const isSettled = now === before;
    before = now;
    if (!isSettled || now === known) return;
    known = now;
    changed();
  }, lookMs);
  return () => clearInterval(timer);
}

/**
 * Calls `look` when names in the folder were added or removed, and again after one second, two, four and so on up to a minute, and then every minute: a
 * name that is new is mostly followed by what is put into it and by whom it is given to, and that doesn't show in the folder. @returns what ends it
 */
export function watchFolder(folder: string, look: () => void): () => void {
  let stamp = stampOf([folder]);
  let sinceMs = 0;
  let pauseMs = LOOK_MS;
  const timer = setInterval(() => {
    const now = stampOf([folder]);
    sinceMs += LOOK_MS;
    if (now === stamp && sinceMs < pauseMs) return;
    pauseMs = now === stamp ? Math.min(LONGEST_PAUSE_MS, pauseMs * 2) : LOOK_MS;
    sinceMs = 0;
    stamp = now;
    look();
  }, LOOK_MS);
  return () => clearInterval(timer);
}

function stampOfFile(path: string): string {
  try {
    const { dev, ino, size, mtimeNs } = statSync(path, { bigint: true });
    return `${dev}:${ino}:${size}:${mtimeNs}`;
  } catch (thrown) {
    return String((thrown as NodeJS.ErrnoException).code);
  }
}
