/** Puts the house together from its settings: the one place that knows which backend stands behind an interface. */
import { randomBytes } from 'node:crypto';
import { reverse } from 'node:dns/promises';
import { join } from 'node:path';
import type { ListenSettings, Settings } from './config/index.ts';
import { createResolver, deliver, Spool } from './delivery/index.ts';
import { createPasswdDirectory } from './directory/passwd/index.ts';
import { loadArgon2 } from './directory/schemes/argon2.ts';
import { createFileStore, type FileStore, locateMailbox } from './maildrops/index.ts';
import { createLastLogins } from './maildrops/lastLogins.ts';
import { type Address, formatAddress } from './model/address.ts';
import type { Account, Directory } from './model/directory.ts';
import { Fault } from './model/fault.ts';
import { type Log, type LogFields, silent } from './model/log.ts';
import type { Mailbox } from './model/mailbox.ts';
import type { Location } from './model/maildrop.ts';
import { type CertificateFiles, Certificates } from './net/certificates.ts';
import { Networks } from './net/cidr.ts';
import { LineServer } from './net/lineServer.ts';
import { startLmtpListener } from './net/lmtpListener.ts';
import type { MailListener, MailListenerOptions } from './net/mailListener.ts';
import { pop3Dialogue } from './net/pop3Dialogue.ts';
import { createReverseNames } from './net/reverseNames.ts';
import { selfSignedFiles } from './net/selfSigned.ts';
import { startSmtpReceiver } from './net/smtpReceiver.ts';
import { createLineWriter, createLog, createTrace } from './observe/index.ts';
import { becomeUser, type Identity } from './os/becomeUser.ts';
import { disk } from './os/disk.ts';
import { EX_CONFIG } from './os/exitCodes.ts';
import { native } from './os/native.ts';
import { createRandomPool } from './os/randomPool.ts';
import { mayEnter, requireWritable } from './os/reach.ts';
import { sharedSecret } from './os/sharedSecret.ts';
import { StartFailure } from './os/startFailure.ts';
import type { Pop3Host } from './pop3/host.ts';
import { loadSaslprep } from './sasl/saslprep.ts';
import { createSpeaker, type Phrasebook } from './texts/speaker.ts';
import { implementation } from './version.ts';

export interface HouseOptions {
  readonly settings: Settings;
  readonly phrasebook: Phrasebook;
  /** By the listener's index in the settings: descriptors that listen already. A listener without any is not served here. */
  readonly sockets: ReadonlyMap<number, readonly number[]>;
  /** Protocols whose dialogues are printed to standard error, secrets masked. */
  readonly trace: readonly string[];
  /** Whom to become when all that only root may read has been read, and before anything is served; `undefined`: nobody else. */
  readonly become: Identity | undefined;
  /** Whether certificates that change are looked for here. Not after `become`: then the keys may be closed to this process. */
  readonly watchesCertificates: boolean;
}

export interface House {
  /** Messages in a mailbox that no session has open. @throws Fault not-found, in-use, temporary, permanent */
  count(address: Address): Promise<number>;
  /** Hands a message to an account as a delivery would. @throws Fault not-found, over-quota, temporary, permanent */
  deliver(address: Address, message: Buffer): Promise<void>;
  /** Logs sessions, counts and memory, with these fields before them. */
  report(fields: LogFields): void;
  /** No new connections; those that are there go on as before. Resolves when all are gone. `stop` may still follow. */
  drain(): Promise<void>;
  /** No new connections; sessions in TRANSACTION and deliveries get `graceMs`. Resolves when all are gone. */
  stop(graceMs: number): Promise<void>;
}

/** Resolves when every listener is up. @throws StartFailure, Fault */
export async function createHouse(options: HouseOptions): Promise<House> {
  const { settings, sockets } = options;
  const now = Date.now;
  const log = createLog({ ...settings.log, writer: createLineWriter(settings.log.to === 'stdout' ? 1 : 2), now });
  const certificates = await certificatesOf(options, log);
  if (options.become !== undefined) {
    await loadModules(options.become);
    becomeUser(options.become);
  }
  requireWritable('state_dir', settings.stateDir);
  requireWritable('run_dir', settings.runDir);

  const speaker = createSpeaker(options.phrasebook);
  const directory = createDirectory(settings, log);
  const store = createStore(settings, log);
  const lastLogins = createLastLogins({ folder: join(settings.stateDir, 'logins'), now, log });
  const host: Pop3Host = {
    directory,
    store,
    speaker,
    log,
    now,
    random: createRandomPool(),
    hostname: settings.hostname,
    implementation,
    mechanisms: settings.login.mechanisms === 'auto' ? undefined : new Set(settings.login.mechanisms),
    language: speaker.match(settings.language) ?? 'en',
    limits: { expireDays: settings.pop3.expireDays, loginDelayS: settings.pop3.loginDelayS },
    lastLogins,
  };
  const trace = options.trace.includes('pop3') ? lineTrace() : undefined;
  const pop3 = new LineServer({
    dialogue: pop3Dialogue(() => host),
    settings: {
      idleTimeoutMs: settings.pop3.idleTimeoutS * 1000,
      handshakeTimeoutMs: 30_000,
      failureDelayMs: settings.login.failureDelayMs,
      maxFailures: settings.login.maxFailures,
      maxConnections: settings.limits.connections,
      maxConnectionsPerSource: settings.limits.connectionsPerSource,
      uncountedNetworks: new Networks(['127.0.0.0/8', '::1/128']),
      plaintextNetworks: new Networks(settings.login.plaintextNetworks),
    },
    certificates,
    log,
    clock: now,
    trace,
  });
  const spool = { disk, folder: settings.stateDir, name: () => `spool-${randomBytes(12).toString('hex')}` };
  const resolver = createResolver({
    directory,
    recipientDelimiter: settings.delivery.recipientDelimiter,
    defaultDomain: settings.directory.defaultDomain,
  });
  const mailOptions: Omit<MailListenerOptions, 'listen' | 'proxyProtocolFrom'> = {
    resolver,
    store,
    speaker,
    log,
    now,
    clock: () => performance.now(),
    hostname: settings.hostname,
    spool,
    maxMessageOctets: settings.delivery.maxMessageOctets,
    maxRecipients: settings.delivery.maxRecipients,
    random: randomBytes,
    idleTimeoutMs: settings.delivery.idleTimeoutS * 1000,
    maxConnections: settings.limits.connections,
    maxConnectionsPerSource: settings.limits.connectionsPerSource,
  };

  const mailListeners: MailListener[] = [];
  for (const [index, listen] of settings.listen.entries()) {
    const proxies = new Networks(listen.proxyProtocolFrom);
    for (const fd of sockets.get(index) ?? []) {
      if (listen.protocol === 'pop3' || listen.protocol === 'pop3s') {
        await pop3.listen({ protocol: listen.protocol, tls: listen.protocol === 'pop3s', ...tcpAddress(listen), fd, proxyFrom: proxies });
      } else {
        const start = listen.protocol === 'lmtp' ? startLmtpListener : startSmtpReceiver;
        mailListeners.push(await start({ ...mailOptions, listen: { fd }, proxyProtocolFrom: proxies }));
      }
    }
  }

  async function accountAt(address: Address): Promise<Account> {
    const account = await directory.account(address);
    if (account === undefined) throw new Fault('not-found', 'no such user here');
    return account;
  }

  return {
    async count(address) {
      const { mailbox } = await accountAt(address);
      await using maildrop = await store.open(mailbox);
      return maildrop.messages.length;
    },
    async deliver(address, content) {
      const account = await accountAt(address);
      const received = new Spool(spool);
      await received.write(content);
      const message = await received.finish();
      const recipient = { address: formatAddress(address), original: undefined, account };
      const reception = {
        protocol: 'local',
        clientName: settings.hostname,
        clientAddress: undefined,
        hostname: settings.hostname,
        id: 'local',
      };
      try {
        const transaction = { sender: '', recipients: [recipient], reception, receivedAt: new Date(now()) };
        const [outcome] = await deliver(message, transaction, { store, clock: mailOptions.clock });
        if (outcome?.fault) throw outcome.fault;
      } finally {
        message.close();
      }
    },
    report(fields) {
      const { rss, heapUsed, external } = process.memoryUsage();
      const { states, ...counts } = pop3.counts();
      log.info('house.state', {
        ...fields,
        ...counts,
        states: Object.fromEntries(states),
        mail: mailListeners.map((listener) => listener.counts()),
        store: store.counts(),
        rss,
        heapUsed,
        external,
        uptimeS: Math.round(process.uptime()),
      });
    },
    async drain() {
      await Promise.all([pop3.drain(), ...mailListeners.map((listener) => listener.drain())]);
      await store.close();
    },
    async stop(graceMs) {
      await Promise.all([pop3.stop(graceMs), ...mailListeners.map((listener) => listener.stop(graceMs))]);
      await store.close();
    },
  };
}

/**
 * Who exists and may log in, as the settings say.
 * @param secret of all processes that answer the same clients; left out: the one in state_dir
 */
export function createDirectory(settings: Settings, log: Log, secret = sharedSecret(join(settings.stateDir, 'secret'))): Directory {
  const { directory, login, addresses } = settings;
  return createPasswdDirectory({
    root: directory.root,
    passwdFile: directory.passwdFile,
    defaultDomain: directory.defaultDomain,
    loginDelimiters: directory.loginDelimiters,
    loginOptions: login.loginOptions,
    passwordKind: directory.passwordKind,
    systemUsers: directory.systemUsers,
    minUid: directory.minUid,
    mechanisms: login.mechanisms,
    addresses,
    ...(directory.reverseNames ? { reverseName: createReverseNames(reverse, Date.now) } : {}),
    secret,
    processUid: process.getuid?.() ?? 0,
    log,
    now: Date.now,
  });
}

/** Where mail rests, as the settings say. */
export function createStore(settings: Settings, log: Log): FileStore {
  const { mailboxes, stateDir, runDir } = settings;
  return createFileStore({ ...mailboxes, stateDir, runDir, disk, log, now: Date.now });
}

/** Which file or directory a mailbox is, without anything that only the server may do. */
export function locate(settings: Settings, mailbox: Mailbox): Location {
  return locateMailbox({ disk, places: settings.mailboxes, processUid: process.getuid?.() ?? 0 }, mailbox);
}

/** @throws StartFailure for a certificate or key that can't be used */
export function checkCertificates(settings: Settings): void {
  const files = givenCertificate(settings) ?? settings.tls.names.values().next().value;
  if (files !== undefined) loadCertificates(settings, files, silent, true);
}

/** @throws StartFailure */
async function certificatesOf({ settings, watchesCertificates }: HouseOptions, log: Log): Promise<Certificates> {
  const files = givenCertificate(settings) ?? (await selfSignedFiles(settings.stateDir, settings.hostname, new Date()));
  return loadCertificates(settings, files, log, watchesCertificates);
}

function givenCertificate({ tls: { certificate, key } }: Settings): CertificateFiles | undefined {
  return certificate !== undefined && key !== undefined ? { certificate, key } : undefined;
}

function loadCertificates({ tls }: Settings, files: CertificateFiles, log: Log, watches: boolean): Certificates {
  try {
    return new Certificates({ default: files, names: tls.names, log, clock: Date.now, minVersion: tls.minVersion, watches });
  } catch (thrown) {
    throw new StartFailure('certificate: {detail}', { detail: (thrown as Error).message }, EX_CONFIG);
  }
}

/** What is otherwise loaded when it is first needed, while we may still read it: our own folder can be closed to whom we become. */
export async function loadModules(user: Identity): Promise<void> {
  native();
  if (mayEnter(import.meta.dirname, user)) return;
  loadSaslprep();
  await loadArgon2();
}

/** `C: …` and `S: …` lines as `net/` gives them, to standard error. */
function lineTrace(): (connection: string, line: string) => void {
  const trace = createTrace((text) => void process.stderr.write(text));
  return (connection, line) => (line.startsWith('C: ') ? trace.client(connection, line.slice(3)) : trace.server(connection, line.slice(3)));
}

function tcpAddress({ address }: ListenSettings): { address: string; port: number } {
  return 'path' in address ? { address: address.path, port: 0 } : { address: address.host, port: address.port };
}
