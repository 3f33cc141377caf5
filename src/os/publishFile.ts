import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, unlinkSync, writeFileSync } from 'node:fs';

/**
 * Puts a file of mode 0600 there unless there is one: it appears whole or not at all, and of several processes that make it at the same
 * time one wins. Read it afterwards to know what it holds. @throws the system's error
 */
export function publishFile(path: string, content: string | Uint8Array): void {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const fd = openSync(draft, 'wx', 0o600);
  try {
    writeFileSync(fd, content);
    fsyncSync(fd);
    // Unlike rename, link never replaces what another process has put there meanwhile.
    linkSync(draft, path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
  } finally {
    closeSync(fd);
    unlinkSync(draft);
  }
}
