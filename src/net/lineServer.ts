/** Listeners for a dialogue of lines, the connections they accept, and what all of these share: limits, time-outs, delays, counts. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../model/log.ts';
import type { Certificates } from './certificates.ts';
import type { Networks } from './cidr.ts';
import { Connection } from './connection.ts';
import { IdleList, type IdleMember } from './idleList.ts';
import type { LineDialogue } from './lineDialogue.ts';
import type { ByteCounts } from './replyWriter.ts';
import { Throttle } from './throttle.ts';

export interface LineSettings {
  /** Without a command from the client, or without its reading what it asked for. RFC 1939 section 3: ten minutes or more. */
  readonly idleTimeoutMs: number;
  /** For a PROXY header or a TLS handshake to be complete, and for a client to close after the last reply. */
  readonly handshakeTimeoutMs: number;
  readonly failureDelayMs: number;
  /** Failed logins on one connection before it is closed. */
  readonly maxFailures: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerSource: number;
  /** Clients from there may have any number: a webmail on this host connects for everybody. */
  readonly uncountedNetworks?: Networks;
  /** Clients from there may send passwords without TLS. */
  readonly plaintextNetworks: Networks;
}

export interface LineServerOptions<S> {
  readonly dialogue: LineDialogue<S>;
  readonly settings: LineSettings;
  /** `undefined`: no TLS, neither from the start nor later. */
  readonly certificates: Certificates | undefined;
  readonly log: Log;
  /** Wall clock in ms. */
  readonly clock: () => number;
  /** Sees each line that passes, `C: …` or `S: …`, secrets masked. */
  readonly trace?: ((connection: string, line: string) => void) | undefined;
}

export interface ListenOptions {
  /** `pop3` or `pop3s`, for the log. */
  readonly protocol: string;
  /** IPv4 or IPv6 address; `::` also takes IPv4. */
  readonly address: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Several processes may listen there, and the kernel deals out the connections. */
  readonly reusePort?: boolean;
  /** A socket that is bound already (systemd); address and port are then only for the log. */
  readonly fd?: number | undefined;
  /** TLS from the first octet. RFC 8314 section 3. */
  readonly tls: boolean;
  /** Proxies from there begin with a PROXY header; from elsewhere there is none. */
  readonly proxyFrom?: Networks | undefined;
}

/** One listener, as its connections see it. */
export interface Door {
  readonly protocol: string;
  readonly tls: boolean;
  readonly proxyFrom: Networks | undefined;
  /** The one address it is bound to; `undefined` where each connection has its own. */
  readonly address: string | undefined;
}

export interface LineCounts {
  /** Open now. */
  readonly connections: number;
  /** Accepted since the start. */
  readonly accepted: number;
  /** Open connections by state of their dialogue (`AUTHORIZATION`, `TRANSACTION`) or phase (`handshake`, `closing`). */
  readonly states: ReadonlyMap<string, number>;
  readonly sources: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

/** Beyond the limit so many get as far as a reply that says so; who comes after them is cut off. */
const refusalsAtOnce = 64;
const sweepMs = 1000;

export class LineServer<S> {
  readonly dialogue: LineDialogue<S>;
  readonly certificates: Certificates | undefined;
  readonly log: Log;
  readonly clock: () => number;
  readonly trace: ((connection: string, line: string) => void) | undefined;
  readonly throttle: Throttle;
  readonly bytes: ByteCounts = { received: 0, sent: 0 };
  /** Connections with a dialogue, the quietest first. */
  readonly idle: IdleList;
  /** Connections on their way in or out. */
  readonly brief: IdleList;
  readonly settings: LineSettings;
  stopping = false;
  readonly #listeners: Server[] = [];
  readonly #sources = new Map<string, number>();
  #open = 0;
  #accepted = 0;
  #sweep: NodeJS.Timeout | undefined;
  #empty: PromiseWithResolvers<void> | undefined;
  #refusedLoggedAt = Number.NEGATIVE_INFINITY;

  constructor(options: LineServerOptions<S>) {
    this.dialogue = options.dialogue;
    this.certificates = options.certificates;
    this.log = options.log;
    this.clock = options.clock;
    this.trace = options.trace;
    this.settings = options.settings;
    this.throttle = new Throttle({ baseMs: options.settings.failureDelayMs });
    this.idle = new IdleList(options.settings.idleTimeoutMs);
    this.brief = new IdleList(options.settings.handshakeTimeoutMs);
  }

  /** Resolves with what is bound, once connections are accepted. @throws the system's error: EADDRINUSE, EACCES … */
  async listen(options: ListenOptions): Promise<AddressInfo> {
    const { protocol, address, tls, proxyFrom } = options;
    const isWildcard = options.fd !== undefined || address === '::' || address === '0.0.0.0';
    const door: Door = { protocol, tls, proxyFrom: proxyFrom?.empty ? undefined : proxyFrom, address: isWildcard ? undefined : address };
    const listener = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, highWaterMark: 16_384 });
    listener.on('connection', (socket) => this.#accept(socket, door));
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      const where =
        options.fd === undefined ? { host: address, port: options.port, reusePort: options.reusePort ?? false } : { fd: options.fd };
      listener.listen({ ...where, backlog: 1024 }, resolve);
    });
    listener.removeAllListeners('error');
    // Out of descriptors, mostly: one connection is lost, and nothing else.
    listener.on('error', (error) => this.log.error('net.accept-failed', { protocol, error: error.message }));
    this.#listeners.push(listener);
    this.#sweep ??= setInterval(() => this.sweep(), Math.min(sweepMs, Math.max(10, this.settings.idleTimeoutMs / 4))).unref();
    const bound = listener.address() as AddressInfo;
    this.log.info('net.listening', { protocol, address: bound.address, port: bound.port });
    return bound;
  }

  /** Ends whoever has been quiet for too long. */
  sweep(): void {
    const now = this.clock();
    this.idle.sweep(now);
    this.brief.sweep(now);
  }

  /**
   * No new connections from now on; who is not logged in is cut off, who is has `graceMs` for a QUIT. Commands under way are finished.
   * Resolves when the last connection is gone.
   */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    for (const listener of this.#listeners) listener.close();
    this.#each((connection) => connection.stop());
    const grace = setTimeout(() => this.#each((connection) => connection.cut()), graceMs);
    await this.#lastOneGone();
    clearTimeout(grace);
    clearInterval(this.#sweep);
  }

  /** No new connections from now on; those that are there go on as before. Resolves when the last one is gone. `stop` may still be called. */
  async drain(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    await this.#lastOneGone();
    clearInterval(this.#sweep);
  }

  counts(): LineCounts {
    const states = new Map<string, number>();
    this.#each((connection) => states.set(connection.state, (states.get(connection.state) ?? 0) + 1));
    return {
      connections: this.#open,
      accepted: this.#accepted,
      states,
      sources: this.#sources.size,
      bytesReceived: this.bytes.received,
      bytesSent: this.bytes.sent,
    };
  }

  /** @param change 1 or -1 */
  countSource(source: string, change: number): void {
    const count = (this.#sources.get(source) ?? 0) + change;
    if (count > 0) this.#sources.set(source, count);
    else this.#sources.delete(source);
  }

  /** This connection may not stay. It and its source are counted already. */
  isOneTooMany(connection: Connection<S>): boolean {
    const isCounted = connection.source !== undefined && !this.settings.uncountedNetworks?.has(connection.remoteAddress);
    const fromSource = isCounted ? (this.#sources.get(connection.source ?? '') ?? 0) : 0;
    const isOver = this.#open > this.settings.maxConnections || fromSource > this.settings.maxConnectionsPerSource;
    if (isOver) this.#logRefusal(connection.source);
    return isOver;
  }

  /** The connection is closed and nothing of it is under way. */
  left(connection: Connection<S>): void {
    if (connection.source !== undefined) this.countSource(connection.source, -1);
    if (connection.session === undefined) {
      this.#forget();
      return;
    }
    this.dialogue.disconnected(connection.session).then(this.#forget, (error: unknown) => {
      this.log.error('net.disconnect-failed', { connection: connection.id, error });
      this.#forget();
    });
  }

  #accept(socket: Socket, door: Door): void {
    if (this.stopping || this.#open >= this.settings.maxConnections + refusalsAtOnce) {
      if (!this.stopping) this.#logRefusal(socket.remoteAddress);
      socket.destroy();
      return;
    }
    this.#open++;
    this.#accepted++;
    new Connection(this, door, socket, this.#accepted.toString(36)).open();
  }

  /** Bound, for it goes to `then` as it is: one closure for all connections. */
  readonly #forget = (): void => {
    this.#open--;
    if (this.#open === 0) this.#empty?.resolve();
  };

  #lastOneGone(): Promise<void> {
    if (this.#open === 0) return Promise.resolve();
    this.#empty ??= Promise.withResolvers<void>();
    return this.#empty.promise;
  }

  /** Once a second at most: who floods us should not flood the log too. */
  #logRefusal(source: string | undefined): void {
    const now = this.clock();
    if (now - this.#refusedLoggedAt < 1000) return;
    this.#refusedLoggedAt = now;
    this.log.warn('net.too-many-connections', { source, open: this.#open });
  }

  #each(visit: (connection: Connection<S>) => void): void {
    for (const list of [this.idle, this.brief]) for (const member of [...list]) visit(member as IdleMember as Connection<S>);
  }
}
