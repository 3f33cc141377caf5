/** What `findings` goes by, looked up: sockets tried as Postfix' user, files of owners and of mailboxes, tables and what was made of them. */
import { constants } from 'node:fs';
import { connect, type NetConnectOpts } from 'node:net';
import { dirname } from 'node:path';
import { codeOf, type Disk } from '../../os/disk.ts';
import { writableByMore } from '../../os/openToOthers.ts';
import { getpwnam } from '../../os/users.ts';
import type { Endpoint } from './domains.ts';
import { asOwner } from './files.ts';
import { compiledTables, type FileFact, type SocketFact, type TableFact } from './findings.ts';
import { type Installation, settingOf } from './installation.ts';
import { ofStyle, type Question } from './question.ts';

const LIMIT_MS = 5000;

/** As root: tried with the rights of Postfix' own user. */
export async function socketFacts({ installation, listeners, domains }: Question): Promise<SocketFact[]> {
  const user = getpwnam(settingOf(installation, 'mail_owner'));
  const needed = domains.some(({ style }) => style === 'lmtp' || style === 'jth-lmtp') ? [listeners.lmtp] : [];
  const { socketmap, policy, sasl } = listeners;
  const facts: SocketFact[] = [];
  for (const endpoint of [...needed, socketmap, policy, sasl]) {
    if (endpoint === undefined) continue;
    const error = await asOwner(user, () => tried(endpoint));
    const denied = error === 'EACCES' || error === 'EPERM';
    facts.push({ socket: said(endpoint), problem: error === undefined ? undefined : denied ? 'denied' : 'nobody', detail: error ?? '' });
  }
  return facts;
}

/** The code of the error; `undefined`: it connected. */
function tried(endpoint: Endpoint): Promise<string | undefined> {
  const to: NetConnectOpts = endpoint.kind === 'unix' ? { path: endpoint.path } : { host: endpoint.host, port: endpoint.port };
  return new Promise((resolve) => {
    const socket = connect(to);
    const end = (outcome: string | undefined) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.setTimeout(LIMIT_MS, () => end('ETIMEDOUT'));
    socket.on('connect', () => end(undefined));
    socket.on('error', (error) => end(codeOf(error) ?? error.message));
  });
}

function said(endpoint: Endpoint): string {
  return endpoint.kind === 'unix' ? endpoint.path : `${endpoint.host}:${endpoint.port}`;
}

export function tableFacts(disk: Disk, installation: Installation): TableFact[] {
  return compiledTables(installation).flatMap(({ setting, table, path, endings }): TableFact[] => {
    const source = disk.stat(path);
    if (source === undefined) return [];
    const made = endings.map((ending) => disk.stat(`${path}${ending}`));
    if (made.includes(undefined)) return [{ setting, table, problem: 'missing' }];
    return made.some((one) => one !== undefined && one.mtimeNs < source.mtimeNs) ? [{ setting, table, problem: 'older' }] : [];
  });
}

/** `.forward` files that local(8) would not follow, and mailboxes that virtual(8) could not write. */
export async function fileFacts(disk: Disk, question: Question, forwards: readonly string[]): Promise<FileFact[]> {
  const facts: FileFact[] = [];
  for (const { owner } of uniqueOwners(question)) {
    await asOwner(owner, () => {
      const [program = ''] = question.deliverCommand.split(' ');
      if (!isOpen(disk, program)) facts.push({ path: program, problem: 'closed', uid: 0, wanted: owner.uid });
      for (const path of forwards) {
        if (dirname(path) !== owner.home) continue;
        const stats = disk.stat(path);
        if (stats === undefined) continue;
        const fact = { path, uid: stats.uid, wanted: owner.uid };
        if (writableByMore(stats) !== undefined) facts.push({ ...fact, problem: 'writable' });
        else if (stats.uid !== owner.uid && stats.uid !== 0) facts.push({ ...fact, problem: 'owner' });
        else if (!isReadable(stats.mode, stats.uid === owner.uid)) facts.push({ ...fact, problem: 'closed' });
      }
    });
  }
  const folders = new Set<string>();
  for (const { accounts, owner } of ofStyle(question, 'virtual')) {
    await asOwner(owner, () => {
      for (const { path, uid, format } of accounts) {
        const stats = look(disk, path);
        if (stats !== undefined && stats.uid !== uid) facts.push({ path, problem: 'owner', uid: stats.uid, wanted: uid });
        const folder = dirname(path);
        // virtual(8) makes the folders of a Maildir, and none above an mbox.
        if (format === 'maildir' || folders.has(folder)) continue;
        folders.add(folder);
        const above = look(disk, folder);
        if (above === undefined) facts.push({ path: folder, problem: 'missing', uid, wanted: uid });
        else if (above.uid !== uid) facts.push({ path: folder, problem: 'owner', uid: above.uid, wanted: uid });
      }
    });
  }
  return facts;
}

function uniqueOwners(question: Question) {
  return new Map(ofStyle(question, 'jth', 'jth-lmtp').map((domain) => [domain.owner.uid, domain])).values();
}

function isReadable(mode: number, isOwn: boolean): boolean {
  return (mode & (isOwn ? 0o400 : 0o004)) !== 0;
}

/** access(2) would say what root may. */
function isOpen(disk: Disk, path: string): boolean {
  try {
    disk.close(disk.open(path, constants.O_RDONLY));
    return true;
  } catch {
    return false;
  }
}

/** What can't be looked at isn't there for this user. */
function look(disk: Disk, path: string) {
  try {
    return disk.stat(path);
  } catch {
    return undefined;
  }
}
