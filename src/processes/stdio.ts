/**
 * One connection that somebody else has accepted (inetd, xinetd, systemd with Accept=yes): served, and then the process ends. There may be many
 * at once, also beside a server that runs: locks and state are in the same files.
 *
 * Where one user owns all mail this process becomes that user and serves by itself. Where there are many owners it stays root, as supervisor
 * of one front, which inherits the connection, and of the worker that this front asks for.
 */
import { writeSync } from 'node:fs';
import { type ConfigProblem, formatProblem, type Settings } from '../config/index.ts';
import { type CarriedConnection, createHouse } from '../main.ts';
import { createLog, createLogWriter } from '../observe/index.ts';
import { EX_CONFIG, EX_OK, EX_USAGE } from '../os/exitCodes.ts';
import { closeSocket } from '../os/sockets.ts';
import { StartFailure } from '../os/startFailure.ts';
import { type StdioConnection, takeStdioConnection } from '../os/stdioConnection.ts';
import type { Phrasebook } from '../texts/speaker.ts';
import { explained } from './failures.ts';
import { Generation, type Programs } from './generation.ts';
import { identityOf } from './grounds.ts';
import { prepareGrounds } from './ownerGrounds.ts';
import { modeOf } from './ownership.ts';

/** What may be spoken on a connection that somebody else has accepted. */
export type StdioProtocol = CarriedConnection['protocol'];

export interface StdioOptions {
  readonly protocol: StdioProtocol;
  readonly read: () => Configuration | { readonly errors: readonly ConfigProblem[] };
  readonly programs: Programs;
  readonly trace: readonly string[];
  readonly now: () => number;
}

interface Configuration {
  readonly settings: Settings;
  readonly phrasebook: Phrasebook;
}

/** What a client is told whom we can't serve; over TLS there is nobody to tell. */
const excuses: Readonly<Record<StdioProtocol, string>> = {
  pop3: '-ERR [SYS/TEMP] internal error\r\n',
  pop3s: '',
  lmtp: '421 4.3.0 internal error\r\n',
};

/** Resolves with the exit status when the connection is over. @throws StartFailure where there is no connection */
export async function serveStdio(options: StdioOptions): Promise<number> {
  const { protocol, now } = options;
  const connection = takeStdioConnection();
  const to = connection.hasStandardError ? 'stderr' : 'syslog';
  const log = createLog({ level: 'info', format: 'line', writer: createLogWriter(to), now });
  try {
    const read = options.read();
    if ('errors' in read) {
      for (const problem of read.errors) log.error('stdio.bad-settings', { problem: formatProblem(problem) });
      return excuse(connection, protocol, EX_CONFIG);
    }
    const settings = { ...read.settings, log: { ...read.settings.log, to } } as const;
    if (connection.isUnix && protocol !== 'lmtp') throw new StartFailure('{key} is not for Unix sockets', { key: protocol }, EX_USAGE);
    await serve(options, { ...read, settings }, connection.fd);
    return EX_OK;
  } catch (thrown) {
    const failure = explained(thrown);
    log.error('stdio.not-served', { problem: failure.message });
    return excuse(connection, protocol, failure.exitCode);
  }
}

async function serve(options: StdioOptions, { settings, phrasebook }: Configuration, fd: number): Promise<void> {
  const { protocol, programs, trace, now } = options;
  const mailOwner = identityOf(settings);
  const mode = modeOf(settings, mailOwner);
  prepareGrounds(settings, mailOwner, mode);
  const graceMs = settings.stopGraceS * 1000;
  if (mode === 'many') {
    const log = createLog({ ...settings.log, writer: createLogWriter(settings.log.to), now });
    const generation = new Generation({
      settings: { ...settings, fronts: 1 },
      phrasebook,
      bound: [],
      connection: { protocol, fd },
      mailOwner,
      hasManyOwners: true,
      programs,
      trace,
      onShared() {},
      log,
      now,
    });
    await generation.start();
    // The front's alone from here on: the client is to notice when it closes.
    closeSocket(fd);
    process.once('SIGTERM', () => void generation.stop(graceMs));
    await generation.retire();
  } else {
    const house = await createHouse({
      settings,
      phrasebook,
      trace,
      sockets: new Map(),
      connection: { protocol, fd },
      become: mailOwner,
      watchesCertificates: false,
    });
    process.once('SIGTERM', () => void house.stop(graceMs));
    await house.finish();
  }
}

/** Words for the client; the reason is in the log. @returns the status to end with */
function excuse({ fd }: StdioConnection, protocol: StdioProtocol, exitCode: number): number {
  try {
    writeSync(fd, excuses[protocol]);
  } catch {
    // It has gone away, or it was served until something failed.
  }
  return exitCode;
}
