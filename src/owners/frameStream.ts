/**
 * Frames on their way out that carry a message. Small things gather in one area of memory that goes to the socket in one write; large pieces go
 * from where they lie. What the kernel takes at once costs no promise, and what it doesn't is waited for: whoever reads slowly costs one piece.
 */
import type { Socket } from 'node:net';
import { borrowSlot, SLOT_SIZE, type Slot } from '../message/octetLoops.ts';
import { HEADER, MESSAGE, MOST_PAYLOAD } from './frames.ts';

/** Up to here a copy is cheaper than a write of its own. */
const SMALL = 16_384;

/** The socket is closed. */
export class Unwritable extends Error {
  override readonly name = 'Unwritable';
}

export class FrameStream {
  readonly #socket: Socket;
  #slot: Slot | undefined;
  #gathered = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Adds whole frames, which may wait for `flush`. */
  add(frames: Buffer): Promise<void> | undefined {
    if (frames.length > SMALL) return this.#alone(frames);
    const pending = this.#room(frames.length);
    if (pending !== undefined) return pending.then(() => this.#gather(frames));
    this.#gather(frames);
    return undefined;
  }

  /** Adds octets of a message. They may be used for something else when what this returns is done. @throws Unwritable, also in the promise */
  message(piece: Uint8Array): Promise<void> | undefined {
    if (piece.length > MOST_PAYLOAD) return this.#inParts(piece);
    if (piece.length === 0) return undefined;
    const pending = this.#room(HEADER + Math.min(piece.length, SMALL));
    if (pending !== undefined) return pending.then(() => this.#message(piece));
    return this.#message(piece);
  }

  /** Everything is with the kernel afterwards. @throws Unwritable, also in the promise */
  flush(): Promise<void> | undefined {
    const slot = this.#slot;
    if (slot !== undefined && this.#gathered > 0) {
      this.#socket.write(slot.octets.subarray(0, this.#gathered));
      this.#gathered = 0;
    }
    return this.#taken();
  }

  /** Gives its memory back. Not while anything is being waited for. */
  close(): void {
    this.#slot?.release();
    this.#slot = undefined;
  }

  async #inParts(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length; at += MOST_PAYLOAD) await this.message(piece.subarray(at, at + MOST_PAYLOAD));
  }

  #message(piece: Uint8Array): Promise<void> | undefined {
    const { octets } = this.#area();
    octets.writeUInt32LE(piece.length, this.#gathered);
    octets.writeUInt8(MESSAGE, this.#gathered + 4);
    this.#gathered += HEADER;
    if (piece.length > SMALL) return this.#alone(piece);
    this.#gather(piece);
    return undefined;
  }

  /** What has gathered, and this behind it, in one system call. */
  #alone(octets: Uint8Array): Promise<void> | undefined {
    this.#socket.cork();
    if (this.#slot !== undefined && this.#gathered > 0) this.#socket.write(this.#slot.octets.subarray(0, this.#gathered));
    this.#gathered = 0;
    this.#socket.write(octets);
    this.#socket.uncork();
    return this.#taken();
  }

  #gather(octets: Uint8Array): void {
    this.#area().octets.set(octets, this.#gathered);
    this.#gathered += octets.length;
  }

  #room(octets: number): Promise<void> | undefined {
    return this.#gathered + octets > SLOT_SIZE ? this.flush() : undefined;
  }

  #area(): Slot {
    this.#slot ??= borrowSlot(SLOT_SIZE);
    return this.#slot;
  }

  #taken(): Promise<void> | undefined {
    if (this.#socket.destroyed) throw new Unwritable();
    if (this.#socket.writableLength === 0) return undefined;
    return new Promise((resolve, reject) => {
      // Called when everything before it has been taken, and with an error where the socket is closed first.
      this.#socket.write('', (error) => (error || this.#socket.destroyed ? reject(new Unwritable()) : resolve()));
    });
  }
}
