/**
 * Binds the listening sockets, starts the fronts on them and starts them again when they die. It holds no dialogue and reads
 * nothing that strangers send; where it was started by root it is the only process that stays root.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type ConfigProblem, formatProblem, type Settings } from '../config/index.ts';
import type { Log } from '../model/log.ts';
import { createLineWriter, createLog } from '../observe/index.ts';
import type { Identity } from '../os/becomeUser.ts';
import * as exitCodes from '../os/exitCodes.ts';
import { type ProcessLock, takeProcessLock } from '../os/processLock.ts';
import type { Text, Values } from '../texts/index.ts';
import type { Phrasebook } from '../texts/speaker.ts';
import { explained } from './failures.ts';
import { stampOf, watchFiles } from './fileWatch.ts';
import { FIRST_INHERITED_FD, Fleet } from './fleet.ts';
import { identityOf, makeFolders } from './grounds.ts';
import { type Bound, bind, closeUnused, shareOf } from './listeners.ts';
import type { InheritedListener } from './protocol.ts';

/** What a settings file says, read anew at each reload. */
export type Read = () => Configuration | { readonly errors: readonly ConfigProblem[] };

interface Configuration {
  readonly settings: Settings;
  readonly phrasebook: Phrasebook;
}

export interface SuperviseOptions {
  readonly read: Read;
  /** Program and arguments that start a front. */
  readonly command: readonly [string, ...string[]];
  readonly trace: readonly string[];
  /** Who started the program: is told "ready", and what went wrong. */
  readonly terminal: { out(line: string): void; error(line: string): void; say(text: Text, values: Values): string };
  readonly now: () => number;
}

/** How long the fronts of a supervisor that was killed may take to give their ports back. */
const ORPHANS_MS = 5_000;

/** Serves until SIGTERM or SIGINT. Resolves with the exit status. */
export async function supervise(options: SuperviseOptions): Promise<number> {
  const { terminal } = options;
  const first = options.read();
  if ('errors' in first) {
    for (const problem of first.errors) terminal.error(formatProblem(problem, terminal.say));
    return exitCodes.EX_CONFIG;
  }
  const supervisor = new Supervisor(options, first);
  // From before the first front on: a signal that comes while starting must not be lost, nor end us without them.
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve());
  });
  process.on('SIGHUP', () => supervisor.reload('SIGHUP'));
  process.on('SIGUSR2', () => supervisor.report());
  try {
    await supervisor.start();
  } catch (thrown) {
    const { text, values, exitCode } = explained(thrown);
    terminal.error(`postkasse: ${terminal.say(text, values)}`);
    return exitCode;
  }
  terminal.out('ready');
  await ended;
  await supervisor.stop();
  return exitCodes.EX_OK;
}

class Supervisor {
  readonly #options: SuperviseOptions;
  /** By descriptor: one each, however often the settings are read anew. */
  readonly #writers = new Map<number, ReturnType<typeof createLineWriter>>();
  #now: Configuration;
  #log: Log;
  #lock: ProcessLock | undefined;
  #bound: readonly Bound[] = [];
  #fleet: Fleet | undefined;
  /** Generations of earlier settings, which end with their last session. */
  readonly #retiring = new Map<Fleet, Promise<void>>();
  /** The start and then each reload, one after the other, however fast the signals come. */
  #turn: Promise<void> = Promise.resolve();
  #stopping = false;
  #unwatch = (): void => {};

  constructor(options: SuperviseOptions, first: Configuration) {
    this.#options = options;
    this.#now = first;
    this.#log = this.#logOf(first.settings);
  }

  /** @throws what `explained` explains */
  start(): Promise<void> {
    const started = this.#begin();
    this.#turn = started.catch(() => {});
    return started;
  }

  /** @param cause what asks for it, for the log */
  reload(cause: 'SIGHUP' | 'certificates'): void {
    this.#turn = this.#turn
      .then(() => (this.#stopping ? undefined : this.#reloadNow(cause)))
      .catch((thrown: unknown) => this.#log.error('supervisor.reload-failed', { problem: explained(thrown).message }));
  }

  report(): void {
    const { rss, heapUsed } = process.memoryUsage();
    const retiring = [...this.#retiring.keys()];
    this.#log.info('supervisor.state', {
      pid: process.pid,
      fronts: this.#fleet?.pids,
      retiring: retiring.flatMap(({ pids }) => pids),
      stopping: this.#stopping,
      listeners: this.#bound.map(({ address }) => address),
      rss,
      heapUsed,
    });
    for (const fleet of [this.#fleet, ...retiring]) fleet?.report();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#turn;
    // Only now: a reload that was under way has begun to look anew.
    this.#unwatch();
    const { stopGraceS } = this.#now.settings;
    this.#log.info('supervisor.stopping', { graceS: stopGraceS });
    closeUnused(this.#bound, []);
    await Promise.all([this.#fleet, ...this.#retiring.keys()].map((fleet) => fleet?.stop(stopGraceS * 1000)));
    this.#lock?.release();
    this.#log.info('supervisor.stopped');
  }

  async #begin(): Promise<void> {
    const { settings } = this.#now;
    const identity = identityOf(settings);
    makeFolders(settings, identity);
    this.#lock = takeProcessLock(lockOf(settings));
    this.#bound = await bind(settings, frontsOf(settings), [], this.#lock.killed === undefined ? 0 : ORPHANS_MS);
    const fleet = this.#newFleet(this.#now, this.#bound, identity, this.#log);
    const watch = this.#certificateWatch(settings, identity);
    await fleet.start();
    this.#fleet = fleet;
    this.#unwatch = watch();
    this.#log.info('supervisor.ready', { fronts: fleet.pids, listeners: this.#bound.map(({ address }) => address) });
  }

  /** New fronts on the same sockets first, then the old ones go: nobody is refused meanwhile, and a mistake leaves all as it was. */
  async #reloadNow(cause: string): Promise<void> {
    const read = this.#options.read();
    if ('errors' in read) {
      for (const problem of read.errors) this.#log.error('supervisor.bad-settings', { problem: formatProblem(problem) });
      return;
    }
    const { settings } = read;
    const log = this.#logOf(settings);
    const identity = identityOf(settings);
    makeFolders(settings, identity);
    const isElsewhere = lockOf(settings) !== lockOf(this.#now.settings);
    const lock = isElsewhere ? takeProcessLock(lockOf(settings)) : undefined;
    const before = this.#bound;
    let bound = before;
    const watch = this.#certificateWatch(settings, identity);
    let fleet: Fleet;
    try {
      bound = await bind(settings, frontsOf(settings), before);
      fleet = this.#newFleet(read, bound, identity, log);
      await fleet.start();
    } catch (thrown) {
      closeUnused(bound, before);
      lock?.release();
      throw thrown;
    }
    const old = this.#fleet;
    this.#fleet = fleet;
    this.#bound = bound;
    this.#now = read;
    this.#log = log;
    this.#unwatch();
    this.#unwatch = watch();
    if (lock !== undefined) {
      this.#lock?.release();
      this.#lock = lock;
    }
    closeUnused(before, bound);
    if (old) this.#retire(old);
    log.info('supervisor.reloaded', { cause, fronts: fleet.pids, listeners: bound.map(({ address }) => address) });
  }

  #retire(fleet: Fleet): void {
    const gone = fleet.retire().finally(() => this.#retiring.delete(fleet));
    this.#retiring.set(fleet, gone);
  }

  #newFleet({ settings, phrasebook }: Configuration, bound: readonly Bound[], become: Identity | undefined, log: Log): Fleet {
    const count = frontsOf(settings);
    const { command, trace, now } = this.#options;
    return new Fleet({
      command,
      count,
      log,
      now,
      front(n) {
        const fds: number[] = [];
        const listeners: InheritedListener[] = [];
        for (const [index, each] of bound.entries()) {
          const own = shareOf(each, n, count);
          listeners.push({ index, fds: own.map((_, k) => FIRST_INHERITED_FD + fds.length + k) });
          fds.push(...own);
        }
        return { start: { kind: 'start', front: n, settings, phrasebook, listeners, become, trace }, fds };
      },
    });
  }

  /**
   * A front looks for changed certificates itself, unless it was root when it read them: then the keys may be closed to it by now, and
   * we look. The files as they are at this call are what the next fronts will have read. @returns what begins to look
   */
  #certificateWatch({ tls }: Settings, become: Identity | undefined): () => () => void {
    const pairs = [tls, ...tls.names.values()];
    const files = become === undefined ? [] : pairs.flatMap(({ certificate, key }) => [certificate ?? [], key ?? []].flat());
    const stamp = stampOf(files);
    return () => (files.length === 0 ? () => {} : watchFiles(files, stamp, () => this.reload('certificates')));
  }

  #logOf({ log }: Settings): Log {
    const fd = log.to === 'stdout' ? 1 : 2;
    const writer = this.#writers.get(fd) ?? createLineWriter(fd);
    this.#writers.set(fd, writer);
    return createLog({ ...log, writer, now: this.#options.now });
  }
}

function lockOf({ runDir }: Settings): string {
  return join(runDir, 'postkasse.pid');
}

function frontsOf({ fronts }: Settings): number {
  return fronts === 'auto' ? availableParallelism() : fronts;
}
