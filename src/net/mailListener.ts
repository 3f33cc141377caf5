/** Sockets of LMTP and SMTP: accepting, limits, PROXY headers, stopping. The dialogue on them is smtp-server's. */
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';
import { type ConnectionCounts, createLocalCounts } from '../model/connectionCounts.ts';
import { Networks, plainAddress, sourceOf } from '../model/networks.ts';
import type { ConnectionCount, DeliveriesUnderWay, DeliveryCounts } from '../model/report.ts';
import { MailConnection } from './mailConnection.ts';
import { MailReception, type ReceptionOptions } from './mailReception.ts';
import type { Overload } from './overload.ts';
import { type Endpoints, parseProxyHeader } from './proxyProtocol.ts';

export interface MailListenerOptions extends ReceptionOptions {
  /** A descriptor that listens already, where to listen, or the one connection to serve, which somebody else has accepted. */
  readonly listen: ListenOptions | { readonly fd: number } | { readonly connection: Socket };
  readonly random: (octets: number) => Buffer;
  readonly idleTimeoutMs: number;
  /** At a time on this listener. */
  readonly maxConnections: number;
  /** Per IPv4 address or IPv6 /64. */
  readonly maxConnectionsPerSource: number;
  /** Clients from there may have any number. Default: the host itself. */
  readonly uncountedNetworks?: Networks;
  /** Connections by source, where those of other processes count too. Default: those of this listener alone. */
  readonly sources?: ConnectionCounts;
  /** While there is too much to do already, who connects is asked to come back later. */
  readonly overload?: Pick<Overload, 'isOver'> | undefined;
  /** Connections from these begin with a PROXY protocol header. */
  readonly proxyProtocolFrom?: Networks;
}

export interface MailCounts {
  /** Open now. */
  readonly states: readonly ConnectionCount[];
  /** Connections since the start, and those among them that were one too many. */
  readonly accepted: number;
  readonly turnedAway: number;
  readonly underWay: DeliveriesUnderWay;
  readonly deliveries: Readonly<DeliveryCounts>;
}

export interface MailListener {
  readonly protocol: 'lmtp' | 'smtp';
  /** 0 for a Unix socket. */
  readonly port: number;
  counts(): MailCounts;
  /** New connections are refused, idle ones closed; messages on their way get `graceMs`. Resolves when all are gone. */
  stop(graceMs: number): Promise<void>;
  /** New connections are refused; those that are there go on as before. Resolves when all are gone. `stop` may still be called. */
  drain(): Promise<void>;
}

/** Beyond the limit so many get as far as a reply that says so; who comes after them is cut off. */
const REFUSALS_AT_ONCE = 64;

/** @throws EADDRINUSE and its like */
export async function listenForMail(service: 'lmtp' | 'smtp', options: MailListenerOptions): Promise<MailListener> {
  const { log, speaker, maxConnections, maxConnectionsPerSource, proxyProtocolFrom = new Networks() } = options;
  const { uncountedNetworks = loopback, sources = createLocalCounts() } = options;
  const reception = new MailReception(service, options);
  /** Whose source has enough without them. */
  const oneTooMany = new WeakSet<SMTPServerSession>();
  const connections = new Set<MailConnection>();
  const early = new Set<Socket>();
  let stopping = false;
  let accepted = 0;
  let turnedAway = 0;
  const goodbye = `4.3.2 ${speaker.say('the server is shutting down', {}, 'en')}`;

  const smtp = new SMTPServer({
    lmtp: service === 'lmtp',
    name: options.hostname,
    size: options.maxMessageOctets,
    socketTimeout: options.idleTimeoutMs,
    disableReverseLookup: true,
    hideENHANCEDSTATUSCODES: false,
    heloResponse: '%s',
    disabledCommands: ['AUTH', 'STARTTLS', 'HELP', 'XCLIENT', 'XFORWARD', 'WIZ', 'SHELL', 'KILL'],
    onConnect(session, done) {
      const isRoom = !oneTooMany.has(session) && connections.size <= maxConnections;
      const isOverloaded = options.overload?.isOver === true;
      const refused = !isRoom || isOverloaded;
      const text = `4.3.2 ${speaker.say(isRoom ? 'the server is overloaded, try again later' : 'too many connections', {}, 'en')}`;
      if (refused) {
        turnedAway++;
        log.warn(`${service}.too-many`, { session: session.id, address: session.remoteAddress, connections: connections.size });
      }
      done(refused ? Object.assign(new Error(text), { responseCode: 421 }) : null);
    },
    onMailFrom: reception.onMailFrom,
    onRcptTo: reception.onRcptTo,
    onData(stream, session, done) {
      reception.onData(stream, session, (error, replies) => {
        done(error, replies as Parameters<typeof done>[1]);
        if (stopping) for (const connection of connections) if (connection.session === session) connection.sendAway(goodbye);
      });
    },
  });

  /** What a connection is counted by; `undefined`: it isn't. */
  function countedSource({ remoteAddress }: MailConnection): string | undefined {
    const address = remoteAddress && plainAddress(remoteAddress);
    return !address || uncountedNetworks.has(address) ? undefined : sourceOf(address);
  }

  /** @param isClient false: a proxy that speaks for itself */
  function serve(socket: Socket, isClient: boolean, endpoints?: Endpoints): void {
    if (stopping) return void socket.destroy();
    const connection = new MailConnection(smtp, socket, { id: options.random(6).toString('hex'), ...endpoints });
    const source = isClient ? countedSource(connection) : undefined;
    if (source !== undefined && sources.enter(source) > maxConnectionsPerSource) oneTooMany.add(connection.session);
    connections.add(connection);
    smtp.connections.add(connection);
    connection.on('error', (cause) => log.debug(`${service}.connection-lost`, { session: connection.id, cause }));
    socket.once('close', () => {
      connections.delete(connection);
      if (source !== undefined) sources.leave(source);
      log.debug(`${service}.closed`, { session: connection.id });
    });
    log.debug(`${service}.connected`, { session: connection.id, address: connection.remoteAddress || undefined });
    connection.init();
  }

  function arrived(socket: Socket): void {
    accepted++;
    if (connections.size + early.size >= maxConnections + REFUSALS_AT_ONCE) {
      turnedAway++;
      socket.destroy();
      return;
    }
    const address = socket.remoteAddress && plainAddress(socket.remoteAddress);
    if (!address || !proxyProtocolFrom.has(address)) {
      serve(socket, true);
      return;
    }
    early.add(socket);
    socket.once('close', () => early.delete(socket));
    readProxyHeader(socket, options.idleTimeoutMs).then(
      (endpoints) => {
        early.delete(socket);
        serve(socket, endpoints !== undefined, endpoints);
      },
      (cause: unknown) => {
        log.warn(`${service}.proxy-header`, { address, cause });
        socket.destroy();
      },
    );
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, arrived);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= new Promise((resolve) => server.close(() => resolve()));
    return closed;
  };
  if ('connection' in options.listen) {
    const { connection } = options.listen;
    closed = new Promise((resolve) => connection.once('close', () => resolve()));
    arrived(connection);
  } else {
    await listening(server, options.listen);
    log.info('net.listening', { protocol: service, ...boundTo(server) });
  }

  function states(): ConnectionCount[] {
    const counts = new Map<string, number>(early.size > 0 ? [['proxy header', early.size]] : []);
    for (const { state } of connections) counts.set(state, (counts.get(state) ?? 0) + 1);
    return [...counts].sort().map(([state, count]) => ({ protocol: service, state, connections: count }));
  }

  return {
    protocol: service,
    port: boundTo(server).port ?? 0,
    counts: () => ({ states: states(), accepted, turnedAway, underWay: reception.underWay, deliveries: reception.counts }),
    async stop(graceMs) {
      stopping = true;
      const gone = close();
      for (const socket of early) socket.destroy();
      for (const connection of connections) connection.sendAway(goodbye);
      const limit = setTimeout(() => {
        for (const connection of connections) connection.abandon();
      }, graceMs);
      await gone;
      clearTimeout(limit);
    },
    drain: close,
  };
}

function boundTo(server: Server): { readonly address: string | undefined; readonly port?: number } {
  const bound = server.address();
  return typeof bound === 'string' || bound === null ? { address: bound ?? undefined } : { address: bound.address, port: bound.port };
}

const loopback = new Networks(['127.0.0.0/8', '::1/128']);

function listening(server: Server, options: ListenOptions | { readonly fd: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

/** What follows the header is left in the socket. `undefined`: the proxy speaks for itself. */
function readProxyHeader(socket: Socket, timeoutMs: number): Promise<Endpoints | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Endpoints | undefined>();
  let octets: Buffer = Buffer.alloc(0);
  const onError = (error: Error) => reject(error);
  const onEnd = () => reject(new Error('the connection was closed before its PROXY header'));
  const onTimeout = () => reject(new Error('no PROXY header in time'));
  const onReadable = () => {
    for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) octets = Buffer.concat([octets, chunk]);
    const header = parseProxyHeader(octets);
    if (header.kind === 'malformed') reject(new Error(header.reason));
    if (header.kind !== 'header') return;
    socket.removeListener('readable', onReadable);
    socket.unshift(octets.subarray(header.length));
    resolve(header.endpoints);
  };
  socket.on('error', onError).on('end', onEnd).on('timeout', onTimeout).on('readable', onReadable).setTimeout(timeoutMs);
  // The listener for errors stays: one that comes late must not end the program.
  return promise.finally(() => {
    socket.removeListener('end', onEnd).removeListener('timeout', onTimeout).removeListener('readable', onReadable).setTimeout(0);
  });
}
