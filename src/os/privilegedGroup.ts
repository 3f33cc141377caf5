/** One call with a group that the process otherwise does without: the saved gid that `becomeUser` has left it. */
import { fileSystemGroup, setFileSystemGroup } from './credentials.ts';

/**
 * Calls `act` while files are judged, and made, by this group. Only what is synchronous in it counts: other threads, and so whatever goes to
 * the thread pool, stay as they are.
 * @throws Error with code EPERM, `act` not called, where the process may not have the group; whatever `act` throws
 */
export function withFileSystemGroup<T>(gid: number, act: () => T): T {
  const before = fileSystemGroup();
  if (!setFileSystemGroup(gid)) throw Object.assign(new Error(`EPERM: setfsgid ${gid}`), { code: 'EPERM' });
  try {
    return act();
  } finally {
    // The kernel can't refuse the effective gid. If it did, whatever came next would have a right that it must not have.
    if (!setFileSystemGroup(before)) process.abort();
  }
}
