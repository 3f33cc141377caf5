/** A generation of fronts that serve the same listeners: started together, each started again when it dies. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Log } from '../model/log.ts';
import { EX_OSERR, EX_SOFTWARE } from '../os/exitCodes.ts';
import { StartFailure } from '../os/startFailure.ts';
import type { FromFront, ToFront } from './protocol.ts';

export interface FleetPlan {
  /** Program and arguments that start a front; it gets a 'start' message over IPC. */
  readonly command: readonly [string, ...string[]];
  /** What front n (from 0) is told, and the descriptors it inherits: fds[k] becomes FIRST_INHERITED_FD + k there. */
  front(n: number): { readonly start: Extract<ToFront, { kind: 'start' }>; readonly fds: readonly number[] };
  readonly count: number;
  readonly log: Log;
  readonly now: () => number;
}

/** Number of the first inherited socket in a front: after standard input, output, error and the IPC channel. */
export const FIRST_INHERITED_FD = 4;

const STEADY_MS = 5_000; // who lived this long died for a new reason: no back-off
const SHORTEST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** For a front to be ready. A lookup that hangs must not make us deaf to whoever wants us to stop. */
const START_LIMIT_MS = 60_000;
/** Beyond the grace, for a front that does not manage to end. */
const KILL_AFTER_MS = 5_000;

interface Slot {
  child: ChildProcess | undefined;
  /** Before the next start; 0: it has not died yet. */
  pauseMs: number;
  timer: NodeJS.Timeout | undefined;
}

export class Fleet {
  readonly #plan: FleetPlan;
  readonly #slots: Slot[];
  #ending = false;
  #gone: (() => void)[] = [];

  constructor(plan: FleetPlan) {
    this.#plan = plan;
    this.#slots = Array.from({ length: plan.count }, () => ({ child: undefined, pauseMs: 0, timer: undefined }));
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
    for (const { child } of this.#slots) if (child) send(child, { kind: 'report' });
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
    const { command, log, now } = this.#plan;
    const { start, fds } = this.#plan.front(n);
    const startedAt = now();
    const child = spawn(command[0], command.slice(1), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...fds],
      serialization: 'advanced',
      // fsync and password hashing wait in the thread pool; Node's four threads would make them queue.
      env: { UV_THREADPOOL_SIZE: '16', ...process.env },
    });
    slot.child = child;
    send(child, start);
    return new Promise((resolve, reject) => {
      let ready = false;
      let failure: StartFailure | undefined;
      const limit = setTimeout(() => child.kill('SIGKILL'), START_LIMIT_MS);
      const ended = (fields: { code?: number | null; signal?: string | null; error?: Error }): void => {
        slot.child = undefined;
        clearTimeout(limit);
        const detail = fields.error?.message ?? `a front ended at its start (${fields.signal ?? `status ${fields.code}`})`;
        reject(failure ?? new StartFailure('{detail}', { detail }, fields.error ? EX_OSERR : EX_SOFTWARE));
        if (this.#ending) {
          this.#noteGone();
          return;
        }
        if (ready) log.error('front.died', { front: n, pid: child.pid, ...fields });
        // A first start that fails is the caller's to handle; a later one is tried again and again.
        if (ready || slot.pauseMs > 0) this.#again(slot, n, now() - startedAt);
      };
      child.on('message', (message: FromFront) => {
        if (message.kind === 'ready') {
          ready = true;
          clearTimeout(limit);
          resolve();
        } else failure = new StartFailure(message.text, message.values, message.exitCode);
      });
      child.once('exit', (code, signal) => ended({ code, signal }));
      child.on('error', (error) => {
        // With a process id it was a message or a signal that failed, and 'exit' tells the rest.
        if (child.pid === undefined) ended({ error });
      });
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

/** A child that has just died is no reason to stop the others. */
function send(child: ChildProcess, message: ToFront): void {
  if (child.connected) child.send(message, () => {});
}
