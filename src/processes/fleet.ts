/** A generation of fronts that serve the same listeners: started together, each started again when it dies. */
import type { Log } from '../model/log.ts';
import type { ProcessEvents } from '../model/report.ts';
import type { StartFailure } from '../os/startFailure.ts';
import { type Child, type Command, send, startChild } from './children.ts';
import type { FromFront, FrontStart, ToFront } from './protocol.ts';
import { readFromFront } from './words.ts';

export interface FleetPlan {
  readonly command: Command;
  /** What front n (from 0) is told, and the descriptors it inherits: fds[k] becomes FIRST_INHERITED_FD + k there. */
  front(n: number): { readonly start: FrontStart; readonly fds: readonly number[] };
  readonly count: number;
  /** What a front asks for or tells the others. */
  onMessage(message: FromFront, from: Child): void;
  readonly events: ProcessEvents;
  readonly log: Log;
  readonly now: () => number;
}

/** fsync and password hashing wait in the thread pool; Node's four threads would make them queue. */
const THREADS = 16;
const STEADY_MS = 5_000; // who lived this long died for a new reason: no back-off
const SHORTEST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** Beyond the grace, for a front that does not manage to end. */
const KILL_AFTER_MS = 5_000;

interface Slot {
  child: Child | undefined;
  /** Before the next start; 0: it has not died yet. */
  pauseMs: number;
  ready: boolean;
  timer: NodeJS.Timeout | undefined;
}

export class Fleet {
  readonly #plan: FleetPlan;
  readonly #slots: Slot[];
  #ending = false;
  #gone: (() => void)[] = [];

  constructor(plan: FleetPlan) {
    this.#plan = plan;
    this.#slots = Array.from({ length: plan.count }, () => ({ child: undefined, pauseMs: 0, ready: false, timer: undefined }));
  }

  /** Resolves when every front is ready. @throws StartFailure when one can't start; then none is left running */
  async start(): Promise<void> {
    const outcomes = await Promise.allSettled(this.#slots.map((slot, n) => this.#launch(slot, n)));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) {
      await this.stop(0);
      throw failed.reason;
    }
  }

  /** Takes no new connections; each front ends with its last session. Resolves when none is left. `stop` may still follow. */
  retire(): Promise<void> {
    return this.#end({ kind: 'retire' });
  }

  /** Asks each front to end; who hasn't by `graceMs` and a margin is killed. Resolves when none is left. */
  async stop(graceMs: number): Promise<void> {
    const gone = this.#end({ kind: 'stop', graceMs });
    const limit = setTimeout(() => {
      for (const { child } of this.#slots) child?.kill('SIGKILL');
    }, graceMs + KILL_AFTER_MS);
    await gone;
    clearTimeout(limit);
  }

  report(): void {
    this.tell({ kind: 'report' });
  }

  /** To every front, but not to the one it came from. */
  tell(message: ToFront, from?: Child): void {
    for (const { child } of this.#slots) if (child && child !== from) send(child, message);
  }

  get children(): Child[] {
    return this.#slots.flatMap(({ child }) => child ?? []);
  }

  /** Those that are ready, and their numbers. */
  get serving(): { child: Child; front: number }[] {
    return this.#slots.flatMap(({ child, ready }, front) => (child !== undefined && ready ? { child, front } : []));
  }

  get pids(): number[] {
    return this.#slots.flatMap(({ child }) => child?.pid ?? []);
  }

  #end(how: ToFront): Promise<void> {
    this.#ending = true;
    for (const { child, timer } of this.#slots) {
      clearTimeout(timer);
      if (child) send(child, how);
    }
    return new Promise((resolve) => {
      this.#gone.push(resolve);
      this.#noteGone();
    });
  }

  #launch(slot: Slot, n: number): Promise<void> {
    const { command, events, log, now } = this.#plan;
    const { start, fds } = this.#plan.front(n);
    const startedAt = now();
    return new Promise((resolve, reject) => {
      const child = startChild<FromFront>({
        role: 'front',
        command,
        start,
        fds,
        threads: THREADS,
        read: readFromFront,
        onMalformed: () => log.error('front.malformed', { front: n, pid: child.pid }),
        onReady() {
          slot.ready = true;
          resolve();
        },
        onMessage: (message) => this.#plan.onMessage(message, child),
        onEnd: ({ code, signal, wasReady, failure }) => {
          slot.child = undefined;
          slot.ready = false;
          if (failure !== undefined) reject(failure);
          if (this.#ending) {
            this.#noteGone();
            return;
          }
          if (wasReady) {
            events.frontsDied++;
            log.error('front.died', { front: n, pid: child.pid, code, signal });
          }
          // A first start that fails is the caller's to handle; a later one is tried again and again.
          if (wasReady || slot.pauseMs > 0) this.#again(slot, n, now() - startedAt);
        },
      });
      slot.child = child;
    });
  }

  #again(slot: Slot, n: number, livedMs: number): void {
    slot.pauseMs = livedMs > STEADY_MS ? SHORTEST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, slot.pauseMs * 2));
    slot.timer = setTimeout(() => {
      this.#launch(slot, n).then(
        () => this.#plan.log.info('front.restarted', { front: n, pid: slot.child?.pid }),
        (failure: StartFailure) => this.#plan.log.error('front.not-restarted', { front: n, problem: failure.message }),
      );
    }, slot.pauseMs);
  }

  #noteGone(): void {
    if (this.#slots.some(({ child }) => child)) return;
    for (const resolve of this.#gone.splice(0)) resolve();
  }
}
