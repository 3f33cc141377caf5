/**
 * Open-file-description locks: fcntl(2) F_OFD_SETLK. They exclude, and are excluded by, the classic fcntl locks of Postfix and
 * others; unlike those they exclude two openings within one process, and closing another descriptor of the file leaves them alone.
 */
import { lazily, libc, native, systemError } from './native.ts';

const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;

type Fcntl = (fd: number, command: number, lock: Buffer) => number;

const fcntl = lazily(() => libc().func('int fcntl(int fd, int command, void *lock)') as Fcntl);

/** struct flock of 64-bit Linux: short l_type, short l_whence, 4 octets of padding, int64 l_start, int64 l_len, int32 l_pid (0 for OFD locks). */
const flock = Buffer.alloc(32);

/**
 * Takes the lock without waiting. `start` and `length` are octets of the file; `length` 0 (the default) reaches to its end, wherever that
 * goes. The descriptor must be open for writing to get a write lock, for reading to get a read lock (else EBADF).
 * The lock ends with `unlock` or when the last duplicate of the descriptor is closed.
 * @returns false: somebody else has it
 * @throws Error with `code` on anything else; Fault temporary where koffi is missing
 */
export function tryLock(fd: number, kind: 'read' | 'write', start = 0n, length = 0n): boolean {
  if (setLock(fd, kind === 'read' ? F_RDLCK : F_WRLCK, start, length)) return true;
  const { EAGAIN, EACCES } = native().os.errno;
  const errno = native().errno();
  if (errno === EAGAIN || errno === EACCES) return false;
  throw systemError('fcntl', errno);
}

export function unlock(fd: number, start = 0n, length = 0n): void {
  if (!setLock(fd, F_UNLCK, start, length)) throw systemError('fcntl', native().errno());
}

function setLock(fd: number, type: number, start: bigint, length: bigint): boolean {
  flock.writeInt16LE(type, 0);
  flock.writeBigInt64LE(start, 8);
  flock.writeBigInt64LE(length, 16);
  return fcntl()(fd, F_OFD_SETLK, flock) === 0;
}
