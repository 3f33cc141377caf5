/**
 * The program that floods, a process of its own so that the honest client waits for the server and not for it. Gets a FloodOrder from its
 * parent, says 'height' when all is under way and 'over' when it has ended, by itself or at 'stop'.
 */
import net from 'node:net';
import { command, greeting, play } from './pop3Client.ts';
import type { Login } from './pop3Load.ts';

export interface FloodOrder {
  readonly kind: 'silent' | 'half-handshake' | 'slow-clients' | 'slow-readers' | 'guesses';
  readonly port: number;
  readonly count: number;
  /** The first of the addresses that the flood comes from. */
  readonly firstAddress: number;
  /** Who reads slowly, or whose passwords are guessed; `#` in a name becomes the number of the attempt. */
  readonly logins: readonly Login[];
}

/** Guesses under way. */
const atOnce = 1000;

let addresses = 0;

if (process.send !== undefined) process.once('message', (order: FloodOrder) => void flood(order));

async function flood(order: FloodOrder): Promise<void> {
  addresses = order.firstAddress;
  const { over, stop } = await begin(order);
  process.once('message', stop);
  process.send?.('height');
  await over;
  process.send?.('over', () => process.exit());
}

interface Course {
  readonly over: Promise<void>;
  readonly stop: () => void;
}

function begin(order: FloodOrder): Promise<Course> {
  if (order.kind === 'silent') return held(connections(order));
  if (order.kind === 'half-handshake') return held(connections(order, halfHello));
  if (order.kind === 'slow-clients') return held(connections(order), oneOctet);
  return order.kind === 'slow-readers' ? slowReaders(order) : guesses(order);
}

/** What a proxy says of its client. */
export function proxyHeader(address: string): string {
  return `PROXY TCP4 ${address} 192.0.2.1 20000 110\r\n`;
}

/** One of four million, neighbours each in another /24. */
function nextAddress(): string {
  const n = addresses++;
  return `10.${(n >> 8) & 255}.${n & 255}.${1 + ((n >> 16) & 63)}`;
}

function connected(port: number): net.Socket {
  const socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
  // Reset by the server: that is what it may do.
  socket.on('error', () => {});
  socket.write(proxyHeader(nextAddress()), 'latin1');
  return socket;
}

function connections({ port, count }: FloodOrder, octets: Buffer = Buffer.alloc(0)): net.Socket[] {
  return Array.from({ length: count }, () => {
    const socket = connected(port);
    socket.resume();
    if (octets.length > 0) socket.write(octets);
    return socket;
  });
}

/** Connections that are there until they are closed by either side. */
async function held(sockets: readonly net.Socket[], eachSecond?: (socket: net.Socket) => void): Promise<Course> {
  await Promise.all(
    sockets.map((socket) =>
      socket.connecting ? new Promise((resolve) => socket.once('connect', resolve).once('close', resolve)) : undefined,
    ),
  );
  const { promise, resolve } = Promise.withResolvers<void>();
  const interval = eachSecond && setInterval(() => sockets.forEach(eachSecond), 1000);
  return {
    over: promise,
    stop() {
      clearInterval(interval);
      for (const socket of sockets) socket.destroy();
      resolve();
    },
  };
}

function oneOctet(socket: net.Socket): void {
  if (socket.writable) socket.write('U');
}

/** The first octets of a ClientHello, which say that more will come. */
const halfHello = Buffer.concat([Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]), Buffer.alloc(32, 7)]);

async function slowReaders({ port, logins }: FloodOrder): Promise<Course> {
  const sockets: net.Socket[] = [];
  for (const { user, password } of logins) {
    const target = { host: '127.0.0.1', port, preamble: proxyHeader(nextAddress()) };
    const { socket } = await play(target, [greeting, command(`USER ${user}`), command(`PASS ${password}`)]);
    socket.pause();
    socket.write('RETR 1\r\n');
    sockets.push(socket);
  }
  return held(sockets, (socket) => {
    // What came is read, and then no more until the next second.
    socket.resume();
    setTimeout(() => socket.pause(), 1);
  });
}

async function guesses({ port, count, logins }: FloodOrder): Promise<Course> {
  let next = 0;
  let isStopped = false;
  const one = (n: number) =>
    new Promise<void>((resolve) => {
      const name = logins[n % logins.length]?.user.replace('#', String(n));
      const steps = [`USER ${name}\r\n`, `PASS guess${n}\r\n`];
      const socket = connected(port);
      socket.on('close', () => resolve());
      socket.on('data', () => {
        const step = steps.shift();
        if (step === undefined) socket.destroy();
        else socket.write(step, 'latin1');
      });
    });
  const runner = async () => {
    while (next < count && !isStopped) await one(next++);
  };
  return {
    over: Promise.all(Array.from({ length: atOnce }, runner)).then(() => {}),
    stop() {
      isStopped = true;
    },
  };
}
