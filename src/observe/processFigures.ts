import type { ProcessFigures } from '../model/report.ts';

/** Of this process, now. */
export function processFigures(): ProcessFigures {
  const { rss, heapUsed } = process.memoryUsage();
  return { uptimeS: Math.round(process.uptime()), rss, heapUsed };
}

/** Of user and kernel, since the process began. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return Math.round((user + system) / 1000);
}
