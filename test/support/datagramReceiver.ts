/** A Unix datagram socket as systemd's or the system log's, for tests that look at what arrives there. */
import { rmSync } from 'node:fs';
import { lazily, libc } from '../../src/os/native.ts';

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_DONTWAIT = 0x40;
const LOOK_MS = 5;

const calls = lazily(() => {
  const library = libc();
  return {
    socket: library.func('int socket(int domain, int type, int protocol)'),
    bind: library.func('int bind(int fd, uint8_t *address, uint32_t length)'),
    recv: library.func('long recv(int fd, uint8_t *into, size_t length, int flags)'),
    close: library.func('int close(int fd)'),
  };
});

export interface DatagramReceiver {
  /** What has arrived and was not asked for yet, in order. */
  received(): string[];
  /** Waits for one that matches; those before it are passed over. */
  next(pattern: RegExp): Promise<string>;
  close(): void;
}

/** @param path `@name`: in the abstract namespace */
export function receiveDatagrams(path: string): DatagramReceiver {
  const isAbstract = path.startsWith('@');
  const address = Buffer.alloc(2 + Buffer.byteLength(path) + (isAbstract ? 0 : 1));
  address.writeUInt16LE(AF_UNIX, 0);
  address.write(path, 2);
  if (isAbstract) address[2] = 0;
  const fd: number = calls().socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0 || calls().bind(fd, address, address.length) !== 0) throw new Error(`can't bind ${path}`);
  const into = Buffer.alloc(65_536);
  const waiting: string[] = [];
  const drain = () => {
    for (;;) {
      const octets = Number(calls().recv(fd, into, into.length, MSG_DONTWAIT));
      if (octets < 0) return;
      waiting.push(into.toString('utf8', 0, octets));
    }
  };
  return {
    received() {
      drain();
      return waiting.splice(0);
    },
    async next(pattern) {
      for (;;) {
        drain();
        for (let datagram = waiting.shift(); datagram !== undefined; datagram = waiting.shift())
          if (pattern.test(datagram)) return datagram;
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    },
    close() {
      calls().close(fd);
      if (!isAbstract) rmSync(path, { force: true });
    },
  };
}
