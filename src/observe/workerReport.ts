/** What an owner's worker tells about itself. */
import type { LogFields } from '../model/log.ts';
import { sessionsFrom, type WorkerReport } from '../model/report.ts';
import { cpuMs, processFigures } from './processFigures.ts';

export interface WorkerParts {
  /** Open maildrops; `null`: users of the host itself. */
  readonly byDomain: ReadonlyMap<string | null, number>;
  readonly idleSinceMs: number | undefined;
  readonly requests: number;
  readonly deliveries: number;
}

/** The same as an event of the log has it. */
export function workerFields({ counts, ...figures }: WorkerReport): LogFields {
  return { ...figures, ...counts };
}

export function workerReport({ byDomain, idleSinceMs, requests, deliveries }: WorkerParts): WorkerReport {
  return {
    ...processFigures(),
    sessions: sessionsFrom(byDomain),
    idleSinceMs: idleSinceMs ?? null,
    counts: { cpuMs: cpuMs(), requests, deliveries },
  };
}
