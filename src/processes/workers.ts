/**
 * The owners' workers: one for each Unix user that owns mail and is asked for, started when a front first asks where it is, and gone when it
 * has been idle. Each start has a socket of its own, whose descriptor only the worker keeps: a connection that came too late for one that
 * ends is reset, and the front asks again.
 */
import { unlinkSync } from 'node:fs';
import type { Log } from '../model/log.ts';
import type { ProcessEvents } from '../model/report.ts';
import type { Identity } from '../os/becomeUser.ts';
import { closeSocket, listeningSockets } from '../os/sockets.ts';
import type { ShadowEntry } from '../os/users.ts';
import type { Worker } from '../owners/whereabouts.ts';
import { type Child, type Command, FIRST_INHERITED_FD, send, startChild } from './children.ts';
import type { FromWorker, Told, ToWorker, WorkerStart } from './protocol.ts';
import { readFromWorker } from './words.ts';

/** On whose behalf a worker acts. */
export interface Owner {
  readonly identity: Identity;
  /** A user of the host, with a worker apart from the one for the domains that are his. */
  readonly systemUser: string | undefined;
  /** Owner of the domains that root gives to nobody else. */
  readonly isMailOwner: boolean;
}

export interface WorkersPlan {
  readonly command: Command;
  /** A path for a socket, never given before, in a folder that only the fronts may enter. */
  newPath(owner: Owner): string;
  readonly frontUid: number;
  readonly max: number;
  /** What a worker for this owner is told, but for its socket; makes the folders it needs. @throws Error */
  prepare(owner: Owner): Pick<WorkerStart, 'settings'>;
  shadowEntry(user: string): ShadowEntry | undefined;
  onTold?(message: Told, from: Child): void;
  readonly events: ProcessEvents;
  readonly log: Log;
  readonly now: () => number;
}

interface Running extends Worker {
  readonly child: Child;
  readonly user: string | undefined;
  ready: boolean;
  /** When it was last asked for, or became ready if that was later. */
  wantedAtMs: number;
  /** When it was last asked to make room, 0: never. It stays while it serves somebody. */
  askedAtMs: number;
  /** Asked whether it is there. */
  presence: PromiseWithResolvers<boolean> | undefined;
}

/** Threads for fsync and password hashing; a process for one owner has few of either. */
const THREADS = 4;
/** There may be hundreds of workers, and each further area costs an idle one half a megabyte. */
const ARENAS = 1;
/** A worker that ends sooner, and not by itself, is in trouble. */
const STEADY_MS = 5_000;
const SHORTEST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;
const KILL_AFTER_MS = 5_000;
/** How long somebody waits for a place when all are taken: less than a front waits for an answer. */
const ROOM_MS = 15_000;
const LOOK_AGAIN_MS = 250;
/** For a worker to say that it is there: it does nothing that takes long without letting others have their turn. */
const DEAF_AFTER_MS = 5_000;
/** Whoever asked for a worker gets so long to reach it before it is asked to make room. */
const RESERVED_MS = 200;

export class Workers {
  readonly #plan: WorkersPlan;
  readonly #running = new Map<string, Running>();
  /** Those that are on their way out: nobody is sent there any more. */
  readonly #leaving = new Set<Running>();
  readonly #starting = new Map<string, Promise<Running>>();
  /** Owners whose worker died at once, and until when it isn't tried again. */
  readonly #troubled = new Map<string, { readonly untilMs: number; readonly pauseMs: number }>();
  /** Have a place, and are on their way to being one of the running. */
  #coming = 0;
  #ending = false;
  #gone: (() => void)[] = [];
  /** For a worker to end, so that there is room for another. */
  #waiting: (() => void)[] = [];

  constructor(plan: WorkersPlan) {
    this.#plan = plan;
  }

  /**
   * The worker of this owner, started if need be; it may not be ready yet, but can be connected to.
   * @param unreachable socket where nobody answered the asker. Its word ends no worker that answers us
   * @throws Error that says why there is none
   */
  async of(owner: Owner, unreachable?: string): Promise<Worker> {
    const key = keyOf(owner);
    let running = this.#running.get(key);
    if (running !== undefined && running.path === unreachable) {
      await this.#endIfDeaf(running);
      running = this.#running.get(key);
    }
    if (running === undefined) {
      const starting = this.#starting.get(key) ?? this.#startOnce(owner, key);
      this.#starting.set(key, starting);
      running = await starting;
    }
    running.wantedAtMs = this.#plan.now();
    return { path: running.path, owner: running.owner };
  }

  /** Those that are ready. */
  get serving(): { child: Child; owner: string; user: string | null }[] {
    return this.#all().flatMap(({ child, owner, user, ready }) => (ready ? { child, owner, user: user ?? null } : []));
  }

  get pids(): number[] {
    return this.#all().flatMap(({ child }) => child.pid ?? []);
  }

  report(): void {
    for (const { child } of this.#all()) send(child, { kind: 'report' } satisfies ToWorker);
  }

  /** Asks each to end; who hasn't by `graceMs` and a margin is killed. Resolves when none is left. */
  async stop(graceMs: number): Promise<void> {
    this.#ending = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
    await Promise.allSettled(this.#starting.values());
    const gone = new Promise<void>((resolve) => this.#gone.push(resolve));
    for (const { child } of this.#all()) send(child, { kind: 'stop', graceMs } satisfies ToWorker);
    const limit = setTimeout(() => {
      for (const { child } of this.#all()) child.kill('SIGKILL');
    }, graceMs + KILL_AFTER_MS);
    this.#noteGone();
    await gone;
    clearTimeout(limit);
  }

  #all(): Running[] {
    return [...this.#running.values(), ...this.#leaving];
  }

  async #startOnce(owner: Owner, key: string): Promise<Running> {
    try {
      return await this.#start(owner, key);
    } finally {
      this.#starting.delete(key);
    }
  }

  async #start(owner: Owner, key: string): Promise<Running> {
    const plan = this.#plan;
    if (this.#ending) throw stopping();
    const trouble = this.#troubled.get(key);
    if (trouble !== undefined && plan.now() < trouble.untilMs) throw new Error(`the worker of ${key} can't be kept running`);
    await this.#takePlace();
    try {
      if (this.#ending) throw stopping();
      return await this.#launch(owner, key);
    } finally {
      this.#coming -= 1;
    }
  }

  async #launch(owner: Owner, key: string): Promise<Running> {
    const plan = this.#plan;
    const path = plan.newPath(owner);
    const { settings } = plan.prepare(owner);
    const { fds } = await listeningSockets({ path }, 1, 0o666);
    const [fd] = fds;
    if (fd === undefined) throw new Error('no socket');
    const startedAtMs = plan.now();
    const start: WorkerStart = {
      kind: 'start',
      settings,
      become: owner.identity,
      frontUid: plan.frontUid,
      systemUser: owner.systemUser,
      isMailOwner: owner.isMailOwner,
      fd: FIRST_INHERITED_FD,
    };
    const child: Child = startChild<FromWorker>({
      role: 'worker',
      command: plan.command,
      start,
      fds: [fd],
      threads: THREADS,
      arenas: ARENAS,
      read: readFromWorker,
      onMalformed: () => plan.log.error('worker.malformed', { owner: key, pid: child.pid }),
      onReady: () => {
        running.ready = true;
        running.wantedAtMs = plan.now();
        plan.log.info('worker.ready', { owner: key, pid: child.pid, ms: plan.now() - startedAtMs });
      },
      onMessage: (message) => {
        if (message.kind === 'told') plan.onTold?.(message, child);
        if (message.kind === 'leaving') this.#leaves(running);
        if (message.kind === 'here') running.presence?.resolve(true);
        if (message.kind !== 'shadow' || owner.systemUser === undefined) return;
        send(child, { kind: 'shadow', entry: plan.shadowEntry(owner.systemUser) } satisfies ToWorker);
      },
      onEnd: ({ code, signal, wasReady, failure }) => {
        this.#leaves(running);
        this.#leaving.delete(running);
        remove(path);
        if (wasReady && code === 0) {
          this.#troubled.delete(key);
          plan.events.workersEnded++;
          plan.log.info('worker.ended', { owner: key, pid: child.pid });
        } else {
          plan.events.workersDied++;
          plan.log.error('worker.died', { owner: key, pid: child.pid, code, signal, problem: failure?.message });
          this.#noteTrouble(key, plan.now() - startedAtMs);
        }
        this.#noteGone();
        for (const resolve of this.#waiting.splice(0)) resolve();
      },
    });
    // The worker's alone from here on: with it the socket ends, and whoever waits there is told.
    closeSocket(fd);
    plan.events.workersStarted++;
    const running: Running = {
      path,
      owner: key,
      user: owner.identity.name,
      child,
      ready: false,
      wantedAtMs: startedAtMs,
      askedAtMs: 0,
      presence: undefined,
    };
    this.#running.set(key, running);
    return running;
  }

  /** An owner can stop the own worker (SIGSTOP), and a disc can: it is not to keep its clients, or a place, for ever. */
  async #endIfDeaf(running: Running): Promise<void> {
    if (await this.#isThere(running)) return;
    if (this.#running.get(running.owner) !== running) return;
    this.#plan.log.error('worker.deaf', { owner: running.owner, pid: running.child.pid });
    this.#leaves(running);
    running.child.kill('SIGKILL');
  }

  #isThere(running: Running): Promise<boolean> {
    // One that is starting is given the time that a start may take.
    if (!running.ready) return Promise.resolve(true);
    if (running.presence !== undefined) return running.presence.promise;
    const presence = Promise.withResolvers<boolean>();
    running.presence = presence;
    const limit = setTimeout(presence.resolve, DEAF_AFTER_MS, false);
    send(running.child, { kind: 'are-you-there' } satisfies ToWorker);
    return presence.promise.finally(() => {
      clearTimeout(limit);
      running.presence = undefined;
    });
  }

  #leaves(running: Running): void {
    running.presence?.resolve(false);
    if (this.#running.get(running.owner) !== running) return;
    this.#running.delete(running.owner);
    this.#leaving.add(running);
    send(running.child, { kind: 'yield' } satisfies ToWorker);
  }

  /**
   * Waits for a place, and counts as coming from then on. Those that nobody has asked for longest are asked to end; one that serves somebody stays.
   * @throws Error
   */
  async #takePlace(): Promise<void> {
    const { max, now } = this.#plan;
    const until = now() + ROOM_MS;
    while (this.#all().length + this.#coming >= max) {
      if (this.#ending) throw stopping();
      if (now() >= until) throw new Error(`${max} owners are at work already`);
      const unwanted = [...this.#running.values()].filter(({ ready, wantedAtMs }) => ready && now() - wantedAtMs >= RESERVED_MS);
      // Those that have just been asked serve somebody, it seems, and others come first.
      const inOrder = unwanted.toSorted((a, b) => a.askedAtMs - b.askedAtMs || a.wantedAtMs - b.wantedAtMs);
      for (const one of inOrder.slice(0, Math.ceil(max / 16))) {
        one.askedAtMs = now();
        send(one.child, { kind: 'yield' } satisfies ToWorker);
        void this.#endIfDeaf(one);
      }
      await new Promise<void>((resolve) => {
        const limit = setTimeout(resolve, LOOK_AGAIN_MS);
        this.#waiting.push(() => {
          clearTimeout(limit);
          resolve();
        });
      });
    }
    this.#coming += 1;
  }

  #noteTrouble(key: string, livedMs: number): void {
    const before = this.#troubled.get(key);
    const pauseMs =
      before === undefined || livedMs > STEADY_MS
        ? SHORTEST_PAUSE_MS
        : Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, before.pauseMs * 2));
    this.#troubled.set(key, { untilMs: this.#plan.now() + (livedMs > STEADY_MS ? 0 : pauseMs), pauseMs });
  }

  #noteGone(): void {
    if (!this.#ending || this.#running.size + this.#leaving.size > 0) return;
    for (const resolve of this.#gone.splice(0)) resolve();
  }
}

/** `601:100`, or `601:100 system`. */
function keyOf({ identity: { uid, gid }, systemUser }: Owner): string {
  return systemUser === undefined ? `${uid}:${gid}` : `${uid}:${gid} system`;
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Somebody cleared the run directory.
  }
}

function stopping(): Error {
  return new Error('the program is stopping');
}
