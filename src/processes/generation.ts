/** What serves one set of settings: a fleet of fronts, and with many owners their workers. A reload starts a new one beside the old. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Settings } from '../config/index.ts';
import type { CarriedConnection } from '../main.ts';
import type { Log } from '../model/log.ts';
import { noProcessEvents, type ProcessEvents } from '../model/report.ts';
import type { Identity } from '../os/becomeUser.ts';
import { getspnam } from '../os/users.ts';
import type { Phrasebook } from '../texts/speaker.ts';
import { type Child, type Command, FIRST_INHERITED_FD, send } from './children.ts';
import type { Collector } from './collector.ts';
import { Fleet } from './fleet.ts';
import type { FrontQuestions } from './frontQuestions.ts';
import { type Bound, shareOf } from './listeners.ts';
import { frontIdentityOf, frontSettings, makeOwnerFolders, ownerSettings, socketFolder } from './ownerGrounds.ts';
import { createOwners, ownerAskedFor } from './ownership.ts';
import type { FromFront, FrontStart, InheritedListener, ToFront } from './protocol.ts';
import { Workers } from './workers.ts';

export interface Programs {
  readonly front: Command;
  readonly worker: Command;
}

export interface GenerationPlan {
  readonly settings: Settings;
  readonly phrasebook: Phrasebook;
  readonly bound: readonly Bound[];
  /** The one connection to serve, instead of listeners. */
  readonly connection?: CarriedConnection;
  /** Whose mail it is, where nobody else is named; `undefined`: not started by root, everybody stays who they are. */
  readonly mailOwner: Identity | undefined;
  readonly hasManyOwners: boolean;
  readonly programs: Programs;
  readonly trace: readonly string[];
  /** What a front publishes, for all others in all generations. */
  readonly onShared: (octets: Uint8Array, from: Child) => void;
  /** A front answers `askIfThere`. */
  readonly onHere?: (front: Child) => void;
  /** Where the processes' reports go; left out: nobody asks for any. */
  readonly collector?: Collector;
  /** Who asks the fronts; left out: nobody does. */
  readonly questions?: FrontQuestions;
  /** Where the first front serves metrics. */
  readonly metrics?: Bound | undefined;
  readonly log: Log;
  readonly now: () => number;
}

/** Numbers the workers' sockets: generations share a folder, with each process that serves one connection (stdio.ts). */
let sockets = 0;

export class Generation {
  readonly #fleet: Fleet;
  readonly #workers: Workers | undefined;

  /** @throws StartFailure where the settings name nobody to be */
  constructor(plan: GenerationPlan) {
    const { settings, mailOwner, programs, collector, log, now, onShared } = plan;
    const events = collector?.events ?? noProcessEvents();
    const front = plan.hasManyOwners && mailOwner !== undefined ? frontIdentityOf(settings, mailOwner) : undefined;
    const workers = front === undefined ? undefined : newWorkers(plan, front, events);
    const answer = workers === undefined || mailOwner === undefined ? undefined : answering(settings, mailOwner, workers, events, log);
    const count = frontsOf(settings);
    this.#workers = workers;
    const asking = new WeakSet<Child>();
    const questions = new WeakMap<Child, number>();
    this.#fleet = new Fleet({
      command: programs.front,
      count,
      log,
      now,
      events,
      front: (n) => frontOf(plan, front, n, count),
      onMessage(message, from) {
        if (message.kind === 'shared') onShared(message.octets, from);
        if (message.kind === 'told') collector?.frontTold(from, message);
        // One answer at a time: who asks faster is not to keep us at it.
        if (message.kind === 'everybody' && collector !== undefined && !asking.has(from)) {
          asking.add(from);
          void collector.collect().then((report) => {
            asking.delete(from);
            send(from, { kind: 'everybody-told', report } satisfies ToFront);
          });
        }
        if (message.kind === 'explained') plan.questions?.explained(message);
        if (message.kind === 'here') plan.onHere?.(from);
        if (message.kind === 'where' && answer !== undefined) {
          const open = questions.get(from) ?? 0;
          if (open >= MOST_QUESTIONS) send(from, tooMany(message.id));
          else {
            questions.set(from, open + 1);
            void answer(message).then((there) => {
              questions.set(from, (questions.get(from) ?? 1) - 1);
              send(from, there);
            });
          }
        }
      },
    });
  }

  /** Resolves when every front is ready. @throws StartFailure when one can't start; then nothing is left running */
  start(): Promise<void> {
    return this.#fleet.start();
  }

  /** Takes no new connections and ends with the last session. `stop` may still follow. */
  async retire(): Promise<void> {
    await this.#fleet.retire();
    await this.#workers?.stop(0);
  }

  /** Resolves when none of its processes is left. */
  async stop(graceMs: number): Promise<void> {
    await this.#fleet.stop(graceMs);
    // Only then: a session that is in its grace needs its worker.
    await this.#workers?.stop(0);
  }

  /** To every front, but not to the one it came from. */
  tell(message: ToFront, from?: Child): void {
    this.#fleet.tell(message, from);
  }

  report(): void {
    this.#fleet.report();
    this.#workers?.report();
  }

  get serving(): { readonly fronts: Fleet['serving']; readonly workers: Workers['serving'] } {
    return { fronts: this.#fleet.serving, workers: this.#workers?.serving ?? [] };
  }

  get frontChildren(): Child[] {
    return this.#fleet.children;
  }

  get fronts(): number[] {
    return this.#fleet.pids;
  }

  get workers(): number[] {
    return this.#workers?.pids ?? [];
  }
}

export function frontsOf({ fronts }: Settings): number {
  return fronts === 'auto' ? availableParallelism() : fronts;
}

function frontOf(plan: GenerationPlan, front: Identity | undefined, n: number, count: number): { start: FrontStart; fds: number[] } {
  const { settings, phrasebook, bound, mailOwner, trace } = plan;
  const fds: number[] = [];
  const listeners: InheritedListener[] = [];
  for (const [index, each] of bound.entries()) {
    const own = shareOf(each, n, count);
    listeners.push({ index, fds: own.map((_, k) => FIRST_INHERITED_FD + fds.length + k) });
    fds.push(...own);
  }
  const connection = plan.connection && { ...plan.connection, fd: FIRST_INHERITED_FD + fds.length };
  if (plan.connection) fds.push(plan.connection.fd);
  const [metricsFd] = n === 0 ? (plan.metrics?.fds ?? []) : [];
  const metrics = metricsFd === undefined ? undefined : { fd: FIRST_INHERITED_FD + fds.length };
  if (metricsFd !== undefined) fds.push(metricsFd);
  const own = front === undefined ? { settings, become: mailOwner } : { settings: frontSettings(settings), become: front };
  return {
    start: { kind: 'start', front: n, phrasebook, listeners, connection, metrics, trace, hasWorkers: front !== undefined, ...own },
    fds,
  };
}

function newWorkers({ settings, programs, collector, log, now }: GenerationPlan, front: Identity, events: ProcessEvents): Workers {
  return new Workers({
    command: programs.worker,
    newPath({ identity: { uid, gid } }) {
      sockets += 1;
      return join(socketFolder(settings), `${uid}-${gid}-${process.pid}-${sockets}.sock`);
    },
    frontUid: front.uid,
    max: settings.owners.maxWorkers,
    prepare({ identity }) {
      makeOwnerFolders(settings, identity);
      return { settings: ownerSettings(settings, identity) };
    },
    shadowEntry: getspnam,
    onTold: (message, from) => collector?.workerTold(from, message),
    events,
    log,
    now,
  });
}

/** Answers the fronts' questions. Why there is no worker is for the log: once for each name and reason, as anybody can make a front ask. */
function answering(
  settings: Settings,
  mailOwner: Identity,
  workers: Workers,
  events: ProcessEvents,
  log: Log,
): (question: Extract<FromFront, { kind: 'where' }>) => Promise<ToFront> {
  const owners = createOwners(settings, mailOwner);
  const told = new Set<string>();

  return async (question) => {
    const { id, unreachable } = question;
    const about = 'user' in question ? { user: question.user } : { domain: question.domain };
    try {
      const owner = ownerAskedFor(question, owners);
      const worker = owner === undefined ? undefined : await workers.of(owner, unreachable);
      return { kind: 'there', id, worker, problem: undefined };
    } catch (thrown) {
      events.ownersRefused++;
      const problem = thrown instanceof Error ? thrown.message : String(thrown);
      const saying = JSON.stringify([about, problem]);
      if (!told.has(saying)) log.warn('worker.refused', { ...about, reason: problem });
      if (told.size > MOST_TOLD) told.clear();
      told.add(saying);
      return { kind: 'there', id, worker: undefined, problem };
    }
  };
}

const MOST_TOLD = 1000;
/** Open at a time. A front asks once about each name, so more than a busy one of ours has: who asks on and on is not to fill our memory. */
const MOST_QUESTIONS = 2000;

function tooMany(id: number): ToFront {
  return { kind: 'there', id, worker: undefined, problem: 'too many questions at once' };
}
