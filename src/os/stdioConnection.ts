/**
 * The connection that inetd hands over as descriptor 0. inetd and xinetd make it descriptors 1 and 2 as well, so whatever is printed, and
 * the words of a program that crashes, would reach the client: all three lead nowhere afterwards.
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { EX_USAGE } from './exitCodes.ts';
import { lazily, libc, native, systemError } from './native.ts';
import { StartFailure } from './startFailure.ts';

const F_DUPFD_CLOEXEC = 1030;
/** Descriptors below are standard input, output and error, which libuv never closes. */
const FIRST_FREE = 3;
const AF_UNIX = 1;
const SOL_SOCKET = 1;
const SO_ACCEPTCONN = 30;

const calls = lazily(() => {
  const library = libc();
  return {
    fcntl: library.func('int fcntl(int fd, int command, int value)'),
    dup2: library.func('int dup2(int from, int to)'),
    getsockname: library.func('int getsockname(int fd, uint8_t *address, uint8_t *length)'),
    getsockopt: library.func('int getsockopt(int fd, int level, int name, uint8_t *value, uint8_t *length)'),
  };
});

export interface StdioConnection {
  /** The connection, now under this number only. */
  readonly fd: number;
  /** Over a Unix socket, where clients have no address. */
  readonly isUnix: boolean;
  /** Standard error is the host's, not the client's: it may be written to. */
  readonly hasStandardError: boolean;
}

/** @throws StartFailure where descriptor 0 is something else, or a socket that listens */
export function takeStdioConnection(): StdioConnection {
  const connection = socketAt(0);
  // The journal of systemd is a socket as well.
  const hasStandardError = connection === undefined || socketAt(2) !== connection;
  if (connection === undefined || listens(0)) {
    throw new StartFailure('descriptor 0 is no connection: --stdio is for inetd, xinetd or systemd with Accept=yes', {}, EX_USAGE);
  }
  const isUnix = familyOf(0) === AF_UNIX;
  const fd: number = calls().fcntl(0, F_DUPFD_CLOEXEC, FIRST_FREE);
  if (fd < 0) throw systemError('fcntl', native().errno());
  const nowhere = openSync('/dev/null', 'r+');
  for (const number of hasStandardError ? [0, 1] : [0, 1, 2]) {
    if (calls().dup2(nowhere, number) < 0) throw systemError('dup2', native().errno());
  }
  closeSync(nowhere);
  return { fd, isUnix, hasStandardError };
}

/** Its number on this host; `undefined`: no socket, or nothing at all. */
function socketAt(fd: number): bigint | undefined {
  try {
    const stats = fstatSync(fd, { bigint: true });
    return stats.isSocket() ? stats.ino : undefined;
  } catch {
    return undefined;
  }
}

function listens(fd: number): boolean {
  const value = Buffer.alloc(4);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(value.length);
  return calls().getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value, length) === 0 && value.readInt32LE() === 1;
}

function familyOf(fd: number): number {
  const address = Buffer.alloc(128);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(address.length);
  if (calls().getsockname(fd, address, length) !== 0) throw systemError('getsockname', native().errno());
  return address.readUInt16LE(0);
}
