/** Listeners for questions of Postfix, and their connections: kept for many questions, each answered in its turn and in time. */
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import type { Log } from '../model/log.ts';
import type { ConnectionCount, QuestionProtocol } from '../model/report.ts';
import { InputBuffer } from './inputBuffer.ts';
import type { QuestionDialogue } from './questions.ts';

export interface QuestionServerOptions {
  /** Without a whole request. Longer than Postfix keeps a connection it doesn't use: closing is its part. */
  readonly idleTimeoutMs: number;
  /** For an answer; then it is "try again", while the work may go on. */
  readonly answerMs: number;
  /** At a time; who comes after them is cut off, and Postfix tries again. */
  readonly maxConnections: number;
  readonly log: Log;
  /** Milliseconds of a clock that only goes forward. */
  readonly clock: () => number;
  /** While there is too much to do already nobody is let in. */
  readonly overload?: { readonly isOver: boolean } | undefined;
}

export interface QuestionDoor {
  readonly protocol: QuestionProtocol;
  readonly dialogue: QuestionDialogue;
  /** A descriptor that listens already, or where to listen. */
  readonly listen: ListenOptions | { readonly fd: number };
}

export interface QuestionServerCounts {
  /** Open now, by whether a question is being answered. */
  readonly states: readonly ConnectionCount[];
  /** Connections since the start, by protocol, and those among them that were one too many. */
  readonly accepted: ReadonlyMap<QuestionProtocol, number>;
  readonly turnedAway: number;
  /** Requests that made no sense, and those that there was no answer to in time. */
  readonly malformed: number;
  readonly late: number;
}

const SWEEP_MS = 1000;
/** As many connections may wait to be accepted; the kernel cuts it to net.core.somaxconn. */
const BACKLOG = 4096;
/** Octets of requests that wait while one is answered; then the client has to wait with sending. */
const MOST_WAITING = 262_144;

export class QuestionServer {
  readonly options: QuestionServerOptions;
  readonly #listeners: Server[] = [];
  readonly #accepted = new Map<QuestionProtocol, number>();
  readonly #connections = new Set<QuestionConnection>();
  #turnedAway = 0;
  #sweep: NodeJS.Timeout | undefined;
  #empty: PromiseWithResolvers<void> | undefined;
  #refusedLoggedAt = Number.NEGATIVE_INFINITY;
  #connectionCount = 0;
  stopping = false;
  #malformed = 0;
  #malformedLoggedAt = Number.NEGATIVE_INFINITY;
  #late = 0;

  constructor(options: QuestionServerOptions) {
    this.options = options;
  }

  /** Resolves with the port (0: a Unix socket) once connections are accepted. @throws the system's error: EADDRINUSE, EACCES … */
  async listen({ protocol, dialogue, listen }: QuestionDoor): Promise<number> {
    const { log } = this.options;
    const listener = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) =>
      this.#accept(socket, protocol, dialogue),
    );
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen('fd' in listen ? { ...listen, backlog: BACKLOG } : { backlog: BACKLOG, ...listen }, () => {
        listener.removeListener('error', reject);
        resolve();
      });
    });
    listener.on('error', (error) => log.error('net.accept-failed', { protocol, error: error.message }));
    this.#listeners.push(listener);
    this.#accepted.set(protocol, this.#accepted.get(protocol) ?? 0);
    const { answerMs, idleTimeoutMs } = this.options;
    this.#sweep ??= setInterval(() => this.sweep(), Math.min(SWEEP_MS, Math.max(10, answerMs / 4), idleTimeoutMs)).unref();
    const bound = listener.address();
    const where =
      typeof bound === 'string' || bound === null ? { address: bound ?? undefined } : { address: bound.address, port: bound.port };
    log.info('net.listening', { protocol, ...where });
    return 'port' in where ? where.port : 0;
  }

  /** Answers "try again" to who has waited for too long, and ends who has been quiet for too long. */
  sweep(): void {
    const now = this.options.clock();
    let late = 0;
    for (const connection of this.#connections) if (connection.isLate(now)) late++;
    this.#late += late;
    if (late > 0) this.options.log.warn('lookup.late', { questions: late });
  }

  counts(): QuestionServerCounts {
    const states = new Map<string, ConnectionCount>();
    for (const { protocol, state } of this.#connections) {
      const key = `${protocol} ${state}`;
      states.set(key, { protocol, state, connections: (states.get(key)?.connections ?? 0) + 1 });
    }
    return {
      states: [...states.values()],
      accepted: this.#accepted,
      turnedAway: this.#turnedAway,
      malformed: this.#malformed,
      late: this.#late,
    };
  }

  /** No new connections; questions that have come get their answers, for `graceMs` at most. Resolves when all are gone. */
  async stop(graceMs: number): Promise<void> {
    const gone = this.drain();
    const grace = setTimeout(() => {
      for (const connection of this.#connections) connection.cut();
    }, graceMs);
    await gone;
    clearTimeout(grace);
  }

  /**
   * No new connections; each ends with the answer to what it has asked already. Postfix keeps connections for a long time, and goes to who
   * serves the settings of today when this one closes. Resolves when all are gone. `stop` may still follow.
   */
  async drain(): Promise<void> {
    this.stopping = true;
    for (const listener of this.#listeners) listener.close();
    for (const connection of this.#connections) connection.finish();
    if (this.#connections.size > 0) {
      this.#empty ??= Promise.withResolvers<void>();
      await this.#empty.promise;
    }
    clearInterval(this.#sweep);
  }

  /** What came on a connection was no question. Logged once a second at most. */
  noteMalformed(protocol: QuestionProtocol, connection: string, reason: string): void {
    this.#malformed++;
    const now = this.options.clock();
    if (now - this.#malformedLoggedAt < 1000) return;
    this.#malformedLoggedAt = now;
    this.options.log.warn('lookup.malformed', { protocol, connection, reason });
  }

  /** The connection is closed. */
  left(connection: QuestionConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#empty?.resolve();
  }

  #accept(socket: Socket, protocol: QuestionProtocol, dialogue: QuestionDialogue): void {
    this.#accepted.set(protocol, (this.#accepted.get(protocol) ?? 0) + 1);
    const { maxConnections, overload } = this.options;
    if (this.stopping || this.#connections.size >= maxConnections || overload?.isOver === true) {
      if (!this.stopping) this.#noteRefusal(protocol);
      socket.destroy();
      return;
    }
    this.#connectionCount++;
    this.#connections.add(new QuestionConnection(this, socket, protocol, dialogue, this.#connectionCount.toString(36)));
  }

  /** Logged once a second at most: who floods us should not flood the log too. */
  #noteRefusal(protocol: QuestionProtocol): void {
    this.#turnedAway++;
    const now = this.options.clock();
    if (now - this.#refusedLoggedAt < 1000) return;
    this.#refusedLoggedAt = now;
    this.options.log.warn('lookup.too-many', { protocol, connections: this.#connections.size });
  }
}

class QuestionConnection {
  readonly protocol: QuestionProtocol;
  readonly #server: QuestionServer;
  readonly #socket: Socket;
  readonly #dialogue: QuestionDialogue;
  readonly #id: string;
  readonly #input = new InputBuffer();
  /** Octets in which no whole request was found. */
  #lookedAt = 0;
  #ended = false;
  /** Since the last whole request, or answer. */
  #since: number;
  /** A question that is being answered. */
  #giveUp: (() => void) | undefined;
  #working = false;

  constructor(server: QuestionServer, socket: Socket, protocol: QuestionProtocol, dialogue: QuestionDialogue, id: string) {
    this.#server = server;
    this.#socket = socket;
    this.protocol = protocol;
    this.#dialogue = dialogue;
    this.#id = id;
    this.#since = server.options.clock();
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.#end());
    socket.on('error', (cause) => server.options.log.debug('lookup.connection-lost', { protocol, connection: id, cause }));
    socket.once('close', () => {
      this.#giveUp?.();
      server.left(this);
    });
  }

  get state(): 'idle' | 'asked' {
    return this.#working ? 'asked' : 'idle';
  }

  /** Whether its question has waited for too long; then it is answered. One that is idle for too long is closed. */
  isLate(now: number): boolean {
    const { answerMs, idleTimeoutMs } = this.#server.options;
    const waitedMs = now - this.#since;
    if (this.#giveUp === undefined) {
      if (waitedMs >= idleTimeoutMs) this.cut();
      return false;
    }
    if (waitedMs < answerMs) return false;
    this.#giveUp();
    return true;
  }

  /** Ends it, as soon as what has been asked is answered. */
  finish(): void {
    // What comes from now on is for who serves after us.
    if (this.#working) this.#socket.pause();
    else this.#socket.destroySoon();
  }

  cut(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#input.append(chunk);
    if (this.#working) {
      if (this.#input.length > MOST_WAITING) this.#socket.pause();
      return;
    }
    this.#working = true;
    this.#answerAll().then(this.#rest, (cause: unknown) => {
      this.#noteTrouble(cause);
      this.cut();
      this.#rest();
    });
  }

  /** Bound, for it goes to `then` as it is. */
  readonly #rest = (): void => {
    this.#working = false;
    if (this.#server.stopping || this.#ended) this.#socket.destroySoon();
  };

  /** The client has asked its last question, and may still wait for the answer. */
  #end(): void {
    this.#ended = true;
    if (!this.#working) this.#socket.destroySoon();
  }

  async #answerAll(): Promise<void> {
    for (;;) {
      if (this.#socket.destroyed) return;
      const cut = this.#dialogue.cut(this.#input.octets, this.#lookedAt);
      if (cut.kind === 'malformed') return this.#malformed(cut.reason);
      if (cut.kind === 'part') {
        this.#lookedAt = this.#input.length;
        this.#socket.resume();
        return;
      }
      this.#lookedAt = 0;
      const answer = await this.#answerInTime(cut.request);
      this.#input.take(cut.end);
      if (this.#socket.destroyed) return;
      if (answer === undefined) return this.#malformed('a request that makes no sense');
      if (!this.#socket.write(answer)) await drained(this.#socket);
    }
  }

  async #answerInTime(request: Buffer): Promise<Buffer | undefined> {
    const { clock } = this.#server.options;
    this.#since = clock();
    const answer = await new Promise<Buffer | undefined>((resolve) => {
      this.#giveUp = () => resolve(this.#dialogue.late());
      this.#dialogue.answer(request).then(resolve, (cause: unknown) => {
        this.#noteTrouble(cause);
        resolve(this.#dialogue.late());
      });
    });
    this.#giveUp = undefined;
    this.#since = clock();
    return answer;
  }

  #noteTrouble(cause: unknown): void {
    this.#server.options.log.error('lookup.trouble', { protocol: this.protocol, connection: this.#id, cause });
  }

  #malformed(reason: string): void {
    this.#server.noteMalformed(this.protocol, this.#id, reason);
    this.#socket.destroy();
  }
}

/** Resolves when the client has read what it was sent, or is gone. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.removeListener('drain', done).removeListener('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}
