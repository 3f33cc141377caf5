/**
 * Whether this process has more on its hands than it can carry: memory near its limit, or an event loop that comes round late. Who
 * connects then is told to come back later, so that those who are here can finish; nobody who is here is sent away.
 */
import type { Log } from '../model/log.ts';

export interface OverloadOptions {
  /** Octets of memory (resident) this process should not go beyond. */
  readonly memoryLimit: number;
  /** Octets of memory it has. */
  readonly memory: () => number;
  /** Part of the JavaScript heap that is in use, from 0 to 1: at 1 the process would end. */
  readonly heapUse: () => number;
  readonly log: Log;
}

type Reason = 'memory' | 'lag';

/** How often it is looked; what comes round later than this was late by the difference. */
export const LOOK_MS = 1000;
/**
 * A loop that was late by so much, twice in a row: once is a pause of the whole machine, or one very large mailbox.
 * A thousand clients at once, each with one mail check after the other, on two cores that have other work too, made it late by 0.4 s at most.
 */
const LATE_MS = 1000;
const IN_TIME_MS = 500;
const LOOKS_IN_A_ROW = 2;
/** Memory has to fall this far below its limit before anybody is let in again, or it would be yes and no in turns. */
const RELIEF = 0.9;
const FULL_HEAP = 0.85;

export class Overload {
  readonly #options: OverloadOptions;
  readonly #over = new Set<Reason>();
  #late = 0;
  #inTime = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OverloadOptions) {
    this.#options = options;
  }

  /** Who connects now should come back later. */
  get isOver(): boolean {
    return this.#over.size > 0;
  }

  /** @param clock in ms, and one that only goes forward */
  watch(clock: () => number): void {
    let due = clock() + LOOK_MS;
    this.#timer = setInterval(() => {
      const now = clock();
      this.look(Math.max(0, now - due));
      due = now + LOOK_MS;
    }, LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** @param lateMs how long this look had to wait for its turn */
  look(lateMs: number): void {
    const { memory, memoryLimit, heapUse } = this.#options;
    const octets = memory();
    const heap = heapUse();
    const share = this.#over.has('memory') ? RELIEF : 1;
    this.#turn('memory', octets > memoryLimit * share || heap > FULL_HEAP * share, { rss: octets, heapUse: Math.round(heap * 100) / 100 });

    this.#late = lateMs > LATE_MS ? this.#late + 1 : 0;
    this.#inTime = lateMs < IN_TIME_MS ? this.#inTime + 1 : 0;
    const isLagging = this.#over.has('lag') ? this.#inTime < LOOKS_IN_A_ROW : this.#late >= LOOKS_IN_A_ROW;
    this.#turn('lag', isLagging, { lateMs: Math.round(lateMs) });
  }

  #turn(reason: Reason, isOver: boolean, figures: Readonly<Record<string, number>>): void {
    if (isOver === this.#over.has(reason)) return;
    const { log } = this.#options;
    if (isOver) {
      this.#over.add(reason);
      log.warn('house.overloaded', { reason, ...figures });
    } else {
      this.#over.delete(reason);
      log.info('house.relieved', { reason, ...figures });
    }
  }
}
