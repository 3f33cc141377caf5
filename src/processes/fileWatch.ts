/** Notices that files have changed, by looking: they may be replaced, be links, or lie on whatever file system there is. */
import { statSync } from 'node:fs';

const LOOK_MS = 1000;

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

function stampOfFile(path: string): string {
  try {
    const { dev, ino, size, mtimeNs } = statSync(path, { bigint: true });
    return `${dev}:${ino}:${size}:${mtimeNs}`;
  } catch (thrown) {
    return String((thrown as NodeJS.ErrnoException).code);
  }
}
