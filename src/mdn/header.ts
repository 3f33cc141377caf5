/** The header of a message, for who asks after many fields of it. */
import { fieldValue, type HeaderField, headerFields } from '../message/header.ts';

/** What delivery puts before a message, Postfix's and ours. */
const TRACE = new Set(['return-path', 'delivered-to', 'x-original-to', 'original-recipient']);

export class Header {
  readonly octets: Uint8Array;
  readonly #fields = new Map<string, HeaderField[]>();
  readonly #trace = new Map<string, HeaderField>();

  constructor(octets: Uint8Array) {
    this.octets = octets;
    const isTransported = this.#gather();
    this.#gatherTrace(isTransported);
  }

  /** Names in lower case, here and below. */
  get names(): Iterable<string> {
    return this.#fields.keys();
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  values(name: string): readonly string[] {
    return (this.#fields.get(name) ?? []).map((field) => fieldValue(this.octets, field));
  }

  /** Of a field that is to be there once: the first; `undefined` where there is none. */
  value(name: string): string | undefined {
    const [field] = this.#fields.get(name) ?? [];
    return field === undefined ? undefined : fieldValue(this.octets, field);
  }

  /** Of a field of delivery's own: a sender can write one too, but only below ours. */
  trace(name: string): string | undefined {
    const field = this.#trace.get(name);
    return field === undefined ? undefined : fieldValue(this.octets, field);
  }

  /** True: some mail server has put its `Received` into it. */
  #gather(): boolean {
    for (const field of headerFields(this.octets)) {
      const name = field.name.toLowerCase();
      const others = this.#fields.get(name);
      if (others === undefined) this.#fields.set(name, [field]);
      else others.push(field);
    }
    return this.#fields.has('received');
  }

  /** What stands above the first `Received` was put there after it. Without one, only what stands at the very top, with nothing in between. */
  #gatherTrace(isTransported: boolean): void {
    for (const field of headerFields(this.octets)) {
      const name = field.name.toLowerCase();
      if (name === 'received' || (!isTransported && !TRACE.has(name))) return;
      if (TRACE.has(name) && !this.#trace.has(name)) this.#trace.set(name, field);
    }
  }
}
