/** Starting a child of ours and waiting until it is ready. */
import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { EX_OSERR, EX_SOFTWARE } from '../os/exitCodes.ts';
import { StartFailure } from '../os/startFailure.ts';
import { type Channel, channelToChild } from './channel.ts';
import type { FromFront, FromWorker } from './protocol.ts';

/** Program and arguments; it gets a 'start' message over its channel. */
export type Command = readonly [string, ...string[]];

/** Number of the first inherited socket in a child: after standard input, output, error and the channel. */
export const FIRST_INHERITED_FD = 4;

/** For a child to be ready. A look-up that hangs must not make us deaf to whoever wants us to stop. */
const START_LIMIT_MS = 60_000;

export interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly wasReady: boolean;
  /** What kept it from being ready; `undefined` for one that was. */
  readonly failure: StartFailure | undefined;
}

export interface ChildPlan<M extends FromFront | FromWorker> {
  /** What it is, for the message about one that ends at its start: `front`. */
  readonly role: string;
  readonly command: Command;
  readonly start: object;
  /** fds[k] becomes FIRST_INHERITED_FD + k there. */
  readonly fds: readonly number[];
  /** Threads for what blocks: fsync and password hashing. */
  readonly threads: number;
  /** Areas that the C library allocates from. Default: several for each processor, so that threads never wait for each other. */
  readonly arenas?: number;
  /** `undefined`: nothing that such a child says. */
  readonly read: (octets: Buffer) => M | undefined;
  readonly onReady: () => void;
  /** What else it says. */
  readonly onMessage: (message: M) => void;
  /** It said what no child of ours says: it is another's by now, and killed. */
  readonly onMalformed: () => void;
  /** Once, whatever became of it. */
  readonly onEnd: (end: End) => void;
}

/** A process of ours, and the channel to it. */
export class Child extends EventEmitter<{ disconnect: [] }> {
  readonly pid: number | undefined;
  readonly #kill: (signal: NodeJS.Signals) => void;
  readonly #channel: Channel<object> | undefined;

  constructor(pid: number | undefined, kill: (signal: NodeJS.Signals) => void, channel: Channel<object> | undefined) {
    super();
    this.pid = pid;
    this.#kill = kill;
    this.#channel = channel;
  }

  /** What it said last may still come after it has ended; nothing comes when this is false. */
  get connected(): boolean {
    return this.#channel?.connected === true;
  }

  /** One that doesn't read is not told any more, from some point on. */
  send(message: object): void {
    this.#channel?.send(message);
  }

  kill(signal: NodeJS.Signals): void {
    this.#kill(signal);
  }
}

/** What a child said before it ended is heard before its end is told, unless something keeps its channel open. */
const LAST_WORDS_MS = 1000;

export function startChild<M extends FromFront | FromWorker>(plan: ChildPlan<M>): Child {
  const { command, role } = plan;
  const started = spawn(command[0], command.slice(1), {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe', ...plan.fds],
    env: {
      UV_THREADPOOL_SIZE: String(plan.threads),
      ...(plan.arenas !== undefined && { MALLOC_ARENA_MAX: String(plan.arenas) }),
      ...process.env,
    },
  });
  let isReady = false;
  let said: StartFailure | undefined;
  const limit = setTimeout(() => started.kill('SIGKILL'), START_LIMIT_MS);
  const silent = Promise.withResolvers<void>();

  function ended(code: number | null, signal: string | null, error?: Error): void {
    clearTimeout(limit);
    const detail = error?.message ?? `a ${role} ended at its start (${signal ?? `status ${code}`})`;
    const failure = said ?? new StartFailure('{detail}', { detail }, error === undefined ? EX_SOFTWARE : EX_OSERR);
    plan.onEnd({ code, signal, wasReady: isReady, failure: isReady ? undefined : failure });
  }

  function hear(octets: Buffer): boolean {
    const message = plan.read(octets);
    if (message === undefined) return false;
    const known: FromFront | FromWorker = message;
    if (known.kind === 'ready') {
      if (isReady) return true;
      isReady = true;
      clearTimeout(limit);
      plan.onReady();
    } else if (known.kind === 'failed') said = new StartFailure(known.text, known.values, known.exitCode);
    else plan.onMessage(message);
    return true;
  }

  // None where there is no process.
  const socket = started.stdio[3] as Duplex | null | undefined;
  const channel =
    socket &&
    channelToChild(socket, {
      onMessage: hear,
      onMalformed() {
        started.kill('SIGKILL');
        plan.onMalformed();
      },
      onClosed() {
        silent.resolve();
        child.emit('disconnect');
      },
    });
  const child = new Child(started.pid, (signal) => started.kill(signal), channel ?? undefined);
  started.once('exit', (code, signal) => {
    const patience = setTimeout(silent.resolve, LAST_WORDS_MS);
    void silent.promise.then(() => {
      clearTimeout(patience);
      socket?.destroy();
      ended(code, signal);
    });
  });
  started.on('error', (error) => {
    // With a process id it was a signal that failed, and 'exit' tells the rest.
    if (started.pid === undefined) ended(null, null, error);
  });
  child.send(plan.start);
  return child;
}

/** A child that has just died is no reason to stop the others. */
export function send(child: Pick<Child, 'send'>, message: object): void {
  child.send(message);
}
