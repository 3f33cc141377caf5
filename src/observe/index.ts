/** Log events and dialogue trace. */
export { createLineWriter, type LineWriter } from './lineWriter.ts';
export { createLog, type Level, type LogOptions } from './log.ts';
export { createLogWriter, type LogTarget } from './logWriter.ts';
export { createTrace, type Trace } from './trace.ts';
