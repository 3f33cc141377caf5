/**
 * Tells systemd that all is well, but only while it is: while this loop comes round and every front answers. A front that is deaf for long
 * is ended first, as a new one takes its place; where that doesn't help, systemd hears nothing more and starts everything anew.
 */
import type { Log } from '../model/log.ts';
import type { Notifier } from '../os/notify.ts';
import type { Child } from './children.ts';

export interface WatchdogPlan<F extends Pick<Child, 'pid' | 'kill'>> {
  readonly notifier: Pick<Notifier, 'alive' | 'watchdogMs'>;
  /** Those that should be serving now. */
  fronts(): readonly F[];
  /** Whether it is there; its answer comes to `answered`. */
  ask(front: F): void;
  /** Nobody is expected to serve any more. */
  isStopping(): boolean;
  readonly log: Log;
}

/** Looks in the time after which systemd would end us: two to notice that a front is deaf, one for its successor to start. */
const LOOKS = 4;
const DEAF_AFTER = 2;

export class Watchdog<F extends Pick<Child, 'pid' | 'kill'>> {
  readonly #plan: WatchdogPlan<F>;
  /** Questions that a front owes us answers to. */
  #owed = new Map<F, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(plan: WatchdogPlan<F>) {
    this.#plan = plan;
  }

  /** Does nothing where nobody watches. */
  start(): void {
    const { watchdogMs } = this.#plan.notifier;
    if (watchdogMs !== undefined) this.#timer = setInterval(() => this.look(), watchdogMs / LOOKS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  answered(front: F): void {
    if (this.#owed.has(front)) this.#owed.set(front, 0);
  }

  look(): void {
    const { notifier, log } = this.#plan;
    const fronts = this.#plan.fronts();
    const owing = fronts.map((front) => this.#owed.get(front) ?? 0);
    const isWell = fronts.length > 0 && owing.every((owed) => owed === 0);
    if (isWell || this.#plan.isStopping()) notifier.alive();

    this.#owed = new Map(fronts.map((front, n) => [front, (owing[n] ?? 0) + 1]));
    for (const [front, owed] of this.#owed) {
      if (owed <= DEAF_AFTER) {
        this.#plan.ask(front);
        continue;
      }
      log.error('front.deaf', { pid: front.pid });
      front.kill('SIGKILL');
    }
  }
}
