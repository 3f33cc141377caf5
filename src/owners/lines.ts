/** A front's connections to all workers: those that rest are used again, and whoever waits too long is told. */
import { Fault } from '../model/fault.ts';
import type { Log } from '../model/log.ts';
import type { Text } from '../texts/index.ts';
import { Line, LineLost } from './line.ts';
import type { Whereabouts, Worker } from './whereabouts.ts';

export interface LinesOptions {
  readonly whereabouts: Whereabouts;
  readonly log: Log;
  /** How long a worker may take for one step of a request. */
  readonly timeoutMs: number;
}

export interface Use<T> {
  /** Asked anew where nobody answers at the first place. `undefined`: there is no worker any more. */
  readonly again: () => Promise<Worker | undefined>;
  /** What comes of it when the worker can't be reached. */
  readonly otherwise: Text;
  /** The request may be made again where it isn't known whether it was answered. */
  readonly repeatable: boolean;
  /** Has the line, and gives it back: also when it fails, unless by LineLost. @throws LineLost, Fault */
  readonly work: (line: Line) => Promise<T>;
}

/** Connections that rest, of each worker. */
const MOST_RESTING = 32;
/** A cold worker on a busy host: half a second for Node, and whoever else is starting. */
const TAKEN_PATIENCE_MS = 20_000;
const ATTEMPTS = 4;
/** How finely waiting is measured. */
const TICKS = 10;

export class Lines {
  readonly #options: LinesOptions;
  readonly #all = new Set<Line>();
  /** By the path of the worker's socket. */
  readonly #resting = new Map<string, Line[]>();
  readonly #clock: NodeJS.Timeout;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(options: LinesOptions) {
    this.#options = options;
    this.#clock = setInterval(() => this.#tick(), options.timeoutMs / TICKS);
    this.#clock.unref();
  }

  counts(): { connections: number; idle: number } {
    let idle = 0;
    for (const lines of this.#resting.values()) idle += lines.length;
    return { connections: this.#all.size, idle };
  }

  /** @throws Fault as the worker says, or temporary */
  async use<T>(first: Worker, use: Use<T>): Promise<T> {
    const { again, otherwise, repeatable, work } = use;
    let worker = first;
    for (let attempt = 1; ; attempt += 1) {
      const line = this.#take(worker);
      try {
        return await work(line);
      } catch (thrown) {
        if (!(thrown instanceof LineLost)) {
          const elsewhere: Worker | undefined = attempt === ATTEMPTS ? undefined : await this.#elsewhere(worker, use, thrown);
          if (elsewhere === undefined) throw thrown;
          worker = elsewhere;
          continue;
        }
        if (!thrown.wasTaken) this.#options.whereabouts.forget(worker);
        if (attempt === ATTEMPTS || (thrown.wasTaken && !repeatable)) throw new Fault('temporary', otherwise, { cause: thrown });
        const next = await again();
        if (next === undefined) throw new Fault('temporary', otherwise, { cause: thrown });
        worker = next;
      }
    }
  }

  /** A worker that can't answer may be that of an owner who was. `undefined`: there is no other. */
  async #elsewhere<T>(worker: Worker, { again, repeatable }: Use<T>, thrown: unknown): Promise<Worker | undefined> {
    if (!repeatable || !(thrown instanceof Fault) || thrown.kind !== 'temporary') return undefined;
    this.#options.whereabouts.doubt(worker);
    const now = await again().catch(() => undefined);
    return now?.path === worker.path ? undefined : now;
  }

  /** Nothing is asked or held on it any more. */
  giveBack(line: Line): void {
    line.onLost = undefined;
    if (line.closed) return;
    const resting = this.#resting.get(line.worker.path) ?? [];
    if (line.leaving || this.#closing !== undefined || resting.length >= MOST_RESTING) {
      line.close();
      return;
    }
    resting.push(line);
    this.#resting.set(line.worker.path, resting);
  }

  /** Closes those that rest, and the others when they are given back. Resolves when all are closed. */
  async close(): Promise<void> {
    this.#closing ??= Promise.withResolvers();
    for (const lines of this.#resting.values()) for (const line of lines) line.close();
    this.#resting.clear();
    if (this.#all.size === 0) this.#closed();
    await this.#closing.promise;
  }

  #closed(): void {
    clearInterval(this.#clock);
    this.#closing?.resolve();
  }

  #take(worker: Worker): Line {
    const resting = this.#resting.get(worker.path);
    const line = resting?.pop();
    if (resting?.length === 0) this.#resting.delete(worker.path);
    // One that is closed hasn't told so yet.
    return line === undefined ? this.#connect(worker) : line.closed ? this.#take(worker) : line;
  }

  #connect(worker: Worker): Line {
    const { log, timeoutMs } = this.#options;
    const line = new Line(worker, {
      patienceMs: Math.min(timeoutMs, TAKEN_PATIENCE_MS),
      closed: (one) => {
        this.#all.delete(one);
        this.#forget(one);
        if (this.#all.size === 0 && this.#closing !== undefined) this.#closed();
      },
      bye: (one) => {
        one.leaving = true;
        if (this.#forget(one)) one.close();
      },
      malformed: (reason) => log.error('owners.malformed', { from: `worker ${worker.owner}`, reason }),
    });
    this.#all.add(line);
    return line;
  }

  /** True: it was resting. */
  #forget(line: Line): boolean {
    const { path } = line.worker;
    const resting = this.#resting.get(path);
    const index = resting?.indexOf(line) ?? -1;
    if (resting === undefined || index < 0) return false;
    resting.splice(index, 1);
    if (resting.length === 0) this.#resting.delete(path);
    return true;
  }

  #tick(): void {
    for (const line of this.#all) {
      if (!line.isWaiting) continue;
      line.waitedTicks += 1;
      if (line.waitedTicks > TICKS) line.cut('the worker does not answer');
    }
  }
}
