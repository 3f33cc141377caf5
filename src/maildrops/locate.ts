/**
 * Which file or directory a mailbox is: the one rule that open, deliver, `mailbox path` and `explain` follow.
 *
 * The first that exists is it: `home` + `Mail/mailbox` where the account has a home; for a system user `/var/mail/<user>`; for a virtual
 * user `/var/spool/virtual/<domain>/<user>` and never the spool of the system user with that name. A file is an mbox, a directory a Maildir.
 *
 * Where none exists, a delivery makes one: below the home directory where there is one and it is the owner's, else in the spool. Mail that
 * lay in the spool would be out of sight from the day that Postfix, with `home_mailbox` set to the same, made the one below the home;
 * what is made at the first place looked at can never be hidden so.
 */
import { join } from 'node:path';
import type { Mailbox } from '../model/mailbox.ts';
import type { Location } from '../model/maildrop.ts';
import { codeOf, type Disk, type FileStats } from '../os/disk.ts';
import { refusedFile, refusedFolder, refusedPlace } from './trust.ts';

export type Format = 'mbox' | 'maildir';

export interface Places {
  /** Mailboxes of virtual users: `<root>/<domain>/<user>`. Like the others it has no slash at its end. */
  readonly root: string;
  /** Below the home directory; empty: no mailboxes there. */
  readonly home: string;
  /** Mailboxes of system users: `<systemSpool>/<user>`. */
  readonly systemSpool: string;
  /** Of new mailboxes. */
  readonly format: Format;
}

export interface Found {
  readonly path: string;
  readonly format: Format;
  readonly exists: boolean;
  /** Why what is there may not be used, for the host; `undefined`: it may. */
  readonly refused: string | undefined;
}

export interface Locator {
  readonly disk: Disk;
  readonly places: Places;
  /** Whose mailboxes those of accounts without a uid are. */
  readonly processUid: number;
  /** As trust.ts has it, the default, or from memory. */
  readonly refusedPlace?: (path: string) => string | undefined;
}

/** Told of each place looked at and what was there. */
export type Trace = (place: string, found: string) => void;

/** One stat(2) for each place up to the mailbox. */
export function findMailbox(locator: Locator, mailbox: Mailbox, trace?: Trace): Found {
  const { disk, places, processUid } = locator;
  const uid = mailbox.owner?.uid ?? processUid;
  const atHome = mailbox.home === undefined || places.home === '' ? undefined : join(mailbox.home, places.home);
  const inSpool =
    mailbox.domain === undefined ? `${places.systemSpool}/${mailbox.user}` : `${places.root}/${mailbox.domain}/${mailbox.user}`;
  for (const path of atHome === undefined ? [inSpool] : [atHome, inSpool]) {
    const found = judge(locator, path, uid);
    trace?.(path, found === undefined ? 'nothing' : describe(found));
    if (found !== undefined) return found;
  }
  const path = atHome !== undefined && isOwnHome(disk, mailbox.home, uid) ? atHome : inSpool;
  return { path, format: places.format, exists: false, refused: placeOf(locator, path) };
}

/** The same with the places looked at, for people. */
export function locateMailbox(locator: Locator, mailbox: Mailbox): Location {
  const tried: { place: string; found: string }[] = [];
  const { path, format, exists } = findMailbox(locator, mailbox, (place, what) => tried.push({ place, found: what }));
  return { path, format, exists, tried };
}

/** `undefined`: nothing is there. */
function judge(locator: Locator, path: string, uid: number): Found | undefined {
  const { disk, places } = locator;
  let stats: FileStats | undefined;
  try {
    stats = disk.stat(path);
  } catch (error) {
    // Not the same as nothing: to go on would hide the mail that may be there.
    return { path, format: places.format, exists: true, refused: unseen(error) };
  }
  if (stats === undefined) return undefined;
  if (stats.isDirectory()) return { path, format: 'maildir', exists: true, refused: refusedFolder(stats, uid) ?? placeOf(locator, path) };
  if (stats.isFile()) return { path, format: 'mbox', exists: true, refused: refusedFile(stats, uid) ?? placeOf(locator, path) };
  return { path, format: places.format, exists: true, refused: 'neither a file nor a directory' };
}

function placeOf({ disk, refusedPlace: look = (path) => refusedPlace(disk, path) }: Locator, path: string): string | undefined {
  try {
    return look(path);
  } catch (error) {
    return unseen(error);
  }
}

function unseen(error: unknown): string {
  return `can't be looked at: ${codeOf(error)}`;
}

function describe({ format, refused }: Found): string {
  return refused === undefined ? format : `${format}, refused: ${refused}`;
}

function isOwnHome(disk: Disk, home: string | undefined, uid: number): boolean {
  if (home === undefined) return false;
  try {
    const stats = disk.stat(home);
    return stats?.isDirectory() === true && stats.uid === uid;
  } catch {
    return false;
  }
}
