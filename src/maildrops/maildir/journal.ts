/**
 * Removing several files is several steps, and a QUIT is all or nothing: what is to go is written down first. From the moment the
 * journal has its name the removal will happen, if need be at the next open. It rests in cur/, where each process that uses the Maildir
 * is bound to see it: making it changes the folder's time stamps.
 */
import fs from 'node:fs';
import { codeOf, type Disk } from '../../os/disk.ts';
import { makeFolder } from '../folders.ts';
import { JOURNAL } from './folders.ts';

const FIRST_LINE = 'postkasse: messages being removed';
const LAST_LINE = 'end';
const { O_RDONLY, O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = fs.constants;

export function journalPath(maildir: string): string {
  return `${maildir}/cur/${JOURNAL}`;
}

/** Resolves when it would survive a power cut. When it throws there is no journal. @throws Error with `code` */
export async function writeJournal(disk: Disk, maildir: string, uniqueIds: readonly string[]): Promise<void> {
  const path = journalPath(maildir);
  const draft = `${path}.new`;
  let made = draft;
  try {
    if (disk.stat(`${maildir}/cur`) === undefined) makeFolder(disk, `${maildir}/cur`, undefined);
    const fd = disk.open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
    try {
      disk.write(fd, Buffer.from([FIRST_LINE, ...uniqueIds, LAST_LINE, ''].join('\n'), 'latin1'));
      await disk.sync(fd);
    } finally {
      disk.close(fd);
    }
    disk.rename(draft, path);
    made = path;
    await disk.syncDirectory(`${maildir}/cur`);
  } catch (error) {
    removeFile(disk, made);
    throw error;
  }
}

/** Nothing depends on this being durable: the ids in it are never given again. */
export function removeJournal(disk: Disk, maildir: string): void {
  removeFile(disk, journalPath(maildir));
}

/** `undefined`: it is gone, or it isn't whole, and then nothing was removed on its account. @throws Error with `code` */
export function readJournal(disk: Disk, maildir: string): ReadonlySet<string> | undefined {
  let fd: number;
  try {
    fd = disk.open(journalPath(maildir), O_RDONLY | O_NOFOLLOW);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ELOOP') return undefined;
    throw error;
  }
  try {
    const octets = Buffer.allocUnsafe(disk.fstat(fd).size);
    const lines = octets.toString('latin1', 0, disk.read(fd, octets, 0, octets.length, 0)).split('\n');
    if (lines[0] !== FIRST_LINE || lines.at(-2) !== LAST_LINE) return undefined;
    return new Set(lines.slice(1, -2));
  } finally {
    disk.close(fd);
  }
}

function removeFile(disk: Disk, path: string): void {
  try {
    disk.unlink(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
