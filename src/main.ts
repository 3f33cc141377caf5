/** Puts the house together from its settings: backends, listeners and what they share. */
import { randomBytes } from 'node:crypto';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  createDesk,
  createDirectory,
  createHostSubmission,
  createLocalQuota,
  createOnce,
  createStore,
  loadModules,
  resolveRules,
} from './backends.ts';
import { cannotSendOn, deliver, explainMail, noPartialDeliveries, Spool } from './delivery/index.ts';
import { createTraceWriter } from './delivery/trace/writer.ts';
import { admissionOf, loginNotesOf } from './house/admission.ts';
import { certificatesOf } from './house/certificates.ts';
import { openDoors } from './house/doors.ts';
import { loadMailProtocols, takesLogins, takesMail } from './house/mailProtocols.ts';
import { onwardMail } from './house/onward.ts';
import type { House, HouseOptions } from './house/options.ts';
import { createLastLogins } from './maildrops/lastLogins.ts';
import { createQuota } from './maildrops/quota.ts';
import { createReceipts } from './mdn/receipts.ts';
import { type Address, formatAddress } from './model/address.ts';
import type { Account } from './model/directory.ts';
import { Fault } from './model/fault.ts';
import type { Log } from './model/log.ts';
import type { Quota } from './model/quota.ts';
import { type FrontReport, noSessionCounts } from './model/report.ts';
import { frontReport, stateFields } from './observe/frontReport.ts';
import { createLog, createLogWriter } from './observe/index.ts';
import { startLagMeter } from './observe/lag.ts';
import { becomeUser } from './os/becomeUser.ts';
import { disk } from './os/disk.ts';
import { createRandomPool } from './os/randomPool.ts';
import { requireWritable } from './os/reach.ts';
import { sharedSecret } from './os/sharedSecret.ts';
import { domainsLately } from './owners/domainsLately.ts';
import { createRemote } from './owners/remote.ts';
import type { Pop3Host } from './pop3/host.ts';
import { expireDaysDiffer, expireDaysOf, strictestExpireDays } from './pop3/retention.ts';
import { createSpeaker, type Speaker } from './texts/speaker.ts';
import { implementation } from './version.ts';

export { checkCertificates } from './house/certificates.ts';
export type { CarriedConnection, House, HouseOptions } from './house/options.ts';

/** Resolves when every listener is up. @throws StartFailure, Fault */
export async function createHouse(options: HouseOptions): Promise<House> {
  const { settings } = options;
  const now = Date.now;
  const log = createLog({ ...settings.log, writer: createLogWriter(settings.log.to), now });
  const certificates = takesLogins(options) ? await certificatesOf(options, log) : undefined;
  // Loaded where they are needed, while we may still read them.
  const mailProtocols = takesMail(options) ? await loadMailProtocols() : undefined;
  const { serveMetrics } = options.metrics === undefined ? {} : await import('./observe/metricsServer.ts');
  if (options.become !== undefined) {
    await loadModules(options.become, { sends: settings.submission.via !== 'sendmail', writes: true });
    // Afterwards the cache, too, may be closed to us.
    flushCompileCache();
    becomeUser(options.become);
  }
  requireWritable('state_dir', settings.stateDir);
  requireWritable('run_dir', settings.runDir);

  const speaker = createSpeaker(options.phrasebook);
  const { directory, store, once, desk, quota, lastLogins } = backendsOf(options, { log, now, speaker });
  const { admission, keeping } = admissionOf(options, log);
  const random = createRandomPool();
  const language = speaker.match(settings.language) ?? 'en';
  const submission = createHostSubmission(settings);
  const receipts = createReceipts({
    ...{ directory, memory: once, desk, submission, speaker, log, now, random, language },
    policy: settings.receipts.policy,
    hostname: settings.hostname,
    hostDomain: settings.directory.defaultDomain ?? settings.hostname,
  });
  const host: Pop3Host = {
    directory,
    gate: admission.gate,
    store,
    speaker,
    log,
    now,
    random,
    hostname: settings.hostname,
    implementation,
    mechanisms: settings.login.mechanisms === 'auto' ? undefined : new Set(settings.login.mechanisms),
    language,
    ...limitsOf(settings),
    lastLogins,
    loginNotes: loginNotesOf(settings, { directory, admission }),
    receipts,
    counts: noSessionCounts(),
  };
  const onward = onwardMail(settings, { directory, submission, once, speaker, language, log, now });
  const trace = createTraceWriter({
    ...settings.trace,
    dayOctets: settings.trace.daySize,
    folder: join(settings.stateDir, 'trace'),
    disk,
    log,
    now,
  });
  const limits = { quota, whenFull: settings.quota.whenFull };
  const spool = { disk, folder: settings.stateDir, name: () => `spool-${randomBytes(12).toString('hex')}` };
  const doors = await openDoors(options, { host, admission, certificates, mailProtocols, spool, onward, limits, trace });

  const lag = startLagMeter(() => performance.now());
  const state = (): FrontReport =>
    frontReport({
      pop3: doors.pop3.counts(),
      sessions: host.counts,
      mail: doors.mail.map((listener) => ({ protocol: listener.protocol, ...listener.counts() })),
      auth: doors.auth.counts(),
      questions: doors.questions.server.counts(),
      lookups: doors.questions.lookups,
      policy: doors.questions.policy,
      throttle: admission.figures(),
      relays: admission.relays(),
      lagMs: lag.longestMs(),
    });

  const metrics =
    options.metrics &&
    (await serveMetrics?.({
      listen: { fd: options.metrics.fd },
      rules: { domains: settings.metrics.domains },
      report: options.metrics.report,
      log,
    }));

  async function accountAt(address: Address): Promise<Account> {
    const account = await directory.account(address);
    if (account === undefined) throw new Fault('not-found', 'no such user here');
    return account;
  }

  function everyDoor() {
    return [doors.pop3, doors.auth, doors.questions.server, ...doors.mail];
  }

  async function stop(graceMs: number): Promise<void> {
    await Promise.all([metrics?.close(), ...everyDoor().map((door) => door.stop(graceMs))]);
    admission.stop();
    await keeping.stop();
    await Promise.race([Promise.all([receipts.settled(), onward.answers.settled()]), pause(graceMs, undefined, { ref: false })]);
    await trace.close();
    await store.close();
  }

  return {
    explainMail: (address) => explainMail(address, doors.resolver, ({ account }) => store.locate(account.mailbox)),
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
      const recipient = {
        address: formatAddress(address),
        original: undefined,
        destinations: [{ kind: 'account', account, keeps: true }] as const,
      };
      const reception = {
        protocol: 'local',
        clientName: settings.hostname,
        clientAddress: undefined,
        hostname: settings.hostname,
        id: 'local',
      };
      try {
        const transaction = { sender: '', recipients: [recipient], reception, receivedAt: new Date(now()) };
        const [outcome] = await deliver(message, transaction, {
          store,
          sendOn: cannotSendOn,
          partial: noPartialDeliveries,
          clock: () => performance.now(),
        });
        if (outcome?.fault) throw outcome.fault;
      } finally {
        message.close();
      }
    },
    state,
    report(fields) {
      log.info('house.state', { ...fields, ...stateFields(state()), store: store.counts() });
    },
    async drain() {
      admission.handOver();
      // From here on the file is the next generation's.
      await Promise.all([metrics?.close(), keeping.stop(), ...everyDoor().map((door) => door.drain())]);
      await Promise.all([receipts.settled(), onward.answers.settled()]);
      await trace.close();
      await store.close();
    },
    async finish() {
      await Promise.all(everyDoor().map((door) => door.drain()));
      await receipts.settled();
      await stop(0);
    },
    stop,
  };
}

/** Before login what no account has less of; after it the account's own. RFC 2449 section 6.7. */
function limitsOf({ pop3 }: HouseOptions['settings']): Pick<Pop3Host, 'limits' | 'limitsOf' | 'differing'> {
  const { loginDelayS } = pop3;
  const limits = { expireDays: strictestExpireDays(pop3), loginDelayS };
  if (!expireDaysDiffer(pop3)) return { limits };
  return { limits, limitsOf: (account) => ({ expireDays: expireDaysOf(account, pop3), loginDelayS }), differing: new Set(['expireDays']) };
}

/** Passwords and mail are here, or with the workers of their owners. */
function backendsOf(
  { settings, whereabouts, directory: given }: HouseOptions,
  { log, now, speaker }: { log: Log; now: () => number; speaker: Speaker },
) {
  if (whereabouts !== undefined) {
    const { directory, login, owners, stateDir } = settings;
    const remote = createRemote({
      whereabouts,
      rules: resolveRules(settings),
      mechanisms: login.mechanisms,
      passwordKind: directory.passwordKind,
      systemUsers: directory.systemUsers !== false,
      secret: sharedSecret(join(stateDir, 'secret')),
      log,
      now,
      timeoutMs: owners.answerS * 1000,
    });
    // A worker looks after LOGIN-DELAY itself.
    const { directory: remoteDirectory, store } = remote;
    const { account: mailboxOctets, domain: domainOctets } = settings.quota;
    const lately = domainsLately(remoteDirectory, () => performance.now());
    const quota = createQuota({ store, directory: lately, domains: store.domains, mailboxOctets, domainOctets });
    // A worker keeps what it delivers within the quota itself.
    const asked: Quota = { ...quota, deliver: ({ mailbox }, message, envelope) => store.deliver(mailbox, message, envelope) };
    return { ...remote, quota: asked, lastLogins: { tooSoon: () => false, note() {} } };
  }
  const lastLogins = createLastLogins({ folder: join(settings.stateDir, 'logins'), now, log });
  const directory = given ?? createDirectory(settings, log);
  const store = createStore(settings, log);
  const once = createOnce(settings);
  return {
    directory,
    store,
    quota: createLocalQuota(settings, directory, store, { once, speaker, log }).quota,
    once,
    desk: createDesk(settings),
    lastLogins,
  };
}
