/** Sockets that systemd has bound for us and passes on: sd_listen_fds(3). Nobody is refused while we restart, and ports below 1024 need no root. */
import { SocketAddress as NodeAddress } from 'node:net';
import { EX_CONFIG } from './exitCodes.ts';
import { lazily, libc, native, systemError } from './native.ts';
import type { SocketAddress } from './sockets.ts';
import { StartFailure } from './startFailure.ts';

export interface PassedSocket {
  readonly fd: number;
  /** As the kernel prints it. */
  readonly address: SocketAddress;
  /** An IPv6 socket that takes IPv4 as well. */
  readonly takesIpv4: boolean;
}

const FIRST_FD = 3;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const SOCK_STREAM = 1;

const calls = lazily(() => {
  const library = libc();
  return {
    getsockname: library.func('int getsockname(int fd, uint8_t *address, uint8_t *length)'),
    getsockopt: library.func('int getsockopt(int fd, int level, int name, uint8_t *value, uint8_t *length)'),
  };
});

/**
 * Takes what it reads out of `env`: a child must not take the descriptors for its own. It doesn't get them either, as Node closes to its
 * children what it was started with.
 * Nothing, where the variables are not meant for this process.
 * @throws StartFailure for a descriptor that is no socket that listens
 */
export function takePassedSockets(env: NodeJS.ProcessEnv = process.env, pid = process.pid): PassedSocket[] {
  const { LISTEN_PID: meantFor, LISTEN_FDS: count = '', LISTEN_FDNAMES: names = '' } = env;
  delete env.LISTEN_PID;
  delete env.LISTEN_FDS;
  delete env.LISTEN_FDNAMES;
  delete env.LISTEN_PIDFDID;
  if (meantFor !== String(pid) || !/^[1-9]\d{0,4}$/.test(count)) return [];
  const named = names.split(':');
  return Array.from({ length: Number(count) }, (_, n) => {
    const fd = FIRST_FD + n;
    try {
      return describe(fd);
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      throw new StartFailure(
        'systemd passed descriptor {fd} ({name}), which is no listening socket: {detail}',
        { fd, name: named[n] ?? '', detail },
        EX_CONFIG,
      );
    }
  });
}

function describe(fd: number): PassedSocket {
  if (option(fd, SOL_SOCKET, SO_TYPE) !== SOCK_STREAM) throw new Error('not a stream');
  if (option(fd, SOL_SOCKET, SO_ACCEPTCONN) !== 1) throw new Error('not listening');
  const { address, family } = addressOf(fd);
  const isEverySix = family === AF_INET6 && 'host' in address && address.host === '::';
  return { fd, address, takesIpv4: isEverySix && option(fd, IPPROTO_IPV6, IPV6_V6ONLY) === 0 };
}

function option(fd: number, level: number, name: number): number {
  const value = Buffer.alloc(4);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(value.length);
  if (calls().getsockopt(fd, level, name, value, length) !== 0) throw systemError('getsockopt', native().errno());
  return value.readInt32LE();
}

function addressOf(fd: number): { address: SocketAddress; family: number } {
  const octets = Buffer.alloc(128);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(octets.length);
  if (calls().getsockname(fd, octets, length) !== 0) throw systemError('getsockname', native().errno());
  const family = octets.readUInt16LE(0);
  if (family === AF_UNIX) return { family, address: { path: unixPath(octets.subarray(2, length.readUInt32LE())) } };
  if (family === AF_INET) return { family, address: { host: octets.subarray(4, 8).join('.'), port: octets.readUInt16BE(2) } };
  if (family !== AF_INET6) throw new Error(`address family ${family}`);
  const groups = Array.from({ length: 8 }, (_, n) => octets.readUInt16BE(8 + 2 * n).toString(16));
  const { address: host } = new NodeAddress({ address: groups.join(':'), family: 'ipv6' });
  return { family, address: { host, port: octets.readUInt16BE(2) } };
}

/** An abstract name is written with `@`. */
function unixPath(octets: Buffer): string {
  if (octets[0] === 0) return `@${octets.subarray(1)}`;
  const end = octets.indexOf(0);
  return octets.toString('utf8', 0, end < 0 ? octets.length : end);
}
