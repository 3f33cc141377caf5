/**
 * The channel between the supervisor and a child: a socket pair, and messages with their length before them. It isn't Node's own IPC, whose end at
 * the supervisor trusts the child: one odd message ends the process that reads it, octets are deserialized as they come, and descriptors may be sent
 * along. The supervisor is root, and a front talks to strangers.
 *
 * Down go serialized values (structured clone), which the child believes. Up goes JSON, which words.ts reads.
 */
import type { Duplex } from 'node:stream';
import { deserialize, serialize } from 'node:v8';

/** Of the socket in a child. */
export const CHANNEL_FD = 3;

const LENGTH = 4;
/** Of a message that goes up: a report on very many domains. */
const MOST_UP = 8_388_608;
/** Read from one child before the others have their turn: some hundred questions. */
const MOST_IN_A_TURN = 16_384;
/** Waits for a child that doesn't read; beyond that it isn't told any more. */
const MOST_UNREAD = 4_194_304;

/** Parts what comes in into messages. */
export class MessageReader {
  readonly #most: number;
  readonly #take: (octets: Buffer) => boolean;
  #chunks: Buffer[] = [];
  #octets = 0;
  #wanted: number | undefined;

  /** @param take false: it makes no sense */
  constructor(most: number, take: (octets: Buffer) => boolean) {
    this.#most = most;
    this.#take = take;
  }

  /** False: a message that makes no sense, or is too long. Nothing more may be pushed then. */
  push(chunk: Buffer): boolean {
    this.#chunks.push(chunk);
    this.#octets += chunk.length;
    for (;;) {
      const wanted = this.#wanted ?? LENGTH;
      if (this.#octets < wanted) return true;
      const octets = this.#cut(wanted);
      if (this.#wanted === undefined) {
        this.#wanted = octets.readUInt32LE();
        if (this.#wanted > this.#most) return false;
      } else {
        this.#wanted = undefined;
        if (!this.#take(octets)) return false;
      }
    }
  }

  #cut(length: number): Buffer {
    const [first] = this.#chunks;
    const whole = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks, this.#octets);
    const rest = whole.subarray(length);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#octets = rest.length;
    return whole.subarray(0, length);
  }
}

function write(socket: Duplex, octets: Buffer, written?: () => void): void {
  const length = Buffer.allocUnsafe(LENGTH);
  length.writeUInt32LE(octets.length);
  socket.cork();
  socket.write(length);
  socket.write(octets, () => written?.());
  socket.uncork();
}

export interface Channel<Out> {
  /** False once the other end is closed. */
  readonly connected: boolean;
  /** @param done called when it is on its way, or never will be */
  send(message: Out, done?: () => void): void;
}

export interface ChildEndPlan {
  /** False: it makes no sense, as for the channel itself. */
  onMessage(octets: Buffer): boolean;
  /** What the child sent makes no sense. The channel is closed. */
  onMalformed(): void;
  onClosed(): void;
}

/** The supervisor's end. */
export function channelToChild<Out extends object>(socket: Duplex, plan: ChildEndPlan): Channel<Out> {
  let connected = true;
  const reader = new MessageReader(MOST_UP, (octets) => plan.onMessage(octets));
  socket.on('data', (chunk: Buffer) => {
    if (socket.destroyed) return;
    if (!reader.push(chunk)) {
      socket.destroy();
      plan.onMalformed();
    } else if (chunk.length >= MOST_IN_A_TURN) {
      // A child that floods us waits until the others have had their turn.
      socket.pause();
      setImmediate(() => socket.resume());
    }
  });
  // 'close' follows.
  socket.on('error', () => {});
  socket.on('close', () => {
    connected = false;
    plan.onClosed();
  });
  return {
    get connected() {
      return connected;
    },
    send(message, done) {
      if (connected && socket.writable && socket.writableLength <= MOST_UNREAD) write(socket, serialize(message), done);
      else done?.();
    },
  };
}

export interface SupervisorEndPlan<In> {
  onMessage(message: In): void;
  /** The supervisor is gone. */
  onClosed(): void;
}

/** A child's end. */
export function channelToSupervisor<In, Out>(socket: Duplex, words: (message: Out) => Buffer, plan: SupervisorEndPlan<In>): Channel<Out> {
  let connected = true;
  const reader = new MessageReader(Number.POSITIVE_INFINITY, (octets) => {
    plan.onMessage(deserialize(octets) as In);
    return true;
  });
  socket.on('data', (chunk: Buffer) => reader.push(chunk));
  socket.on('error', () => {});
  socket.on('close', () => {
    connected = false;
    plan.onClosed();
  });
  return {
    get connected() {
      return connected;
    },
    send(message, done) {
      if (connected && socket.writable) write(socket, words(message), done);
      else done?.();
    },
  };
}
