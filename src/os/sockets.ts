/**
 * Listening sockets made in one process and served in another: the supervisor binds while it may, the fronts inherit the
 * descriptors. A front that dies or is replaced leaves its queue of waiting connections to the next one.
 */
import { chmodSync, chownSync, closeSync, constants, fchmodSync, fstatSync, lstatSync, openSync, unlinkSync } from 'node:fs';
import { connect, isIPv6 } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { lazily, libc, native } from './native.ts';

export type SocketAddress = { readonly host: string; readonly port: number } | { readonly path: string };

const O_PATH = 0o10000000;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const BACKLOG = 4096; // the kernel cuts it to net.core.somaxconn

const calls = lazily(() => {
  const library = libc();
  return {
    socket: library.func('int socket(int domain, int type, int protocol)'),
    bind: library.func('int bind(int fd, uint8_t *address, uint32_t length)'),
    listen: library.func('int listen(int fd, int backlog)'),
    setsockopt: library.func('int setsockopt(int fd, int level, int name, uint8_t *value, uint32_t length)'),
    getsockname: library.func('int getsockname(int fd, uint8_t *address, uint8_t *length)'),
    close: library.func('int close(int fd)'),
  };
});

/**
 * Descriptors that listen on one address, `count` of them: over TCP with SO_REUSEPORT, so that the kernel deals out connections.
 * A Unix socket has one, whatever `count` says; without a `unixGid` its group is that of this process.
 * Closed on exec, unless handed on as stdio. Port 0 takes a free one, the same for all.
 * @throws Error with `code` (EADDRINUSE, EACCES, EADDRNOTAVAIL …) as node:net has it
 */
export async function listeningSockets(
  address: SocketAddress,
  count: number,
  unixMode = 0o660,
  unixGid?: number,
): Promise<{ fds: readonly number[]; port: number | undefined }> {
  if ('path' in address) return { fds: [await unixSocket(address.path, unixMode, unixGid)], port: undefined };
  // Sockets that share a port don't notice a stranger who shares it too: one that doesn't share comes first and finds him.
  const first = tcpSocket(address.host, address.port, false);
  const port = portOf(first);
  calls().close(first);
  return { fds: furtherSockets({ host: address.host, port }, count), port };
}

/** As many more on a port that this process listens on already; a stranger who shares it isn't noticed. @throws as listeningSockets */
export function furtherSockets(address: { readonly host: string; readonly port: number }, count: number): number[] {
  const fds: number[] = [];
  try {
    for (let n = 0; n < count; n++) fds.push(tcpSocket(address.host, address.port, true));
  } catch (thrown) {
    for (const fd of fds) calls().close(fd);
    throw thrown;
  }
  return fds;
}

/** Another mode, and where a `gid` is given another group, for a Unix socket that listens already. False: no socket is at that path any more. */
export function setSocketMode(path: string, mode: number, gid?: number): boolean {
  let fd: number;
  try {
    // By a descriptor of the very file: whatever a link at that path leads to keeps its mode.
    fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw thrown;
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isSocket()) return false;
    if (gid !== undefined && gid !== stats.gid) chownSync(`/proc/self/fd/${fd}`, stats.uid, gid);
    chmodSync(`/proc/self/fd/${fd}`, mode);
    return true;
  } finally {
    closeSync(fd);
  }
}

export function closeSocket(fd: number): void {
  calls().close(fd);
}

function tcpSocket(host: string, port: number, shared: boolean): number {
  const six = isIPv6(host);
  return socketOf(six ? AF_INET6 : AF_INET, six ? inet6(host, port) : inet4(host, port), `${six ? `[${host}]` : host}:${port}`, (fd) => {
    option(fd, SOL_SOCKET, SO_REUSEADDR);
    if (shared) option(fd, SOL_SOCKET, SO_REUSEPORT);
    if (six) option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
  });
}

async function unixSocket(path: string, mode: number, gid: number | undefined): Promise<number> {
  if (Buffer.byteLength(path) > 107) throw failure('ENAMETOOLONG', path);
  await removeStale(path);
  const address = Buffer.alloc(110);
  address.writeUInt16LE(AF_UNIX, 0);
  address.write(path, 2);
  // Linux gives the file the mode that the socket has when it is bound. chmod(2) afterwards would follow whatever has come to lie at that
  // path, which for root, in a folder that isn't root's alone, is anything.
  const before = process.umask(0);
  try {
    const listening = socketOf(AF_UNIX, address, path, (fd) => fchmodSync(fd, mode));
    // bind(2) gives the file our own group, whatever the socket had before.
    if (gid !== undefined) setSocketMode(path, mode, gid);
    return listening;
  } finally {
    process.umask(before);
  }
}

/** Removes a socket that nobody answers; anything else at that path stays, and bind() will say so. */
async function removeStale(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (!there?.isSocket()) return;
  const answered = await new Promise<boolean>((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
  if (!answered) unlinkSync(path);
}

function socketOf(family: number, address: Buffer, name: string, prepare: (fd: number) => void): number {
  const fd: number = calls().socket(family, SOCK_STREAM_CLOEXEC, 0);
  if (fd < 0) throw failed(name);
  try {
    prepare(fd);
    if (calls().bind(fd, address, address.length) !== 0) throw failed(name);
    if (calls().listen(fd, BACKLOG) !== 0) throw failed(name);
  } catch (thrown) {
    calls().close(fd);
    throw thrown;
  }
  return fd;
}

function option(fd: number, level: number, name: number): void {
  const on = Buffer.alloc(4);
  on.writeInt32LE(1);
  if (calls().setsockopt(fd, level, name, on, 4) !== 0) throw failed('setsockopt');
}

function portOf(fd: number): number {
  const address = Buffer.alloc(28);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(address.length);
  if (calls().getsockname(fd, address, length) !== 0) throw failed('getsockname');
  return address.readUInt16BE(2);
}

function inet4(host: string, port: number): Buffer {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET, 0);
  address.writeUInt16BE(port, 2);
  for (const [index, part] of host.split('.').entries()) address[4 + index] = Number(part);
  return address;
}

function inet6(host: string, port: number): Buffer {
  const address = Buffer.alloc(28);
  address.writeUInt16LE(AF_INET6, 0);
  address.writeUInt16BE(port, 2);
  for (const [index, group] of groupsOf(host).entries()) address.writeUInt16BE(group, 8 + 2 * index);
  return address;
}

/** The eight groups of an IPv6 address that node:net has accepted; a trailing IPv4 part counts for two. RFC 4291 section 2.2. */
export function groupsOf(host: string): number[] {
  const plain = (host.split('%')[0] ?? '').replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [left = '', right] = plain.split('::');
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  const zeros = right === undefined ? 0 : 8 - head.length - tail.length;
  return [...head, ...Array.from({ length: zeros }, () => '0'), ...tail].map((group) => Number.parseInt(group, 16));
}

function failed(name: string): Error {
  return failure(getSystemErrorName(-native().errno()), name);
}

function failure(code: string, name: string): Error {
  return Object.assign(new Error(`${code}: ${name}`), { code });
}
