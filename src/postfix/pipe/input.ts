/** The message on a descriptor, as it comes. */
import { read } from 'node:fs';
import { readTopFields, type TopFields } from './topFields.ts';

const pieceOctets = 65_536;

export class MessageInput {
  readonly #fd: number;
  #held: Buffer = Buffer.alloc(0);
  #isWhole = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** To be called once, before the rest is read; the fields are left away from it. @throws EIO and its like */
  async topFields(): Promise<TopFields> {
    for (;;) {
      const found = readTopFields(this.#held, this.#isWhole);
      if (found !== undefined) {
        this.#held = this.#held.subarray(found.length);
        return found;
      }
      const octets = await this.#read();
      if (octets.length > 0) this.#held = Buffer.concat([this.#held, octets]);
    }
  }

  /** @throws EIO and its like */
  async *rest(): AsyncGenerator<Buffer, void> {
    if (this.#held.length > 0) yield this.#held;
    while (!this.#isWhole) {
      const octets = await this.#read();
      if (octets.length > 0) yield octets;
    }
  }

  /** Not by a stream: those take longer to load than most messages to pass. */
  #read(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      read(this.#fd, Buffer.allocUnsafe(pieceOctets), 0, pieceOctets, null, (error, octets, into) => {
        if (error) return reject(error);
        this.#isWhole = octets === 0;
        resolve(into.subarray(0, octets));
      });
    });
  }
}
