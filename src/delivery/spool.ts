/** A message as it comes in: received once, however many recipients it has, in memory while it is small, else in a file without a name. */
import { constants } from 'node:fs';
import { join } from 'node:path';
import type { Octets } from '../model/octets.ts';
import type { Disk } from '../os/disk.ts';

/** A message larger than this goes to the disc. */
export const memoryLimitOctets = 256 * 1024;
const readOctets = 256 * 1024;

export interface ReceivedMessage {
  readonly octets: number;
  /** The beginning: all of it where it is in memory, else as much as memory holds. */
  readonly head: Uint8Array;
  readonly content: Octets;
  /** To be called once, when no delivery reads it any more. */
  close(): void;
}

export interface SpoolOptions {
  readonly disk: Pick<Disk, 'open' | 'close' | 'unlink' | 'writeLater' | 'readLater'>;
  /** Where the file of a large message is made and at once unlinked. */
  readonly folder: string;
  /** Gives a name that no other has. */
  readonly name: () => string;
}

/** One message. Writes must not overlap: the next one waits for the promise of the one before. */
export class Spool {
  readonly #options: SpoolOptions;
  #pieces: Uint8Array[] = [];
  #held = 0;
  #octets = 0;
  #head: Uint8Array | undefined;
  #fd: number | undefined;

  constructor(options: SpoolOptions) {
    this.#options = options;
  }

  get octets(): number {
    return this.#octets;
  }

  /** A promise where the disc is written to. The chunk is kept, not copied. @throws ENOSPC and its like */
  write(chunk: Uint8Array): Promise<void> | undefined {
    this.#octets += chunk.length;
    this.#pieces.push(chunk);
    this.#held += chunk.length;
    return this.#held > memoryLimitOctets ? this.#toDisc() : undefined;
  }

  async finish(): Promise<ReceivedMessage> {
    if (this.#fd === undefined) {
      const whole = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces);
      const head = whole ?? Buffer.alloc(0);
      return { octets: this.#octets, head, content: [head], close: () => {} };
    }
    await this.#toDisc();
    const { disk } = this.#options;
    const fd = this.#fd;
    const octets = this.#octets;
    const content = { [Symbol.asyncIterator]: () => readAll(disk, fd, octets) };
    return { octets, head: this.#head ?? Buffer.alloc(0), content, close: () => this.discard() };
  }

  discard(): void {
    this.#pieces = [];
    if (this.#fd !== undefined) this.#options.disk.close(this.#fd);
    this.#fd = undefined;
  }

  async #toDisc(): Promise<void> {
    const octets = Buffer.concat(this.#pieces, this.#held);
    this.#pieces = [];
    this.#held = 0;
    this.#head ??= octets;
    this.#fd ??= this.#open();
    await this.#options.disk.writeLater(this.#fd, octets);
  }

  #open(): number {
    const { disk, folder, name } = this.#options;
    const path = join(folder, `incoming-${name()}`);
    const fd = disk.open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    disk.unlink(path);
    return fd;
  }
}

async function* readAll(disk: SpoolOptions['disk'], fd: number, octets: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < octets; ) {
    const length = Math.min(readOctets, octets - at);
    // A new buffer each time: who reads may still hold the one before.
    const into = Buffer.allocUnsafe(length);
    const read = await disk.readLater(fd, into, 0, length, at);
    if (read === 0) throw new Error(`a spooled message ended at ${at} of ${octets} octets`);
    yield into.subarray(0, read);
    at += read;
  }
}
