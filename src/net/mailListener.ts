/** Sockets of LMTP and SMTP: accepting, limits, PROXY headers, stopping. The dialogue on them is smtp-server's. */
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';
import { Networks, plainAddress, sourceOf } from './cidr.ts';
import { MailConnection } from './mailConnection.ts';
import { MailReception, type ReceptionOptions } from './mailReception.ts';
import { type Endpoints, parseProxyHeader } from './proxyProtocol.ts';

export interface MailListenerOptions extends ReceptionOptions {
  /** A descriptor that listens already, or where to listen. */
  readonly listen: ListenOptions | { readonly fd: number };
  readonly random: (octets: number) => Buffer;
  readonly idleTimeoutMs: number;
  /** At a time on this listener. */
  readonly maxConnections: number;
  /** Per address (IPv6: /64); the host itself is not counted. */
  readonly maxConnectionsPerSource: number;
  /** Connections from these begin with a PROXY protocol header. */
  readonly proxyProtocolFrom?: Networks;
}

export interface MailListener {
  /** 0 for a Unix socket. */
  readonly port: number;
  counts(): { readonly connections: number; readonly delivered: number; readonly failed: number };
  /** New connections are refused, idle ones closed; messages on their way get `graceMs`. Resolves when all are gone. */
  stop(graceMs: number): Promise<void>;
  /** New connections are refused; those that are there go on as before. Resolves when all are gone. `stop` may still be called. */
  drain(): Promise<void>;
}

/** @throws EADDRINUSE and its like */
export async function listenForMail(service: 'lmtp' | 'smtp', options: MailListenerOptions): Promise<MailListener> {
  const { log, speaker, maxConnections, maxConnectionsPerSource, proxyProtocolFrom = new Networks() } = options;
  const reception = new MailReception(service, options);
  const sources = new Map<string, number>();
  const connections = new Set<MailConnection>();
  const early = new Set<Socket>();
  let stopping = false;
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
      const admitted = admit(session);
      const refused = !admitted || connections.size > maxConnections;
      const text = `4.3.2 ${speaker.say('too many connections', {}, 'en')}`;
      if (refused) log.warn(`${service}.too-many`, { session: session.id, address: session.remoteAddress, connections: connections.size });
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

  /** Counts the connection of a source, unless that one has enough. */
  function admit({ remoteAddress }: SMTPServerSession): boolean {
    if (!remoteAddress || isLoopback(remoteAddress)) return true;
    const source = sourceOf(plainAddress(remoteAddress));
    const count = sources.get(source) ?? 0;
    sources.set(source, count + 1);
    return count < maxConnectionsPerSource;
  }

  function leave({ remoteAddress }: MailConnection): void {
    if (!remoteAddress || isLoopback(remoteAddress)) return;
    const source = sourceOf(plainAddress(remoteAddress));
    const count = sources.get(source) ?? 0;
    if (count > 1) sources.set(source, count - 1);
    else sources.delete(source);
  }

  function serve(socket: Socket, endpoints?: Endpoints): void {
    if (stopping) return void socket.destroy();
    const connection = new MailConnection(smtp, socket, { id: options.random(6).toString('hex'), ...endpoints });
    connections.add(connection);
    smtp.connections.add(connection);
    connection.on('error', (cause) => log.debug(`${service}.connection-lost`, { session: connection.id, cause }));
    socket.once('close', () => {
      connections.delete(connection);
      leave(connection);
      log.debug(`${service}.closed`, { session: connection.id });
    });
    log.debug(`${service}.connected`, { session: connection.id, address: connection.remoteAddress || undefined });
    connection.init();
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) => {
    const address = socket.remoteAddress && plainAddress(socket.remoteAddress);
    if (!address || !proxyProtocolFrom.has(address)) return serve(socket);
    early.add(socket);
    socket.once('close', () => early.delete(socket));
    readProxyHeader(socket, options.idleTimeoutMs).then(
      (endpoints) => {
        early.delete(socket);
        serve(socket, endpoints);
      },
      (cause: unknown) => {
        log.warn(`${service}.proxy-header`, { address, cause });
        socket.destroy();
      },
    );
  });
  await listening(server, options.listen);
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  log.info('net.listening', { protocol: service, ...(typeof bound === 'object' ? { address: bound?.address, port } : { address: bound }) });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= new Promise((resolve) => server.close(() => resolve()));
    return closed;
  };

  return {
    port,
    counts: () => ({ connections: connections.size, delivered: reception.delivered, failed: reception.failed }),
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

const loopback = new Networks(['127.0.0.0/8', '::1/128']);

function isLoopback(address: string): boolean {
  return loopback.has(plainAddress(address));
}

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
