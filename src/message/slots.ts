/** Areas of memory that are lent out and come back, so that a busy server doesn't allocate for each message it reads and sends. */

/** A lent area. After `release` its octets may be overwritten at any time; to release twice is harmless. */
export interface Slot {
  readonly octets: Buffer;
  readonly release: () => void;
}

export class SlotPool {
  readonly #free: Buffer[];
  readonly #slotSize: number;

  constructor(areas: readonly Buffer[]) {
    this.#free = [...areas].reverse();
    this.#slotSize = Math.min(...areas.map((area) => area.length));
  }

  /** `undefined` when all are lent, or none is large enough. The area used last is lent first: it is in the processor's cache. */
  take(size: number): Slot | undefined {
    if (size > this.#slotSize) return undefined;
    const area = this.#free.pop();
    if (area === undefined) return undefined;
    let held = true;
    return {
      octets: area.length === size ? area : area.subarray(0, size),
      release: () => {
        if (!held) return;
        held = false;
        this.#free.push(area);
      },
    };
  }
}

/** An area of its own, for when the pool has none to lend. */
export function ownSlot(size: number): Slot {
  return { octets: Buffer.allocUnsafeSlow(size), release() {} };
}
