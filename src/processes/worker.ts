/** An owner's worker: becomes the owner of mail for good, and then checks passwords and opens maildrops for the fronts. */
import { flushCompileCache } from 'node:module';
import { createDesk, createDirectory, createLocalQuota, createOnce, createStore, loadModules } from '../backends.ts';
import type { Settings } from '../config/index.ts';
import { type HostUsers, ownUser } from '../directory/passwd/hostUsers.ts';
import { createLastLogins } from '../maildrops/lastLogins.ts';
import type { WorkerReport } from '../model/report.ts';
import { connectionLimits } from '../net/connectionLimit.ts';
import { createLog, createLogWriter } from '../observe/index.ts';
import { workerFields, workerReport } from '../observe/workerReport.ts';
import { becomeUser } from '../os/becomeUser.ts';
import { descriptorLimit, harden } from '../os/hardening.ts';
import type { ShadowEntry } from '../os/users.ts';
import { createWorkerServer, type WorkerServer } from '../owners/worker.ts';
import { createSpeaker } from '../texts/speaker.ts';
import { explained } from './failures.ts';
import type { FromWorker, ToWorker, WorkerStart } from './protocol.ts';
import { toSupervisor } from './toSupervisor.ts';

/** Sessions get so long when the supervisor is gone. */
const ORPHAN_GRACE_MS = 10_000;

/** Serves until nobody has needed it for a while, the supervisor says stop, or is gone. */
export function runWorker(): void {
  harden();
  let worker: Promise<Running> | undefined;
  const entries: ((entry: ShadowEntry | undefined) => void)[] = [];

  const { tell, lastWords } = toSupervisor<ToWorker, FromWorker>({
    onMessage: hear,
    // Nobody would start us again or tell us to stop: an orphan ends.
    onClosed: () => void stop(ORPHAN_GRACE_MS),
  });

  function hear(message: ToWorker): void {
    switch (message.kind) {
      case 'start':
        worker = start(message);
        worker.then(() => tell({ kind: 'ready' }), failed);
        break;
      case 'shadow':
        for (const resolve of entries.splice(0)) resolve(message.entry);
        break;
      case 'yield':
        void worker?.then(({ server }) => server.endIfIdle());
        break;
      case 'tell':
        void worker?.then(({ state }) => tell({ kind: 'told', id: message.id, report: state() }));
        break;
      case 'report':
        void worker?.then(({ report }) => report());
        break;
      case 'are-you-there':
        tell({ kind: 'here' });
        break;
      case 'retire':
        break;
      case 'stop':
        void stop(message.graceMs);
        break;
    }
  }
  // A terminal sends these to every process of the group; the supervisor says what to do about them.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});

  async function start({ settings, become, frontUid, systemUser, isMailOwner, fd }: WorkerStart): Promise<Running> {
    process.title = `postkasse owner ${become.name ?? become.uid}`;
    const now = Date.now;
    const log = createLog({ ...settings.log, writer: createLogWriter(settings.log.to), now });
    await loadModules(become);
    // Afterwards the cache, too, may be closed to us.
    flushCompileCache();
    becomeUser(become);
    const systemUsers = systemUser === undefined ? false : hostUserOf(systemUser, settings.directory.systemUsers);
    const store = createStore(settings, log, become.lockGid);
    const directory = createDirectory(settings, log, { systemUsers, filesOf: isMailOwner ? 'mail-owner' : 'owner' });
    const once = createOnce(settings);
    const server = createWorkerServer({
      directory,
      store,
      once,
      desk: createDesk(settings),
      ...createLocalQuota(settings, directory, store, { once, speaker: createSpeaker(), log }),
      lastLogins: createLastLogins({ folder: `${settings.stateDir}/logins`, now, log }),
      loginDelayS: settings.pop3.loginDelayS,
      log,
      now,
      frontUid,
      maxSessions: affordableSessions(settings),
      idleMs: settings.owners.idleS * 1000,
      onIdle: () => void store.close().finally(() => leave(state())),
    });
    const state = () => workerReport(server.counts());
    await server.listen({ fd });
    return {
      server,
      state,
      report() {
        log.info('worker.state', { pid: process.pid, uid: become.uid, gid: become.gid, ...workerFields(state()) });
      },
      async stop(graceMs) {
        await server.stop(graceMs);
        await store.close();
      },
    };
  }

  function hostUserOf(name: string, kind: false | 'pam' | 'shadow'): HostUsers | false {
    if (kind === false) return false;
    return ownUser(name, kind === 'pam' ? undefined : askForEntry);
  }

  /** The user's own line of the shadow file, which only root may read. */
  function askForEntry(): Promise<ShadowEntry | undefined> {
    return new Promise((resolve) => {
      entries.push(resolve);
      tell({ kind: 'shadow' });
    });
  }

  async function stop(graceMs: number): Promise<void> {
    try {
      const running = await worker;
      if (running === undefined) return;
      await running.stop(graceMs);
      await lastWords({ kind: 'told', id: 0, report: running.state() });
    } catch {
      // That it could not start has been said.
    } finally {
      process.exit();
    }
  }

  /** The socket is closed: whoever asks for us from now on is to get another. */
  async function leave(report: WorkerReport): Promise<void> {
    tell({ kind: 'told', id: 0, report });
    await lastWords({ kind: 'leaving' });
    process.exit();
  }

  function failed(thrown: unknown): void {
    const { text, values, exitCode } = explained(thrown);
    void lastWords({ kind: 'failed', text, values, exitCode }).then(() => process.exit(exitCode));
  }
}

/** A session is a connection and the file of its mailbox; a delivery has the message in a file as well. Beside them there are those who are told that there is no room. */
const DESCRIPTORS_EACH = 3;
const OTHER_DESCRIPTORS = 704;

function affordableSessions({ limits: { connections: wanted } }: Settings): number {
  const there = { descriptors: descriptorLimit(), reserve: OTHER_DESCRIPTORS };
  return connectionLimits({ wanted, ...there, fetching: DESCRIPTORS_EACH, bringing: [] }).fetching;
}

interface Running {
  readonly server: WorkerServer;
  state(): WorkerReport;
  report(): void;
  stop(graceMs: number): Promise<void>;
}
