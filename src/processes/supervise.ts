/** The supervisor as a program: from its start to the signal that ends it. */
import { formatProblem } from '../config/index.ts';
import * as exitCodes from '../os/exitCodes.ts';
import type { Text, Values } from '../texts/index.ts';
import { explained } from './failures.ts';
import { Supervisor, type SupervisorOptions } from './supervisor.ts';

export interface SuperviseOptions extends SupervisorOptions {
  /** Who started the program: is told "ready", and what went wrong. */
  readonly terminal: { out(line: string): void; error(line: string): void; say(text: Text, values: Values): string };
}

/** Serves until SIGTERM or SIGINT. Resolves with the exit status. */
export async function supervise(options: SuperviseOptions): Promise<number> {
  process.title = 'postkasse supervisor';
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
  process.on('SIGHUP', () => void supervisor.reload('SIGHUP'));
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
