/** Gathers what every process tells about itself, without ever waiting long for one that doesn't answer. */
import {
  added,
  type FrontCounts,
  type FrontReport,
  type HouseReport,
  noFrontCounts,
  noProcessEvents,
  noWorkerCounts,
  type SupervisorReport,
  type Tally,
  type WorkerCounts,
  type WorkerReport,
} from '../model/report.ts';
import type { Child } from './children.ts';
import type { Tell, Told } from './protocol.ts';
import { frontReport, workerReport } from './reportSchema.ts';

/** A process that can be asked. */
export type Member = Pick<Child, 'pid' | 'connected' | 'send' | 'once'>;

export interface FrontMember {
  readonly child: Member;
  readonly front: number;
  readonly retiring: boolean;
}

export interface WorkerMember {
  readonly child: Member;
  readonly owner: string;
  readonly user: string | null;
}

export interface CollectorPlan {
  /** Those that serve now, or still do. */
  fronts(): readonly FrontMember[];
  workers(): readonly WorkerMember[];
  supervisor(): SupervisorReport;
  readonly version: string;
  /** ms since 1970. */
  readonly now: () => number;
  /** For all answers of one round together. */
  readonly limitMs?: number;
}

const LIMIT_MS = 1000;

interface Round {
  readonly id: number;
  readonly fronts: Map<Member, FrontReport>;
  readonly workers: Map<Member, WorkerReport>;
  readonly waiting: Set<Member>;
  readonly over: () => void;
}

export class Collector {
  readonly events = noProcessEvents();
  readonly #plan: CollectorPlan;
  readonly #fronts = new Ledger<FrontCounts>(noFrontCounts());
  readonly #workers = new Ledger<WorkerCounts>(noWorkerCounts());
  readonly #followed = new WeakSet<Member>();
  #lastId = 0;
  #round: Round | undefined;
  #now: Promise<HouseReport> | undefined;
  #next: Promise<HouseReport> | undefined;

  constructor(plan: CollectorPlan) {
    this.#plan = plan;
  }

  /** Everybody's report, none of them older than this call. However many ask, one round is under way and one is to come. */
  collect(): Promise<HouseReport> {
    this.#next ??= (this.#now ?? Promise.resolve()).then(() => {
      this.#now = this.#next;
      this.#next = undefined;
      return this.#collectNow();
    });
    return this.#next;
  }

  frontTold(child: Member, { id, report }: Told): void {
    const { success, data } = frontReport.safeParse(report);
    if (!success) return;
    this.#follow(child);
    this.#fronts.note(child, data.counts);
    this.#answered(child, id, (round) => round.fronts.set(child, data));
  }

  workerTold(child: Member, { id, report }: Told): void {
    const { success, data } = workerReport.safeParse(report);
    if (!success) return;
    this.#follow(child);
    this.#workers.note(child, data.counts);
    this.#answered(child, id, (round) => round.workers.set(child, data));
  }

  #answered(child: Member, id: number, note: (round: Round) => void): void {
    const round = this.#round;
    if (round?.id !== id || !round.waiting.delete(child)) return;
    note(round);
    if (round.waiting.size === 0) round.over();
  }

  #follow(child: Member): void {
    if (this.#followed.has(child)) return;
    this.#followed.add(child);
    // Not 'exit': that can come before a message that was sent before it.
    child.once('disconnect', () => {
      this.#fronts.ended(child);
      this.#workers.ended(child);
      const round = this.#round;
      if (round?.waiting.delete(child) && round.waiting.size === 0) round.over();
    });
  }

  async #collectNow(): Promise<HouseReport> {
    const { fronts, workers, supervisor, version, now, limitMs = LIMIT_MS } = this.#plan;
    const [askedFronts, askedWorkers] = [fronts(), workers()];
    const round = await this.#ask([...askedFronts, ...askedWorkers], limitMs);
    const isThere = ({ child }: { child: Member }) => child.connected;
    return {
      version,
      atMs: now(),
      supervisor: supervisor(),
      fronts: askedFronts.filter(isThere).map(({ child, front, retiring }) => ({
        front,
        pid: child.pid ?? 0,
        retiring,
        report: round.fronts.get(child) ?? null,
      })),
      workers: askedWorkers.filter(isThere).map(({ child, owner, user }) => ({
        owner,
        user,
        pid: child.pid ?? 0,
        report: round.workers.get(child) ?? null,
      })),
      counts: { fronts: this.#fronts.total(), workers: this.#workers.total() },
    };
  }

  async #ask(members: readonly { readonly child: Member }[], limitMs: number): Promise<Round> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const id = ++this.#lastId;
    const waiting = new Set(members.map(({ child }) => child).filter((child) => child.connected));
    const round: Round = { id, fronts: new Map(), workers: new Map(), waiting, over: resolve };
    this.#round = round;
    const limit = setTimeout(resolve, limitMs);
    for (const child of waiting) {
      this.#follow(child);
      child.send({ kind: 'tell', id } satisfies Tell);
    }
    if (waiting.size > 0) await promise;
    clearTimeout(limit);
    this.#round = undefined;
    return round;
  }
}

/** Counts of processes that come and go: what an ended one counted stays, and the sum never goes back. */
class Ledger<T extends Tally> {
  #ended: T;
  readonly #last = new Map<Member, T>();

  constructor(nothing: T) {
    this.#ended = nothing;
  }

  note(child: Member, counts: T): void {
    this.#last.set(child, counts);
  }

  ended(child: Member): void {
    const counts = this.#last.get(child);
    if (counts === undefined) return;
    this.#ended = added(this.#ended, counts);
    this.#last.delete(child);
  }

  total(): T {
    let sum = this.#ended;
    for (const counts of this.#last.values()) sum = added(sum, counts);
    return sum;
  }
}
