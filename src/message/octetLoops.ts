/** The octet loops this process works with: the kernel where WebAssembly has SIMD, else the plain ones, and the slots that go with them. */
import { createKernelLoops } from './kernelLoops.ts';
import { type OctetLoops, plainLoops } from './plainLoops.ts';
import { ownSlot, type Slot, SlotPool } from './slots.ts';

export type { Slot } from './slots.ts';

/** How much of a large message to read at a time. */
export const PIECE_SIZE = 65_536;
/** The largest slot: the wire form of a piece, whatever is in it, with a status line before it and the terminator behind. */
export const SLOT_SIZE = 2 * PIECE_SIZE + 1024;
/** 2 MB of address space, of which a quiet process touches 200 kB. When all are lent to slow clients, slots come from elsewhere. */
const SLOT_COUNT = 16;

const { loops, slots } = choose();
const pool = new SlotPool(slots);

function choose(): { loops: OctetLoops; slots: readonly Buffer[] } {
  try {
    return createKernelLoops(SLOT_COUNT, SLOT_SIZE);
  } catch {
    // No SIMD on this processor, or an address-space limit: slower, and otherwise the same.
    return { loops: plainLoops, slots: Array.from({ length: SLOT_COUNT }, () => Buffer.allocUnsafeSlow(SLOT_SIZE)) };
  }
}

/** Which implementation this process runs. */
export const octetLoops: 'kernel' | 'plain' = loops === plainLoops ? 'plain' : 'kernel';

/**
 * An area to read into and to convert from, up to `SLOT_SIZE` octets of it without a copy into the kernel. Never fails: an ordinary
 * Buffer where none is free. Its octets are valid until `release`.
 */
export function borrowSlot(size: number): Slot {
  return pool.take(size) ?? ownSlot(size);
}

/** LFs not preceded by CR in octets[start,end). `previous`: the octet before `start`, 0 if none. */
export function countBareLf(octets: Uint8Array, start = 0, end = octets.length, previous = 0): number {
  return loops.countBareLf(octets, start, end, previous);
}

/** LFs in octets[start,end). */
export function countLf(octets: Uint8Array, start = 0, end = octets.length): number {
  return loops.countLf(octets, start, end);
}

/**
 * Writes the wire form of `from` to `into` from offset `at` on, which must have room for it: twice the length, or one octet for the start
 * and two for each line end beside it. `previous`: the octet before, LF at the start of a message. Returns the octets written.
 */
export function toWire(from: Uint8Array, into: Buffer, at: number, previous: number): number {
  return loops.toWire(from, at === 0 ? into : into.subarray(at), previous);
}

/** CRLF → LF, but CR CR LF stays, and so does a CR at the very end. `previous`: the octet before. The result may be kept. */
export function toRest(from: Uint8Array, previous: number): Buffer {
  const into = Buffer.allocUnsafeSlow(from.length);
  return into.subarray(0, loops.toRest(from, into, previous));
}
