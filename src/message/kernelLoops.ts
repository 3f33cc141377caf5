/**
 * The octet loops as WebAssembly with SIMD, in a memory of fixed size: growth would detach every Buffer that lies in it, while a socket
 * or the thread pool still uses it. What lies in that memory is worked on where it is; other octets are copied in and out in pieces.
 */
import { kernelWasm } from './kernel/kernel.wasm.ts';
import { CR, LF, type OctetLoops } from './plainLoops.ts';

/** The part of the WebAssembly interface that is used here; the types of Node leave it to those of browsers. */
interface WebAssemblyInterface {
  Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  Module: new (octets: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: object };
}

interface Kernel {
  countLf(from: number, length: number): number;
  countBareLf(from: number, length: number, previous: number): number;
  toWire(from: number, length: number, to: number, previous: number): number;
  toRest(from: number, length: number, to: number, previous: number): number;
}

/** The kernel works in steps of 64 octets and may read and write this much past the end of an area. */
const SLACK = 256;
/** WebAssembly counts memory in pages of this size. */
const PAGE = 65_536;
/** Octets from elsewhere are copied in so many at a time. */
const PIECE = 32_768;
const COPY_IN = 1024;
const COPY_OUT = COPY_IN + PIECE + SLACK;
const SLOTS = COPY_OUT + 2 * PIECE + SLACK;

/** `slots`: areas of `slotSize` octets inside the kernel's memory. Only what has been touched costs memory. @throws where WebAssembly has no SIMD */
export function createKernelLoops(slotCount: number, slotSize: number): { loops: OctetLoops; slots: Buffer[] } {
  const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyInterface };
  const pages = Math.ceil((SLOTS + slotCount * (slotSize + SLACK)) / PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const module = new WebAssembly.Module(Buffer.from(kernelWasm, 'base64'));
  const kernel = new WebAssembly.Instance(module, { env: { memory } }).exports as Kernel;
  // Asked for once: the memory makes a call of it each time.
  const { buffer } = memory;
  const whole = new Uint8Array(buffer);

  function isInside(octets: Uint8Array): boolean {
    return octets.buffer === buffer;
  }

  /** Sums what `count` makes of each piece. It gets an address in the kernel's memory and the octet before. */
  function sum(octets: Uint8Array, start: number, end: number, previous: number, count: Kernel['countBareLf']): number {
    if (isInside(octets)) return count(octets.byteOffset + start, end - start, previous);
    let total = 0;
    for (let at = start; at < end; at += PIECE) {
      const stop = Math.min(end, at + PIECE);
      whole.set(at === 0 && stop === octets.length ? octets : octets.subarray(at, stop), COPY_IN);
      total += count(COPY_IN, stop - at, at === start ? previous : (octets[at - 1] ?? 0));
    }
    return total;
  }

  /** Runs `convert` on each piece; returns the octets written to `into`. */
  function rewrite(from: Uint8Array, into: Uint8Array, previous: number, convert: Kernel['toWire']): number {
    const intoInside = isInside(into);
    if (intoInside && isInside(from)) return convert(from.byteOffset, from.length, into.byteOffset, previous);
    let written = 0;
    for (let at = 0; at < from.length; ) {
      let stop = Math.min(from.length, at + PIECE);
      // CR and LF go together: whether the CR stays depends on the LF.
      if (from[stop] === LF && from[stop - 1] === CR) stop -= 1;
      whole.set(at === 0 && stop === from.length ? from : from.subarray(at, stop), COPY_IN);
      const to = intoInside ? into.byteOffset + written : COPY_OUT;
      const count = convert(COPY_IN, stop - at, to, at === 0 ? previous : (from[at - 1] ?? 0));
      if (!intoInside) into.set(whole.subarray(COPY_OUT, COPY_OUT + count), written);
      written += count;
      at = stop;
    }
    return written;
  }

  const loops: OctetLoops = {
    countLf: (octets, start, end) => sum(octets, start, end, 0, kernel.countLf),
    countBareLf: (octets, start, end, previous) => sum(octets, start, end, previous, kernel.countBareLf),
    toWire: (from, into, previous) => rewrite(from, into, previous, kernel.toWire),
    toRest: (from, into, previous) => rewrite(from, into, previous, kernel.toRest),
  };
  const slots = Array.from({ length: slotCount }, (_, n) => Buffer.from(buffer, SLOTS + n * (slotSize + SLACK), slotSize));
  return { loops, slots };
}
