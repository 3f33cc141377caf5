import { createLineWriter, type LineWriter } from './lineWriter.ts';
import { createSyslogWriter } from './syslogWriter.ts';

/** Where `log.to` sends events. */
export type LogTarget = 'stderr' | 'stdout' | 'syslog';

export function createLogWriter(to: LogTarget): LineWriter {
  return to === 'syslog' ? createSyslogWriter() : createLineWriter(to === 'stdout' ? 1 : 2);
}
