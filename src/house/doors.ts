/** Everything a house listens on, and the one connection it may have been handed. */
import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { AdmissionControl } from '../admission/index.ts';
import type { ListenSettings } from '../config/index.ts';
import { createPartialDeliveries, createResolver, type DeliveryTrace, type QuotaPolicy, type Resolver } from '../delivery/index.ts';
import type { SpoolOptions } from '../delivery/spool.ts';
import { Networks } from '../model/networks.ts';
import type { Certificates } from '../net/certificates.ts';
import { LineServer } from '../net/lineServer.ts';
import type { MailListener, MailListenerOptions } from '../net/mailListener.ts';
import { pop3Dialogue } from '../net/pop3Dialogue.ts';
import { createTrace } from '../observe/index.ts';
import { disk } from '../os/disk.ts';
import type { Pop3Host } from '../pop3/host.ts';
import type { Session } from '../pop3/session.ts';
import type { AuthServer } from '../postfix/auth/server.ts';
import { affordableConnections, watchOverload } from './capacity.ts';
import type { loadMailProtocols } from './mailProtocols.ts';
import type { OnwardMail } from './onward.ts';
import type { HouseOptions } from './options.ts';
import { createQuestions, type Questions } from './questions.ts';
import { createAuthServer } from './smtpAuth.ts';

export interface DoorParts {
  readonly host: Pop3Host;
  readonly admission: AdmissionControl;
  /** `undefined` where nobody logs in. */
  readonly certificates: Certificates | undefined;
  /** `undefined` where nothing brings mail in. */
  readonly mailProtocols: Awaited<ReturnType<typeof loadMailProtocols>> | undefined;
  /** Where a message is while it comes in. */
  readonly spool: SpoolOptions;
  readonly onward: OnwardMail;
  readonly limits: QuotaPolicy;
  readonly trace: DeliveryTrace;
}

export interface Doors {
  readonly pop3: LineServer<Session>;
  readonly mail: readonly MailListener[];
  /** What each of them goes by. */
  readonly resolver: Resolver;
  readonly auth: AuthServer;
  /** Of Postfix. */
  readonly questions: Questions;
}

/** Resolves when all are open. @throws Error with `code` */
export async function openDoors(options: HouseOptions, parts: DoorParts): Promise<Doors> {
  const { settings, sockets, connection } = options;
  const { host, admission, certificates, mailProtocols, spool, onward } = parts;
  const { log } = host;
  const shared = {
    maxConnectionsPerSource: settings.limits.connectionsPerSource,
    // What comes from the host itself mostly comes for everybody.
    uncountedNetworks: new Networks(['127.0.0.0/8', '::1/128', ...settings.throttle.exemptNetworks]),
  };
  const maxConnections = affordableConnections(options, log);
  const overload = watchOverload(settings, log);
  const sourcesOf = (protocol: string) => admission.connections(protocol, settings.limits.connectionsPerSource);
  const pop3 = new LineServer({
    dialogue: pop3Dialogue(() => host),
    settings: {
      ...shared,
      maxConnections: maxConnections.fetching,
      idleTimeoutMs: settings.pop3.idleTimeoutS * 1000,
      handshakeTimeoutMs: 30_000,
      maxFailures: settings.login.maxFailures,
      plaintextNetworks: new Networks(settings.login.plaintextNetworks),
    },
    certificates,
    log,
    clock: host.now,
    overload,
    sources: sourcesOf('pop3'),
    trace: options.trace.includes('pop3') ? lineTrace() : undefined,
  });
  const resolverOptions = {
    directory: host.directory,
    recipientDelimiter: settings.delivery.recipientDelimiter,
    defaultDomain: settings.directory.defaultDomain,
    foldSubdomains: settings.delivery.foldSubdomains,
    internalDomain: settings.delivery.internalDomain,
    srs: onward.srs,
  };
  const resolver = createResolver(resolverOptions);
  const questions = createQuestions({
    recentLogins: admission.recentLogins,
    settings,
    resolverOptions,
    limits: parts.limits,
    speaker: host.speaker,
    log,
    overload,
    maxConnections: maxConnections.bringing,
  });
  const mailOptions: Omit<MailListenerOptions, 'listen' | 'proxyProtocolFrom'> = {
    ...shared,
    maxConnections: maxConnections.bringing,
    resolver,
    store: host.store,
    sendOn: onward.sendOn,
    delivered: (delivered) => onward.answers.consider(delivered),
    partial: createPartialDeliveries({ folder: join(settings.stateDir, 'partial'), disk, log, now: host.now }),
    limits: parts.limits,
    trace: parts.trace,
    speaker: host.speaker,
    log,
    now: host.now,
    clock: () => performance.now(),
    hostname: settings.hostname,
    spool,
    maxMessageOctets: settings.delivery.maxMessageOctets,
    maxRecipients: settings.delivery.maxRecipients,
    random: randomBytes,
    idleTimeoutMs: settings.delivery.idleTimeoutS * 1000,
    overload,
  };
  const auth = createAuthServer(settings, {
    host,
    maxConnections: maxConnections.bringing,
    isOverloaded: () => overload.isOver,
    trace: options.trace.includes('sasl') ? lineTrace() : undefined,
  });
  const mailSources = { lmtp: sourcesOf('lmtp'), smtp: sourcesOf('smtp') };
  const mail: MailListener[] = [];

  async function listen(settingsOfDoor: ListenSettings, fd: number): Promise<void> {
    const { protocol } = settingsOfDoor;
    if (protocol === 'socketmap' || protocol === 'tcp-table' || protocol === 'policy')
      return questions.listen({ ...settingsOfDoor, protocol }, fd);
    const proxies = new Networks(settingsOfDoor.proxyProtocolFrom);
    if (protocol === 'pop3' || protocol === 'pop3s') {
      await pop3.listen({ protocol, tls: protocol === 'pop3s', ...tcpAddress(settingsOfDoor), fd, proxyFrom: proxies });
      return;
    }
    if (protocol === 'sasl') {
      await auth.listen(fd);
      return;
    }
    const options = { ...mailOptions, sources: mailSources[protocol], listen: { fd }, proxyProtocolFrom: proxies };
    const started = await mailProtocols?.[protocol](options);
    if (started) mail.push(started);
  }

  async function carry(protocol: 'pop3' | 'pop3s' | 'lmtp', fd: number): Promise<void> {
    const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true }).setNoDelay(true).setKeepAlive(true);
    if (protocol !== 'lmtp') return pop3.carry(socket, { protocol, tls: protocol === 'pop3s' });
    const started = await mailProtocols?.lmtp({ ...mailOptions, sources: mailSources.lmtp, listen: { connection: socket } });
    if (started) mail.push(started);
  }

  for (const [index, door] of settings.listen.entries()) for (const fd of sockets.get(index) ?? []) await listen(door, fd);
  if (connection !== undefined) await carry(connection.protocol, connection.fd);
  return { pop3, mail, resolver, auth, questions };
}

/** `C: …` and `S: …` lines as `net/` gives them, to standard error. */
function lineTrace(): (connection: string, line: string) => void {
  const trace = createTrace((text) => void process.stderr.write(text));
  return (connection, line) => (line.startsWith('C: ') ? trace.client(connection, line.slice(3)) : trace.server(connection, line.slice(3)));
}

function tcpAddress({ address }: ListenSettings): { address: string; port: number } {
  return 'path' in address ? { address: address.path, port: 0 } : { address: address.host, port: address.port };
}
