/** Octets that have come and aren't taken yet. What comes in small pieces is copied once, not once for each piece. */
const noOctets = Buffer.alloc(0);

export class InputBuffer {
  #store: Buffer = noOctets;
  #start = 0;
  #end = 0;

  get octets(): Buffer {
    return this.#store.subarray(this.#start, this.#end);
  }

  get length(): number {
    return this.#end - this.#start;
  }

  append(chunk: Buffer): void {
    const { length } = this;
    if (length === 0) {
      this.#store = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      return;
    }
    if (this.#store.length - this.#end < chunk.length) {
      const roomier = Buffer.allocUnsafeSlow(2 * (length + chunk.length));
      this.#store.copy(roomier, 0, this.#start, this.#end);
      this.#store = roomier;
      this.#start = 0;
      this.#end = length;
    }
    chunk.copy(this.#store, this.#end);
    this.#end += chunk.length;
  }

  take(octets: number): void {
    this.#start += octets;
    if (this.#start < this.#end) return;
    this.#store = noOctets;
    this.#start = 0;
    this.#end = 0;
  }
}
