/** A whole Maildir at once, for a mailbox that changes its format: its messages as they leave, and a new one made of those that come. */
import fs from 'node:fs';
import { hostname } from 'node:os';
import type { Maildrop } from '../../model/maildrop.ts';
import { codeOf, type Disk } from '../../os/disk.ts';
import { type Carried, type Flags, Press, type Print } from '../carried.ts';
import { makeFolder, type Owner } from '../folders.ts';
import { MaildirMessage } from './message.ts';
import { newName, readName } from './names.ts';
import { RestForm } from './restForm.ts';

const CREATE = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL;
/** Files that are synced side by side. */
const BATCH = 16;

export function carriedFromMaildir(maildrop: Maildrop): Carried[] {
  return maildrop.messages.map((message) => ({
    uniqueId: message.uniqueId,
    receivedAtMs: message.receivedAtMs,
    flags: async () => (message instanceof MaildirMessage ? flagsOf(message) : noFlags),
    content: () => maildrop.retrieve(message),
  }));
}

const noFlags: Flags = { isNew: true, seen: false, answered: false, flagged: false, draft: false, deleted: false };

function flagsOf({ name, isNew }: MaildirMessage): Flags {
  const [, letters = ''] = /:2,([^:]*)$/.exec(name) ?? [];
  const has = (letter: string) => letters.includes(letter);
  return { isNew, seen: has('S'), answered: has('R'), flagged: has('F'), draft: has('D'), deleted: has('T') };
}

export interface Arrived {
  readonly uniqueId: string;
  readonly print: Print;
}

export interface WriteOptions {
  readonly disk: Disk;
  readonly owner: Owner | undefined;
  readonly now: () => number;
}

/**
 * Makes a Maildir of these messages at `path`, where nothing is; it would survive a power cut when this resolves, its own name excepted.
 * @returns for each message its unique-id there. @throws Error with `code`, and what reading them throws
 */
export async function writeMaildir({ disk, owner, now }: WriteOptions, path: string, messages: Iterable<Carried>): Promise<Arrived[]> {
  for (const folder of ['', '/tmp', '/new', '/cur']) makeFolder(disk, path + folder, owner);
  const arrived: Arrived[] = [];
  const open: number[] = [];
  const settle = async (): Promise<void> => {
    const fds = open.splice(0);
    try {
      await Promise.all(fds.map((fd) => disk.sync(fd)));
    } finally {
      for (const fd of fds) disk.close(fd);
    }
  };
  try {
    for (const message of messages) {
      const base = newName(message.receivedAtMs, hostname(), now);
      const draft = `${path}/tmp/${base}`;
      const fd = disk.open(draft, CREATE, 0o600);
      open.push(fd);
      if (owner !== undefined) disk.fchown(fd, owner.uid, owner.gid);
      const form = new RestForm();
      const press = new Press();
      for await (const piece of message.content()) {
        press.take(piece);
        await disk.writeLater(fd, form.take(piece));
      }
      await disk.writeLater(fd, form.end());
      // Other programs take the time of the file for when the message came.
      disk.futimes(fd, message.receivedAtMs / 1000, message.receivedAtMs / 1000);
      const name = `${base},S=${form.size},W=${form.octets}`;
      disk.rename(draft, `${path}/${fileOf(name, await message.flags())}`);
      arrived.push({ uniqueId: readName(name).uniqueId, print: press.end() });
      if (open.length === BATCH) await settle();
    }
  } finally {
    await settle();
  }
  for (const folder of ['/new', '/cur', '']) await disk.syncDirectory(path + folder);
  return arrived;
}

function fileOf(name: string, { isNew, seen, answered, flagged, draft, deleted }: Flags): string {
  const letters = [draft && 'D', flagged && 'F', answered && 'R', seen && 'S', deleted && 'T'].filter(Boolean).join('');
  return isNew && letters === '' ? `new/${name}` : `cur/${name}:2,${letters}`;
}

/** Removes a Maildir that nobody has used. @throws Error with `code` */
export function removeMaildir(disk: Disk, path: string): void {
  for (const folder of ['new', 'cur', 'tmp']) {
    if (disk.lstat(`${path}/${folder}`) === undefined) continue;
    for (const name of disk.readdir(`${path}/${folder}`)) disk.unlink(`${path}/${folder}/${name}`);
    disk.rmdir(`${path}/${folder}`);
  }
  disk.rmdir(path);
}

/** Somebody may still be writing: a file in tmp/ that was touched after `sinceMs`. */
export function isBeingDelivered(disk: Disk, path: string, sinceMs: number): boolean {
  try {
    return disk.readdir(`${path}/tmp`).some((name) => {
      const stats = disk.lstat(`${path}/tmp/${name}`);
      return stats !== undefined && Number(stats.mtimeNs / 1_000_000n) >= sinceMs;
    });
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
