/**
 * Started by the pipe agent (postfix/pipe/ownServer.ts) where the server isn't where the agent looks first. Its descriptor 3 is the agent's
 * LMTP connection: it is handed on to the server where the settings say that one listens elsewhere; else it is served here, as the user who
 * started it, for domains of that user and nobody else's.
 */
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { createDirectory } from '../backends.ts';
import { formatProblem, type Settings } from '../config/index.ts';
import { ownDomainsOnly } from '../directory/ownDomains.ts';
import { createOwnership } from '../directory/passwd/ownership.ts';
import { createHouse } from '../main.ts';
import type { DomainName } from '../model/address.ts';
import type { Directory } from '../model/directory.ts';
import type { Inhabitants } from '../model/quota.ts';
import { createLog, createLogWriter } from '../observe/index.ts';
import type { Identity } from '../os/becomeUser.ts';
import * as exitCodes from '../os/exitCodes.ts';
import { StartFailure } from '../os/startFailure.ts';
import { findUser } from '../os/users.ts';
import { explained } from '../processes/failures.ts';
import { ownerSettings } from '../processes/ownerGrounds.ts';
import { createSpeaker } from '../texts/speaker.ts';
import { readSettings, settingsFile } from './settings.ts';

const AGENT = 3;

// Nobody reads what this process writes.
const log = createLog({ level: 'warn', format: 'line', writer: createLogWriter('syslog'), now: Date.now });
const [config] = process.argv.slice(2);
process.umask(0o077);
try {
  const read = readSettings(settingsFile(config === undefined ? {} : { config }));
  if ('errors' in read) {
    const { say } = createSpeaker();
    for (const problem of read.errors)
      log.error('deliver.bad-settings', { problem: formatProblem(problem, (text, values = {}) => say(text, values, 'en')) });
    process.exitCode = exitCodes.EX_CONFIG;
  } else if (!(await handedOn(read.settings))) {
    const settings = { ...read.settings, log: { ...read.settings.log, to: 'syslog' } } as const;
    const { house, directory } = asOwner(settings);
    const served = await createHouse({
      settings: house,
      phrasebook: read.phrasebook,
      sockets: new Map(),
      trace: [],
      connection: { protocol: 'lmtp', fd: AGENT },
      become: undefined,
      // What is remembered of who guesses passwords is the server's.
      front: 1,
      watchesCertificates: false,
      directory,
    });
    await served.finish();
  }
} catch (thrown) {
  const { message, exitCode } = explained(thrown);
  log.error('deliver.not-here', { uid: process.getuid?.(), problem: message });
  process.exitCode = exitCode;
}

/** Resolves with true when the server had the connection and it is over; with false where it listens nowhere. */
async function handedOn({ listen }: Settings): Promise<boolean> {
  for (const { protocol, address } of listen) {
    if (protocol !== 'lmtp') continue;
    const server = connect('path' in address ? { path: address.path } : { host: address.host, port: address.port, noDelay: true });
    try {
      await once(server, 'connect');
    } catch {
      continue;
    }
    const agent = new Socket({ fd: AGENT, readable: true, writable: true, allowHalfOpen: true });
    // Half a message is none: whichever end breaks off, the other is to notice.
    agent.on('error', () => server.destroy()).pipe(server);
    server.on('error', () => agent.destroy()).pipe(agent);
    await Promise.all([new Promise((resolve) => server.once('close', resolve)), new Promise((resolve) => agent.once('close', resolve))]);
    return true;
  }
  return false;
}

/** Settings and directory of the user who runs this, as that owner's worker has them, or as a front where that user owns all mail. @throws StartFailure */
function asOwner(settings: Settings): { readonly house: Settings; readonly directory: Directory & Inhabitants } {
  const uid = process.getuid?.() ?? 0;
  if (uid === 0) throw new StartFailure('mail is never handled as root', {}, exitCodes.EX_NOPERM);
  const own = ownerSettings(settings, { uid, gid: process.getgid?.() ?? 0 });
  if (statSync(own.stateDir, { throwIfNoEntry: false })?.uid !== uid)
    return { house: settings, directory: ownDomainsOnly(createDirectory(settings, log), () => true) };
  const { root, passwdFile, minUid } = settings.directory;
  const mailOwner: Identity = findUser(settings.user) ?? { uid: -1, gid: -1 };
  const ownership = createOwnership({ root, passwdFile, mailOwner, minUid });
  const mayAct = (domain: DomainName): boolean => {
    const ruled = ownership.ownerOf(domain);
    return ruled.kind === 'none' || (ruled.kind === 'owner' && ruled.owner.uid === uid);
  };
  const filesOf = uid === mailOwner.uid ? 'mail-owner' : 'owner';
  return { house: own, directory: ownDomainsOnly(createDirectory(own, log, { systemUsers: false, filesOf }), mayAct) };
}
