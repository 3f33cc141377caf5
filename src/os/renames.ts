/** Two things rename(2) can't do: renameat2(2) of Linux 3.15. Not every file system knows them: EINVAL then, or ENOSYS from an old C library. */
import { lazily, libc, native, systemError } from './native.ts';

const AT_FDCWD = -100;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

type Renameat2 = (fromFolder: number, from: string, toFolder: number, to: string, flags: number) => number;

const renameat2 = lazily(() => {
  try {
    return libc().func('int renameat2(int fromFolder, const char *from, int toFolder, const char *to, unsigned int flags)') as Renameat2;
  } catch (cause) {
    throw Object.assign(new Error('ENOSYS: renameat2', { cause }), { code: 'ENOSYS' });
  }
});

/** Each gets the other's name, in one step: whoever looks finds one of them at each name. @throws Error with `code` */
export function exchangeNames(one: string, other: string): void {
  call(one, other, RENAME_EXCHANGE);
}

/** A rename that replaces nothing. @throws Error with `code`, EEXIST where something has that name */
export function renameToNew(from: string, to: string): void {
  call(from, to, RENAME_NOREPLACE);
}

function call(from: string, to: string, flags: number): void {
  if (from.includes('\0') || to.includes('\0')) throw Object.assign(new Error('EINVAL: a path with a NUL'), { code: 'EINVAL' });
  if (renameat2()(AT_FDCWD, from, AT_FDCWD, to, flags) !== 0) throw systemError(`renameat2 ${from} ${to}`, native().errno());
}
