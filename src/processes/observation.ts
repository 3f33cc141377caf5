/** What the supervisor tells about everybody: to the control socket, to the log, and to the front that serves metrics. */
import type { Log } from '../model/log.ts';
import { frontReports, sessionsOf } from '../model/report.ts';
import { cpuMs, processFigures } from '../observe/processFigures.ts';
import { version } from '../version.ts';
import { Collector } from './collector.ts';
import { type Control, openControl } from './control.ts';
import { FrontQuestions } from './frontQuestions.ts';
import type { Generation } from './generation.ts';

export interface ObservationPlan {
  /** The one that serves, and those that retire. */
  generations(): { readonly present: Generation | undefined; readonly retiring: readonly Generation[] };
  facts(): { readonly generation: number; readonly listeners: readonly string[]; readonly stopping: boolean };
  log(): Log;
  readonly now: () => number;
}

export class Observation {
  readonly collector: Collector;
  readonly questions: FrontQuestions;
  readonly #plan: ObservationPlan;
  #control: Control | undefined;

  constructor(plan: ObservationPlan) {
    this.#plan = plan;
    this.questions = new FrontQuestions(() => plan.generations().present?.serving.fronts.map(({ child }) => child) ?? []);
    this.collector = new Collector({
      fronts: () => {
        const { present, retiring } = plan.generations();
        const members = (generation: Generation, isRetiring: boolean) =>
          generation.serving.fronts.map((member) => ({ ...member, retiring: isRetiring }));
        return [...(present === undefined ? [] : members(present, false)), ...retiring.flatMap((generation) => members(generation, true))];
      },
      workers: () => {
        const { present, retiring } = plan.generations();
        return [...(present === undefined ? [] : [present]), ...retiring].flatMap(({ serving }) => serving.workers);
      },
      supervisor: () => ({ pid: process.pid, ...plan.facts(), ...processFigures(), counts: { cpuMs: cpuMs(), ...this.collector.events } }),
      version,
      now: plan.now,
    });
  }

  /** Answers at this path from now on, and no longer where it did before. Mail goes on without it, so that it can't is only logged. */
  async listen(path: string): Promise<void> {
    if (path === this.#control?.path) return;
    this.#control?.close();
    this.#control = undefined;
    const log = this.#plan.log();
    try {
      this.#control = await openControl({
        path,
        report: () => this.collector.collect(),
        explain: (address) => this.questions.explain(address),
        log,
      });
    } catch (error) {
      log.error('control.unavailable', { path, error });
    }
  }

  close(): void {
    this.#control?.close();
  }

  /** Once everybody has been asked, for what only they know. */
  async logState(): Promise<void> {
    const { present, retiring } = this.#plan.generations();
    const house = await this.collector.collect();
    const silent = [...house.fronts, ...house.workers].filter(({ report }) => report === null).map(({ pid }) => pid);
    const { pid, counts, ...figures } = house.supervisor;
    const sessions = sessionsOf(frontReports(house)).reduce((sum, row) => sum + row.sessions, 0);
    const log = this.#plan.log();
    log.info('supervisor.state', {
      pid,
      fronts: present?.fronts,
      workers: present?.workers,
      retiring: retiring.flatMap(({ fronts, workers }) => [...fronts, ...workers]),
      silent,
      sessions,
      ...figures,
      ...counts,
    });
  }
}
