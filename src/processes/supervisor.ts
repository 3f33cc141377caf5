/**
 * Binds the listening sockets, starts the fronts on them and starts them again when they die. It holds no dialogue and reads
 * nothing that strangers send; where it was started by root it is the only process that stays root.
 */
import { join } from 'node:path';
import { type ConfigProblem, formatProblem, type Settings } from '../config/index.ts';
import type { Log } from '../model/log.ts';
import { createLog, createLogWriter, type LineWriter, type LogTarget } from '../observe/index.ts';
import type { Identity } from '../os/becomeUser.ts';
import type { PassedSocket } from '../os/listenFds.ts';
import type { Notifier } from '../os/notify.ts';
import { type ProcessLock, takeProcessLock } from '../os/processLock.ts';
import type { Phrasebook } from '../texts/speaker.ts';
import { type Child, send } from './children.ts';
import { controlPath } from './control.ts';
import { explained } from './failures.ts';
import { frontsOf, Generation, type Programs } from './generation.ts';
import { identityOf } from './grounds.ts';
import { type Bound, bind, bindMetrics, closeUnused } from './listeners.ts';
import { Observation } from './observation.ts';
import { clearSockets, frontIdentityOf, prepareGrounds } from './ownerGrounds.ts';
import { type Mode, modeOf } from './ownership.ts';
import type { ToFront } from './protocol.ts';
import { prepareRootWatch } from './rootWatch.ts';
import { Watchdog } from './watchdog.ts';

/** What a settings file says, read anew at each reload. */
export type Read = () => Configuration | { readonly errors: readonly ConfigProblem[] };

export interface Configuration {
  readonly settings: Settings;
  readonly phrasebook: Phrasebook;
}

export interface SupervisorOptions {
  readonly read: Read;
  readonly programs: Programs;
  readonly trace: readonly string[];
  /** Sockets that systemd has bound already. */
  readonly passed: readonly PassedSocket[];
  /** systemd, where it wants to know. */
  readonly notifier: Notifier;
  readonly now: () => number;
}

/** How long the fronts of a supervisor that was killed may take to give their ports back. */
const ORPHANS_MS = 5_000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  /** One for each place, however often the settings are read anew. */
  readonly #writers = new Map<LogTarget, LineWriter>();
  readonly #watchdog: Watchdog<Child>;
  #now: Configuration;
  #log: Log;
  #lock: ProcessLock | undefined;
  #bound: readonly Bound[] = [];
  #metrics: Bound | undefined;
  #generation: Generation | undefined;
  #mode: Mode = 'one';
  /** Generations of earlier settings, which end with their last session. */
  readonly #retiring = new Set<Generation>();
  /** The start and then each reload, one after the other, however fast the signals come. */
  #turn: Promise<void> = Promise.resolve();
  /** How often settings were put in force. */
  #settled = 0;
  #stopping = false;
  readonly #observation: Observation;
  #unwatch = (): void => {};

  constructor(options: SupervisorOptions, first: Configuration) {
    this.#options = options;
    this.#now = first;
    this.#log = this.#logOf(first.settings);
    this.#observation = new Observation({
      generations: () => ({ present: this.#generation, retiring: [...this.#retiring] }),
      facts: () => ({ generation: this.#settled, listeners: this.#bound.map(({ address }) => address), stopping: this.#stopping }),
      log: () => this.#log,
      now: options.now,
    });
    this.#watchdog = new Watchdog({
      notifier: options.notifier,
      fronts: () => this.#generation?.frontChildren ?? [],
      ask: (front) => send(front, { kind: 'are-you-there' } satisfies ToFront),
      isStopping: () => this.#stopping,
      log: this.#log,
    });
  }

  /** @throws what `explained` explains */
  start(): Promise<void> {
    const started = this.#begin();
    this.#turn = started.catch(() => {});
    return started;
  }

  /** Resolves when it is done, or was not possible. @param cause what asks for it, for the log @param isNeeded asked when its turn has come */
  reload(cause: 'SIGHUP' | 'certificates' | 'owners', isNeeded = () => true): Promise<void> {
    const { notifier } = this.#options;
    this.#turn = this.#turn.then(async () => {
      if (this.#stopping || !isNeeded()) return;
      notifier.reloading();
      let status = this.#status();
      try {
        const problem = await this.#reloadNow(cause);
        status = problem === undefined ? this.#status() : `settings as before: ${problem}`;
      } catch (thrown) {
        const problem = explained(thrown).message;
        this.#log.error('supervisor.reload-failed', { problem });
        status = `settings as before: ${problem}`;
      }
      notifier.ready(status);
    });
    return this.#turn;
  }

  report(): void {
    void this.#observation.logState();
    for (const generation of this.#generations()) generation.report();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#options.notifier.stopping('waits for sessions to finish');
    await this.#turn;
    // Only now: a reload that was under way has begun to look anew.
    this.#unwatch();
    const { stopGraceS } = this.#now.settings;
    this.#log.info('supervisor.stopping', { graceS: stopGraceS });
    closeUnused(together(this.#bound, this.#metrics), []);
    await Promise.all(this.#generations().map((generation) => generation.stop(stopGraceS * 1000)));
    this.#watchdog.stop();
    this.#observation.close();
    this.#lock?.release();
    this.#log.info('supervisor.stopped');
  }

  async #begin(): Promise<void> {
    const { settings } = this.#now;
    const mailOwner = identityOf(settings);
    this.#mode = modeOf(settings, mailOwner);
    prepareGrounds(settings, mailOwner, this.#mode);
    this.#lock = takeProcessLock(lockOf(settings));
    if (this.#mode === 'many') clearSockets(settings);
    const patienceMs = this.#lock.killed === undefined ? 0 : ORPHANS_MS;
    this.#bound = await bind(settings, frontsOf(settings), [], { passed: this.#options.passed, patienceMs });
    this.#metrics = await bindMetrics(settings, undefined, patienceMs);
    const generation = this.#newGeneration(this.#now, this.#bound, this.#metrics, mailOwner, this.#mode, this.#log);
    const watch = this.#watch(settings, mailOwner);
    await generation.start();
    this.#generation = generation;
    this.#settled = 1;
    await this.#observation.listen(controlPath(settings));
    this.#unwatch = watch();
    const listeners = this.#bound.map(({ address }) => address);
    this.#log.info('supervisor.ready', { fronts: generation.fronts, owners: this.#mode, listeners });
    this.#options.notifier.ready(this.#status());
    this.#watchdog.start();
  }

  /**
   * New fronts on the same sockets first, then the old ones go: nobody is refused meanwhile, and a mistake leaves all as it was.
   * @returns the first mistake in the settings
   */
  async #reloadNow(cause: string): Promise<string | undefined> {
    const read = this.#options.read();
    if ('errors' in read) {
      const problems = read.errors.map((problem) => formatProblem(problem));
      for (const problem of problems) this.#log.error('supervisor.bad-settings', { problem });
      return problems[0];
    }
    const { settings } = read;
    const log = this.#logOf(settings);
    const mailOwner = identityOf(settings);
    const mode = modeOf(settings, mailOwner);
    const isElsewhere = lockOf(settings) !== lockOf(this.#now.settings);
    const lock = isElsewhere ? takeProcessLock(lockOf(settings)) : undefined;
    const before = this.#bound;
    let bound = before;
    let metrics = this.#metrics;
    const watch = this.#watch(settings, mailOwner);
    let generation: Generation;
    try {
      const isMoving = mode !== this.#mode;
      if (!isMoving) prepareGrounds(settings, mailOwner, mode);
      bound = await bind(settings, frontsOf(settings), before, { passed: this.#options.passed });
      metrics = await bindMetrics(settings, metrics);
      if (isMoving) {
        // What can be wrong is found out before anybody is sent away.
        if (mode === 'many' && mailOwner !== undefined) frontIdentityOf(settings, mailOwner);
        await this.#standStill();
        prepareGrounds(settings, mailOwner, mode);
      }
      generation = this.#newGeneration(read, bound, metrics, mailOwner, mode, log);
      await generation.start();
    } catch (thrown) {
      closeUnused(together(bound, metrics), together(before, this.#metrics));
      lock?.release();
      if (this.#generation === undefined) await this.#asBefore();
      throw thrown;
    }
    const old = this.#generation;
    this.#generation = generation;
    this.#bound = bound;
    const metricsBefore = this.#metrics;
    this.#metrics = metrics;
    this.#settled++;
    this.#now = read;
    this.#mode = mode;
    this.#log = log;
    this.#unwatch();
    this.#unwatch = watch();
    if (lock !== undefined) {
      this.#lock?.release();
      this.#lock = lock;
    }
    closeUnused(together(before, metricsBefore), together(bound, metrics));
    await this.#observation.listen(controlPath(settings));
    if (old) this.#retire(old);
    log.info('supervisor.reloaded', { cause, fronts: generation.fronts, owners: mode, listeners: bound.map(({ address }) => address) });
    return undefined;
  }

  /** One line for `systemctl status`. */
  #status(): string {
    const { fronts = [] } = this.#generation ?? {};
    return `serves ${this.#bound.map(({ address }) => address).join(', ')}; ${fronts.length} fronts, owners: ${this.#mode}`;
  }

  /** What belongs to the mailboxes is about to be moved, and nobody may be using it. Clients that come meanwhile wait in the sockets. */
  async #standStill(): Promise<void> {
    const { stopGraceS } = this.#now.settings;
    await Promise.all(this.#generations().map((generation) => generation.stop(stopGraceS * 1000)));
    this.#generation = undefined;
  }

  async #asBefore(): Promise<void> {
    const mailOwner = identityOf(this.#now.settings);
    prepareGrounds(this.#now.settings, mailOwner, this.#mode);
    const generation = this.#newGeneration(this.#now, this.#bound, this.#metrics, mailOwner, this.#mode, this.#log);
    await generation.start();
    this.#generation = generation;
  }

  #retire(generation: Generation): void {
    this.#retiring.add(generation);
    void generation.retire().finally(() => this.#retiring.delete(generation));
  }

  #generations(): Generation[] {
    return [...(this.#generation === undefined ? [] : [this.#generation]), ...this.#retiring];
  }

  #newGeneration(
    { settings, phrasebook }: Configuration,
    bound: readonly Bound[],
    metrics: Bound | undefined,
    mailOwner: Identity | undefined,
    mode: Mode,
    log: Log,
  ): Generation {
    const { programs, trace, now } = this.#options;
    return new Generation({
      settings,
      phrasebook,
      bound,
      metrics,
      collector: this.#observation.collector,
      questions: this.#observation.questions,
      mailOwner,
      hasManyOwners: mode === 'many',
      programs,
      trace,
      onHere: (front) => this.#watchdog.answered(front),
      onShared: (octets, from) => {
        for (const each of this.#generations()) each.tell({ kind: 'shared', octets }, from);
      },
      log,
      now,
    });
  }

  #watch(settings: Settings, mailOwner: Identity | undefined): () => () => void {
    return prepareRootWatch({
      settings,
      mailOwner,
      mode: () => this.#mode,
      reload: (cause, isNeeded) => this.reload(cause, isNeeded),
    });
  }

  #logOf({ log }: Settings): Log {
    const writer = this.#writers.get(log.to) ?? createLogWriter(log.to);
    this.#writers.set(log.to, writer);
    return createLog({ ...log, writer, now: this.#options.now });
  }
}

function together(bound: readonly Bound[], metrics: Bound | undefined): readonly Bound[] {
  return metrics === undefined ? bound : [...bound, metrics];
}

function lockOf({ runDir }: Settings): string {
  return join(runDir, 'postkasse.pid');
}
