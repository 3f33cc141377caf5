/** Listeners for a dialogue of lines, the connections they accept, and what all of these share: limits, time-outs, delays, counts. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type ConnectionCounts, createLocalCounts } from '../model/connectionCounts.ts';
import type { Log } from '../model/log.ts';
import type { Networks } from '../model/networks.ts';
import { type CarriedProtocol, type ConnectionCount, type DomainSessions, sessionsFrom } from '../model/report.ts';
import type { Certificates } from './certificates.ts';
import { Connection } from './connection.ts';
import { IdleList, type IdleMember } from './idleList.ts';
import type { LineDialogue, LineReply } from './lineDialogue.ts';
import type { Overload } from './overload.ts';
import type { ByteCounts } from './replyWriter.ts';

export interface LineSettings {
  /** Without a command from the client, or without its reading what it asked for. RFC 1939 section 3: ten minutes or more. */
  readonly idleTimeoutMs: number;
  /** For a PROXY header or a TLS handshake to be complete, and for a client to close after the last reply. */
  readonly handshakeTimeoutMs: number;
  /** Failed logins, and logins that were put off, on one connection before it is closed. */
  readonly maxFailures: number;
  readonly maxConnections: number;
  /** Per IPv4 address or IPv6 /64. */
  readonly maxConnectionsPerSource: number;
  /** Clients from there may have any number: a webmail connects for everybody. */
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
  /** While there is too much to do already, who connects is asked to come back later. */
  readonly overload?: Pick<Overload, 'isOver'> | undefined;
  /** Connections by source, where those of other processes count too. Default: those of this server alone. */
  readonly sources?: ConnectionCounts;
  /** Sees each line that passes, `C: …` or `S: …`, secrets masked. */
  readonly trace?: ((connection: string, line: string) => void) | undefined;
}

export interface ListenOptions {
  /** For the log and for counting. */
  readonly protocol: CarriedProtocol;
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
  readonly protocol: CarriedProtocol;
  readonly tls: boolean;
  readonly proxyFrom: Networks | undefined;
  /** The one address it is bound to; `undefined` where each connection has its own. */
  readonly address: string | undefined;
  /** Connections since the start. */
  accepted: number;
}

export interface LineCounts {
  /** Open now, those included that are being put away. */
  readonly connections: number;
  /** By state of their dialogue (`AUTHORIZATION`, `TRANSACTION`) or phase (`handshake`, `closing`). */
  readonly states: readonly ConnectionCount[];
  /** Of those who are logged in. */
  readonly sessions: readonly DomainSessions[];
  /** Since the start, by protocol. */
  readonly accepted: ReadonlyMap<CarriedProtocol, number>;
  /** Connections that were one too many, since the start. */
  readonly turnedAway: number;
  readonly sources: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

/** Beyond the limit so many get as far as a reply that says so; who comes after them is cut off. */
const refusalsAtOnce = 64;
const sweepMs = 1000;

/** Connections that wait to be accepted; the kernel cuts it to net.core.somaxconn. A thousand at once are no reason to keep the next one waiting for a second. */
const BACKLOG = 4096;

export class LineServer<S> {
  readonly dialogue: LineDialogue<S>;
  readonly certificates: Certificates | undefined;
  readonly log: Log;
  readonly clock: () => number;
  readonly trace: ((connection: string, line: string) => void) | undefined;
  readonly sources: ConnectionCounts;
  readonly bytes: ByteCounts = { received: 0, sent: 0 };
  /** Connections with a dialogue, the quietest first. */
  readonly idle: IdleList;
  /** Connections on their way in or out. */
  readonly brief: IdleList;
  readonly settings: LineSettings;
  stopping = false;
  readonly #overload: Pick<Overload, 'isOver'> | undefined;
  readonly #listeners: Server[] = [];
  readonly #doors: Door[] = [];
  #open = 0;
  #accepted = 0;
  #turnedAway = 0;
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
    this.#overload = options.overload;
    this.sources = options.sources ?? createLocalCounts();
    this.idle = new IdleList(options.settings.idleTimeoutMs);
    this.brief = new IdleList(options.settings.handshakeTimeoutMs);
  }

  /** Resolves with what is bound, once connections are accepted. @throws the system's error: EADDRINUSE, EACCES … */
  async listen(options: ListenOptions): Promise<AddressInfo> {
    const { protocol, address, tls, proxyFrom } = options;
    const isWildcard = options.fd !== undefined || address === '::' || address === '0.0.0.0';
    const door: Door = {
      protocol,
      tls,
      proxyFrom: proxyFrom?.empty ? undefined : proxyFrom,
      address: isWildcard ? undefined : address,
      accepted: 0,
    };
    const listener = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, highWaterMark: 16_384 });
    listener.on('connection', (socket) => this.#accept(socket, door));
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      const where =
        options.fd === undefined ? { host: address, port: options.port, reusePort: options.reusePort ?? false } : { fd: options.fd };
      // Beside them: with a descriptor Node doesn't look for it among the others, and 511 would take the place of what the socket had.
      listener.listen(where, BACKLOG, resolve);
    });
    listener.removeAllListeners('error');
    // Out of descriptors, mostly: one connection is lost, and nothing else.
    listener.on('error', (error) => this.log.error('net.accept-failed', { protocol, error: error.message }));
    this.#listeners.push(listener);
    this.#doors.push(door);
    this.#beginToSweep();
    const bound = listener.address() as AddressInfo;
    this.log.info('net.listening', { protocol, address: bound.address, port: bound.port });
    return bound;
  }

  /** Serves a connection that somebody else has accepted, as inetd does. */
  carry(socket: Socket, { protocol, tls }: Pick<ListenOptions, 'protocol' | 'tls'>): void {
    const door: Door = { protocol, tls, proxyFrom: undefined, address: undefined, accepted: 0 };
    this.#doors.push(door);
    this.#beginToSweep();
    this.#accept(socket, door);
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
    const states = new Map<string, ConnectionCount>();
    const sessions = new Map<string | null, number>();
    this.#each((connection) => {
      const { protocol, state } = connection;
      const key = `${protocol} ${state}`;
      states.set(key, { protocol, state, connections: (states.get(key)?.connections ?? 0) + 1 });
      const domain = connection.session && this.dialogue.domain(connection.session);
      if (domain !== undefined) sessions.set(domain, (sessions.get(domain) ?? 0) + 1);
    });
    const accepted = new Map<CarriedProtocol, number>();
    for (const door of this.#doors) accepted.set(door.protocol, (accepted.get(door.protocol) ?? 0) + door.accepted);
    return {
      connections: this.#open,
      states: [...states.keys()].sort().flatMap((key) => states.get(key) ?? []),
      sessions: sessionsFrom(sessions),
      accepted,
      turnedAway: this.#turnedAway,
      sources: this.sources.size,
      bytesReceived: this.bytes.received,
      bytesSent: this.bytes.sent,
    };
  }

  /** What is said to a connection that may not stay; `undefined`: it may. */
  refusal(connection: Connection<S>): LineReply<S> | undefined {
    if (this.isOneTooMany(connection)) return this.dialogue.tooManyConnections();
    return this.#overload?.isOver === true ? this.dialogue.overloaded() : undefined;
  }

  /** It and its source are counted already. */
  isOneTooMany(connection: Connection<S>): boolean {
    const isCounted = connection.source !== undefined && !this.settings.uncountedNetworks?.has(connection.remoteAddress);
    const isOverSource = isCounted && connection.fromSource > this.settings.maxConnectionsPerSource;
    const isOver = this.#open > this.settings.maxConnections || isOverSource;
    if (isOver) this.#noteRefusal(connection.source);
    return isOver;
  }

  /** The connection is closed and nothing of it is under way. */
  left(connection: Connection<S>): void {
    if (connection.source !== undefined) this.sources.leave(connection.source);
    if (connection.session === undefined) {
      this.#forget();
      return;
    }
    this.dialogue.disconnected(connection.session).then(this.#forget, (error: unknown) => {
      this.log.error('net.disconnect-failed', { connection: connection.id, error });
      this.#forget();
    });
  }

  #beginToSweep(): void {
    this.#sweep ??= setInterval(() => this.sweep(), Math.min(sweepMs, Math.max(10, this.settings.idleTimeoutMs / 4))).unref();
  }

  #accept(socket: Socket, door: Door): void {
    if (this.stopping || this.#open >= this.settings.maxConnections + refusalsAtOnce) {
      if (!this.stopping) this.#noteRefusal(socket.remoteAddress);
      socket.destroy();
      return;
    }
    this.#open++;
    this.#accepted++;
    door.accepted++;
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

  /** Logged once a second at most: who floods us should not flood the log too. */
  #noteRefusal(source: string | undefined): void {
    this.#turnedAway++;
    const now = this.clock();
    if (now - this.#refusedLoggedAt < 1000) return;
    this.#refusedLoggedAt = now;
    this.log.warn('net.too-many-connections', { source, open: this.#open });
  }

  #each(visit: (connection: Connection<S>) => void): void {
    for (const list of [this.idle, this.brief]) for (const member of [...list]) visit(member as IdleMember as Connection<S>);
  }
}
