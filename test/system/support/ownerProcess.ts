/**
 * A process that is an owner of mail for good, as an owner's worker is, with the directory and the store that a worker has. Does the acts it
 * is told in its argument, and prints what came of each, and what was logged.
 */
import fs from 'node:fs';
import { createPasswdDirectory } from '../../../src/directory/passwd/index.ts';
import type { FilesOf } from '../../../src/directory/passwd/ownFiles.ts';
import { createFileStore } from '../../../src/maildrops/index.ts';
import { type Address, parseAddress, type UserName } from '../../../src/model/address.ts';
import { Fault } from '../../../src/model/fault.ts';
import type { Log, LogFields } from '../../../src/model/log.ts';
import { becomeUser, type Identity } from '../../../src/os/becomeUser.ts';
import { type Disk, disk as hostDisk } from '../../../src/os/disk.ts';
import { native } from '../../../src/os/native.ts';
import { envelope, text } from '../../support/mail.ts';

export type Act =
  /** Kind of the fault with its cause, or the unique-ids replaced by the text of each message. */
  | { readonly act: 'fetch' | 'login'; readonly login: string; readonly password: string }
  | { readonly act: 'look-up' | 'deliver'; readonly address: string }
  /** A delivery to a user of the host, with the files that were made and removed meanwhile. */
  | { readonly act: 'deliver-system'; readonly user: string };

export interface Job {
  readonly identity: Identity;
  readonly filesOf: FilesOf;
  /** Holds virtual/, spool/, mail/, and state/ of this owner. */
  readonly top: string;
  readonly passwdFile?: string;
  readonly acts: readonly Act[];
  /** Before the file at the first path is first opened, what is at the second takes its place. */
  readonly swap?: readonly [string, string];
}

export interface Told {
  readonly outcomes: readonly string[];
  /** `level event file-or-path: reason`. */
  readonly lines: readonly string[];
}

/** The disc, noting each lock file that is made or removed. */
function noting(disk: Disk, notes: string[]): Disk {
  const noted = <T>(what: string, path: string, act: () => T): T => {
    const result = act();
    if (path.endsWith('.lock')) notes.push(`${what} ${path}`);
    return result;
  };
  return {
    ...disk,
    open: (path, flags, mode) => noted('made', path, () => disk.open(path, flags, mode)),
    unlink: (path) => noted('removed', path, () => disk.unlink(path)),
  };
}

/** The disc, but somebody moves a file between our look and our opening. */
function swapping([at, other]: readonly [string, string]): Disk {
  let done = false;
  return {
    ...hostDisk,
    open(path, flags, mode) {
      if (path === at && !done) {
        done = true;
        fs.renameSync(other, at);
      }
      return hostDisk.open(path, flags, mode);
    },
  };
}

async function play(job: Job): Promise<Told> {
  const { identity, filesOf, top, acts, swap } = job;
  native();
  process.umask(0o077);
  becomeUser(identity);
  const lines: string[] = [];
  const note =
    (level: string) =>
    (event: string, { file, path, reason, account, gid, line }: LogFields = {}): void =>
      void lines.push([level, event, account, file ?? path, line, gid, reason].filter((part) => part !== undefined).join(' '));
  const log: Log = { debug() {}, info: note('info'), warn: note('warn'), error: note('error') };
  const notes: string[] = [];
  const disk = noting(swap === undefined ? hostDisk : swapping(swap), notes);
  const directory = createPasswdDirectory({
    root: `${top}/virtual`,
    passwdFile: job.passwdFile ?? 'passwd',
    defaultDomain: undefined,
    loginDelimiters: '@',
    passwordKind: 'plain',
    systemUsers: false,
    addresses: new Map(),
    secret: Buffer.alloc(32, 7),
    processUid: identity.uid,
    groups: { own: identity.gid, all: new Set(process.getgroups?.()) },
    filesOf,
    log,
    now: Date.now,
    disk,
  });
  const store = createFileStore({
    root: `${top}/spool`,
    home: 'Mail/mailbox',
    systemSpool: `${top}/mail`,
    format: 'mbox',
    statusHeader: 'rewrite',
    stateDir: `${top}/state/${identity.uid}`,
    runDir: `${top}/state/${identity.uid}`,
    lockGid: identity.lockGid,
    disk,
    log,
    now: Date.now,
  });

  async function outcomeOf(one: Act): Promise<string> {
    if ('user' in one) {
      const user = one.user as UserName;
      await store.deliver({ name: user, user, domain: undefined, home: undefined, owner: identity }, [text('delivered')], envelope);
      return notes.splice(0).join(', ');
    }
    if ('address' in one) {
      const account = await directory.account(parseAddress(one.address) as Address);
      if (account === undefined) return 'no such account';
      const { name, owner } = account.mailbox;
      if (one.act === 'look-up') return `${name} ${owner?.uid}:${owner?.gid}`;
      await store.deliver(account.mailbox, [text('delivered')], envelope);
      return 'delivered';
    }
    const claim = { login: one.login, arrival: { localAddress: undefined, serverName: undefined } };
    const { account } = await directory.authenticate(claim, { kind: 'password', password: Buffer.from(one.password) }, 'pop3');
    if (one.act === 'login') return account.mailbox.name;
    await using maildrop = await store.open(account.mailbox);
    const texts: string[] = [];
    for (const message of maildrop.messages) {
      const pieces: Buffer[] = [];
      for await (const piece of maildrop.retrieve(message)) pieces.push(Buffer.from(piece));
      texts.push(Buffer.concat(pieces).toString());
    }
    return texts.join('|');
  }

  const outcomes: string[] = [];
  for (const one of acts) {
    try {
      outcomes.push(await outcomeOf(one));
    } catch (thrown) {
      const { kind, cause } = Fault.from(thrown);
      outcomes.push(cause === undefined ? kind : `${kind}: ${cause instanceof Error ? cause.message : cause}`);
    }
  }
  await store.close();
  return { outcomes, lines };
}

process.stdout.write(JSON.stringify(await play(JSON.parse(process.argv[2] ?? '') as Job)));
