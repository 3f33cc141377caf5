/** Who is at the other end of a Unix socket, as the kernel noted it when the connection was made. unix(7), SO_PEERCRED. */
import type { Socket } from 'node:net';
import { lazily, libc } from './native.ts';

export interface Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

const calls = lazily(() => ({
  getsockopt: libc().func('int getsockopt(int fd, int level, int name, uint8_t *value, uint8_t *length)'),
}));

/** `undefined`: not known, because the connection is closed already or is none of a Unix socket. */
export function peerOf(socket: Socket): Peer | undefined {
  // Node has no public way to the descriptor of a socket; without one nobody is known.
  const { fd = -1 } = (socket as { _handle?: { fd?: number } })._handle ?? {};
  if (fd < 0) return undefined;
  const value = Buffer.alloc(12);
  const length = Buffer.from([value.length, 0, 0, 0]);
  if (calls().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, length) !== 0) return undefined;
  const [pid = 0, uid = 0, gid = 0] = new Uint32Array(value.buffer, value.byteOffset, 3);
  // Other kinds of sockets have a peer without a process.
  return pid === 0 ? undefined : { pid, uid, gid };
}
