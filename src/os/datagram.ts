/** Datagrams to a Unix socket of the host's: the service manager's, the system log's. Node has no call for them. */
import { lazily, libc } from './native.ts';

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** Octets before the path in struct sockaddr_un, and the most that the path may have. */
const PATH_AT = 2;
const LONGEST_PATH = 108;

const calls = lazily(() => {
  const library = libc();
  return {
    socket: library.func('int socket(int domain, int type, int protocol)'),
    sendto: library.func('long sendto(int fd, uint8_t *octets, size_t length, int flags, uint8_t *address, uint32_t addressLength)'),
    close: library.func('int close(int fd)'),
  };
});

export interface Datagrams {
  /** Never waits and never throws. False: nobody took it. */
  send(octets: Buffer): boolean;
  close(): void;
}

/** @param path of a Unix socket; with `@` before it a name in Linux' abstract namespace. A receiver that comes later or is replaced is found then. */
export function datagramsTo(path: string): Datagrams {
  const address = addressOf(path);
  let fd = -1;
  return {
    send(octets) {
      if (address === undefined) return false;
      try {
        if (fd < 0) fd = calls().socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
        const sent = calls().sendto(fd, octets, octets.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length);
        return Number(sent) === octets.length;
      } catch {
        return false; // no koffi for this machine
      }
    },
    close() {
      if (fd >= 0) calls().close(fd);
      fd = -1;
    },
  };
}

/** `undefined`: no address of a Unix socket. */
function addressOf(path: string): Buffer | undefined {
  const name = Buffer.from(path);
  const isAbstract = path.startsWith('@');
  if (!(isAbstract || path.startsWith('/')) || name.length < 2 || name.includes(0)) return undefined;
  if (isAbstract) name[0] = 0;
  // An abstract name has the length it is given with; a path ends in NUL.
  const length = PATH_AT + name.length + (isAbstract ? 0 : 1);
  if (length > PATH_AT + LONGEST_PATH) return undefined;
  const address = Buffer.alloc(length);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, PATH_AT);
  return address;
}
