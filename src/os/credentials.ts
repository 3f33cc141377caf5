/** The ids of this process as the kernel has them. Of the three of a kind the C library keeps all threads alike. */
import { lazily, libc, native, systemError } from './native.ts';

export interface Credentials {
  /** Real, effective, saved. */
  readonly uids: readonly number[];
  readonly gids: readonly number[];
}

const calls = lazily(() => {
  const library = libc();
  return {
    getresuid: library.func('int getresuid(void *real, void *effective, void *saved)'),
    getresgid: library.func('int getresgid(void *real, void *effective, void *saved)'),
    setresgid: library.func('int setresgid(uint32_t real, uint32_t effective, uint32_t saved)'),
    setfsgid: library.func('uint32_t setfsgid(uint32_t gid)'),
  };
});

/** No group has this number; setfsgid(2) then changes nothing. */
const NO_ID = 0xffff_ffff;

export function credentials(): Credentials {
  return { uids: three('getresuid'), gids: three('getresgid') };
}

/** @throws Error with `code` EPERM where the process may not */
export function setresgid(real: number, effective: number, saved: number): void {
  if (calls().setresgid(real, effective, saved) !== 0) throw systemError('setresgid', native().errno());
}

/** The group by which the kernel judges this thread's access to files, and which new files get. */
export function fileSystemGroup(): number {
  return calls().setfsgid(NO_ID);
}

/** Of this thread alone. setfsgid(2) tells nobody of a failure: false, when it isn't that group afterwards. */
export function setFileSystemGroup(gid: number): boolean {
  calls().setfsgid(gid);
  return fileSystemGroup() === gid;
}

function three(call: 'getresuid' | 'getresgid'): number[] {
  const ids = new Uint32Array(3);
  if (calls()[call](ids.subarray(0, 1), ids.subarray(1, 2), ids.subarray(2, 3)) !== 0) throw systemError(call, native().errno());
  return [...ids];
}
