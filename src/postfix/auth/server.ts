/** Connections of Postfix's SMTP servers, each of which keeps one for as long as it lives. */
import { createServer, type Server, type Socket } from 'node:net';
import type { AuthCounts, ConnectionCount } from '../../model/report.ts';
import { AuthConversation, LONGEST_LINE, masked } from './conversation.ts';
import type { AuthHost } from './host.ts';

export interface AuthServerOptions {
  readonly host: AuthHost;
  readonly maxConnections: number;
  /** Without a request, on a connection that nothing is under way on. */
  readonly idleTimeoutMs: number;
  /** Sees each line that passes, `C: …` or `S: …`, secrets masked. */
  readonly trace?: ((connection: string, line: string) => void) | undefined;
}

export interface AuthServerCounts {
  /** `idle` and `busy`. */
  readonly states: readonly ConnectionCount[];
  /** Since the start. */
  readonly accepted: number;
  readonly turnedAway: number;
  readonly counts: Readonly<AuthCounts>;
}

/** Connections that wait to be accepted. */
const BACKLOG = 4096;
/** What is under way at a reload is finished in that time: Postfix waits 10 seconds for each answer. */
const DRAIN_MS = 30_000;
const QUIET_MS = 1000;

export class AuthServer {
  readonly #options: AuthServerOptions;
  readonly #servers: Server[] = [];
  readonly #connections = new Set<AuthConnection>();
  #accepted = 0;
  #turnedAway = 0;
  #saidFullAtMs = Number.NEGATIVE_INFINITY;
  #isEnding = false;
  #empty: PromiseWithResolvers<void> | undefined;

  constructor(options: AuthServerOptions) {
    this.#options = options;
  }

  /** @param fd a socket that listens already. Resolves when connections are accepted */
  async listen(fd: number): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ fd }, BACKLOG, resolve);
    });
    server.removeAllListeners('error');
    const { log } = this.#options.host;
    server.on('error', (error) => log.error('net.accept-failed', { protocol: 'sasl', error: error.message }));
    this.#servers.push(server);
    const bound = server.address();
    const where =
      typeof bound === 'string' || bound === null ? { address: bound ?? undefined } : { address: bound.address, port: bound.port };
    log.info('net.listening', { protocol: 'sasl', ...where });
  }

  counts(): AuthServerCounts {
    let busy = 0;
    for (const connection of this.#connections) if (connection.isAtWork) busy++;
    const states = [
      { protocol: 'sasl', state: 'busy', connections: busy },
      { protocol: 'sasl', state: 'idle', connections: this.#connections.size - busy },
    ] as const;
    return {
      states: states.filter(({ connections }) => connections > 0),
      accepted: this.#accepted,
      turnedAway: this.#turnedAway,
      counts: this.#options.host.counts,
    };
  }

  /** No new connections; those on which nothing is under way are closed, the others when that is over, or after `graceMs`. */
  stop(graceMs: number): Promise<void> {
    return this.#end(graceMs, (connection) => connection.finish());
  }

  /** No new connections; each ends when nothing has come over it for a second. */
  drain(): Promise<void> {
    return this.#end(DRAIN_MS, (connection) => connection.finishWhenQuiet());
  }

  async #end(graceMs: number, finish: (connection: AuthConnection) => void): Promise<void> {
    this.#isEnding = true;
    for (const server of this.#servers) server.close();
    for (const connection of [...this.#connections]) finish(connection);
    const limit = setTimeout(() => {
      for (const connection of [...this.#connections]) connection.cut();
    }, graceMs);
    await this.#lastOneGone();
    clearTimeout(limit);
  }

  #accept(socket: Socket): void {
    const { host, maxConnections, idleTimeoutMs, trace } = this.#options;
    if (this.#isEnding || this.#connections.size >= maxConnections) {
      socket.destroy();
      if (!this.#isEnding) this.#noteTurnedAway();
      return;
    }
    this.#accepted++;
    const connection = new AuthConnection(socket, { host, number: this.#accepted, trace, left: () => this.#left(connection) });
    this.#connections.add(connection);
    socket.setTimeout(idleTimeoutMs, () => {
      if (!connection.isAtWork) connection.cut();
    });
    connection.begin();
  }

  #left(connection: AuthConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#empty?.resolve();
  }

  #lastOneGone(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    this.#empty ??= Promise.withResolvers<void>();
    return this.#empty.promise;
  }

  /** Logged once a second at most. */
  #noteTurnedAway(): void {
    const { log, clock } = this.#options.host;
    this.#turnedAway++;
    const nowMs = clock.now();
    if (Math.abs(nowMs - this.#saidFullAtMs) < 1000) return;
    this.#saidFullAtMs = nowMs;
    log.warn('smtp-auth.too-many', { connections: this.#connections.size });
  }
}

interface ConnectionOptions {
  readonly host: AuthHost;
  readonly number: number;
  readonly trace: AuthServerOptions['trace'];
  left(): void;
}

class AuthConnection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #id: string;
  readonly #conversation: AuthConversation;
  /** Start of a line whose end has not come. */
  #partial = '';
  #ending: 'no' | 'when quiet' | 'now' = 'no';
  #quiet: NodeJS.Timeout | undefined;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#id = options.number.toString(36);
    this.#conversation = new AuthConversation(options.host, this.#id, {
      say: (line) => this.#say(line),
      hangUp: () => socket.destroySoon(),
      idle: () => {
        if (this.#ending === 'now') socket.destroySoon();
        if (this.#ending === 'when quiet') this.#awaitQuiet();
      },
    });
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    // 'close' follows.
    socket.on('error', (error) => options.host.log.debug('net.reset', { connection: this.#id, error: error.message }));
    socket.once('close', () => {
      clearTimeout(this.#quiet);
      this.#conversation.lost();
      options.left();
    });
  }

  get isAtWork(): boolean {
    return this.#conversation.isAtWork;
  }

  begin(): void {
    this.#conversation.begin(this.#options.number);
  }

  finish(): void {
    this.#ending = 'now';
    if (this.#conversation.isIdle) this.#socket.destroySoon();
  }

  /** A request that crosses our goodbye is a login that comes to nothing: Postfix asks once, and tells its client to come back. */
  finishWhenQuiet(): void {
    this.#ending = 'when quiet';
    if (this.#conversation.isIdle) this.#awaitQuiet();
  }

  #awaitQuiet(): void {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      if (this.#conversation.isIdle) this.#socket.destroySoon();
    }, QUIET_MS);
  }

  cut(): void {
    this.#socket.destroy();
  }

  #received(chunk: Buffer): void {
    clearTimeout(this.#quiet);
    let start = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', start)) {
      this.#line(this.#partial + chunk.toString('latin1', start, end));
      this.#partial = '';
      start = end + 1;
    }
    this.#partial += chunk.toString('latin1', start);
    if (this.#partial.length >= LONGEST_LINE) this.#line(this.#partial);
    if (this.#ending === 'when quiet' && this.#conversation.isIdle) this.#awaitQuiet();
    // A client that doesn't read what it asked for fills its own buffers, not our memory.
    if (!this.#socket.writableNeedDrain) return;
    this.#socket.pause();
    this.#socket.once('drain', () => this.#socket.resume());
  }

  #line(line: string): void {
    if (line.length >= LONGEST_LINE) {
      this.#partial = '';
      this.#conversation.malformed('a line that is too long');
      return;
    }
    this.#options.trace?.(this.#id, `C: ${masked(line)}`);
    this.#conversation.line(line);
  }

  #say(line: string): void {
    this.#options.trace?.(this.#id, `S: ${line.slice(0, -1)}`);
    this.#socket.write(line);
  }
}
