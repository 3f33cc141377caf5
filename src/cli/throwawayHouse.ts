/** A folder with everything a small house needs: settings, the predecessor's domain with its two users, room for mail. */
import { chownSync, existsSync, lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type Address, formatAddress } from '../model/address.ts';
import type { Identity } from '../os/becomeUser.ts';
import { EX_CANTCREAT } from '../os/exitCodes.ts';
import { mayEnter } from '../os/reach.ts';
import { StartFailure } from '../os/startFailure.ts';
import { findUser } from '../os/users.ts';

/** Where the house is to be, and who lives there. */
export interface Plot {
  /** Absolute. */
  readonly folder: string;
  /** Whom root has to become; `undefined`: whoever started the program. */
  readonly owner: Identity | undefined;
  /** The user to whom the folder that was asked for is closed, so that another one had to be taken. */
  readonly closedTo: string | undefined;
}

/** Mail is never handled as root, so root makes the folder, which stays, and gives it to somebody else. @throws StartFailure */
export function findPlot(wanted: string): Plot {
  const asked = resolve(wanted);
  if (process.geteuid?.() !== 0) {
    makeFolder(asked);
    return { folder: asked, owner: undefined, closedTo: undefined };
  }
  const nobody: Identity = { name: undefined, uid: 65534, gid: 65534 };
  const user = findUser('mail') ?? findUser('nobody') ?? nobody;
  const isClosed = !mayEnter(nearest(dirname(asked)), user);
  const folder = isClosed ? join(tmpdir(), 'postkasse-data') : asked;
  makeFolder(folder);
  const { uid, gid } = lstatSync(folder);
  // Who ran this here before, without being root, keeps the house; but in a folder open to all anybody could have been there first.
  const isOwners = uid !== 0 && (uid === user.uid || !isClosed);
  if (uid === 0) chownSync(folder, user.uid, user.gid);
  else if (!isOwners) throw new StartFailure('{folder} belongs to somebody else; choose another with --data', { folder }, EX_CANTCREAT);
  const owner = uid === 0 || uid === user.uid ? user : { name: undefined, uid, gid };
  return { folder, owner, closedTo: isClosed ? (user.name ?? String(user.uid)) : undefined };
}

export interface ThrowawayHouse {
  readonly settingsFile: string;
  readonly isNew: boolean;
}

/** Called as the owner. Settings are written at each start, as ports belong to it; the rest only once. @throws StartFailure */
export function makeThrowawayHouse(folder: string, { anyPort }: { anyPort: boolean }): ThrowawayHouse {
  const settingsFile = join(folder, 'postkasse.toml');
  try {
    const isNew = !existsSync(settingsFile);
    if (isNew) furnish(folder);
    writeFileSync(settingsFile, settingsText(anyPort));
    return { settingsFile, isNew };
  } catch (thrown) {
    throw cannotMake(folder, thrown);
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    if (!lstatSync(folder).isDirectory()) throw new Error('not a directory');
  } catch (thrown) {
    throw cannotMake(folder, thrown);
  }
}

function cannotMake(folder: string, thrown: unknown): StartFailure {
  const detail = thrown instanceof Error ? ((thrown as NodeJS.ErrnoException).code ?? thrown.message) : String(thrown);
  return new StartFailure('{folder} can not be used ({detail}); choose another with --data', { folder, detail }, EX_CANTCREAT);
}

/** The folder itself or the first above it that is there. */
function nearest(folder: string): string {
  return existsSync(folder) ? folder : nearest(dirname(folder));
}

function furnish(folder: string): void {
  const home = join(folder, 'home', 'kvt_dk');
  for (const path of ['state', 'run', 'virtual/kvt.dk', 'spool/kvt.dk', 'home/kvt_dk/Mail']) {
    mkdirSync(join(folder, path), { recursive: true, mode: 0o700 });
  }
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  const lines = [`abc:abcpasswd:${uid}:${gid}:abcname:.:`, `kvt:kvtpasswd:${uid}:${gid}:kvtname:${home}:`];
  writeFileSync(join(folder, 'virtual', 'kvt.dk', 'passwd'), `${lines.join('\n')}\n`, { mode: 0o600 });
}

function settingsText(anyPort: boolean): string {
  const listeners = [
    ['pop3', 1110],
    ['pop3s', 1995],
    ['lmtp', 1024],
    ['smtp', 1025],
  ] as const;
  return `# A throwaway house; written anew at each start.
state_dir = "state"
run_dir   = "run"
hostname  = "localhost"
stop_grace_s = 2

[directory]
root           = "virtual"
default_domain = "kvt.dk"
password_kind  = "plain"        # so that APOP, CRAM-MD5 and SCRAM can be tried too

[mailboxes]
root = "spool"

${listeners
  .map(
    ([protocol, port]) => `[[listen]]
protocol = "${protocol}"
address  = "127.0.0.1:${anyPort ? 0 : port}"
`,
  )
  .join('\n')}`;
}

export function welcomeMessage(address: Address): Buffer {
  const lines = [
    'From: Postkasse <postmaster@kvt.dk>',
    `To: ${formatAddress(address)}`,
    'Subject: Welcome',
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <welcome.${address.user}@kvt.dk>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    '',
    'This message lies in a plain mbox file on your disc.',
    '',
    `Your login is ${formatAddress(address)}. Any mail program that speaks POP3 can fetch it.`,
    '',
  ];
  return Buffer.from(lines.join('\r\n'));
}
