/** The UPDATE state on a Maildir: marked files go, all or none; read ones get their flag. RFC 1939 section 6. */
import { setImmediate } from 'node:timers/promises';
import type { Log } from '../../model/log.ts';
import { codeOf, type Disk } from '../../os/disk.ts';
import type { Entry } from './entries.ts';
import { readJournal, removeJournal, writeJournal } from './journal.ts';
import type { MaildirMessage } from './message.ts';
import { withSeen } from './names.ts';
import { Whereabouts } from './whereabouts.ts';

export interface UpdateContext {
  readonly disk: Disk;
  readonly log: Log;
  readonly now: () => number;
  readonly path: string;
}

type Folder = 'new' | 'cur';

/** Files removed before others get their turn. */
const BATCH = 128;

/**
 * Removes the files of `marked` and flags those of `seen`, follows what was renamed meanwhile, and syncs the folders.
 * @throws Error with `code`: then nothing was removed, or else the journal is there and the next open finishes the removal
 */
export async function update(context: UpdateContext, marked: readonly MaildirMessage[], seen: readonly MaildirMessage[]): Promise<void> {
  const { disk, path } = context;
  const touched = new Set<Folder>();
  const needsJournal = marked.length > 1;
  if (needsJournal) {
    await writeJournal(
      disk,
      path,
      marked.map((message) => message.uniqueId),
    );
  }
  const left = await removeEach(context, marked, touched);
  if (left !== undefined) {
    if (needsJournal && touched.size === 0) removeJournal(disk, path);
    throw left;
  }
  flagEach(context, seen, touched);
  await syncFolders(disk, path, touched);
  if (needsJournal) removeJournal(disk, path);
}

/** What a process that was stopped began, or one whose disc failed. `entries`: the messages there are. @throws Error with `code` */
export async function finishRemoval({ disk, log, path }: UpdateContext, entries: readonly Entry[]): Promise<void> {
  const ids = readJournal(disk, path);
  if (ids === undefined) log.error('maildir.journal', { path, problem: 'not whole' });
  const touched = new Set<Folder>();
  let removed = 0;
  for (const entry of entries) {
    if (ids?.has(entry.uniqueId) !== true) continue;
    const folder = entry.isNew ? 'new' : 'cur';
    if (unlink(disk, `${path}/${folder}/${entry.name}`)) removed += 1;
    touched.add(folder);
  }
  await syncFolders(disk, path, touched);
  removeJournal(disk, path);
  log.info('maildir.finished', { path, removed });
}

/** Tries each, and those that failed once more. @returns the error that stayed */
async function removeEach(context: UpdateContext, marked: readonly MaildirMessage[], touched: Set<Folder>): Promise<unknown> {
  const { disk, path, now } = context;
  const whereabouts = new Whereabouts(disk, path, now);
  const remove = (message: MaildirMessage): unknown => {
    try {
      const removed = whereabouts.follow(message, (file) => unlink(disk, file) || 'no such file');
      if (removed) touched.add(message.isNew ? 'new' : 'cur');
      return undefined;
    } catch (error) {
      return error;
    }
  };
  const failed: MaildirMessage[] = [];
  let error: unknown;
  for (const [at, message] of marked.entries()) {
    error = remove(message);
    if (error !== undefined) failed.push(message);
    // Where the first one can't be removed nothing can, as a rule, and nothing shall be.
    if (failed.length > 0 && touched.size === 0) return error;
    if (at % BATCH === BATCH - 1) await setImmediate();
  }
  error = undefined;
  for (const message of failed) error = remove(message) ?? error;
  return error;
}

/** S on what was sent whole, which moves it from new/ to cur/. Only a flag: where it can't be set the session is none the worse. */
function flagEach({ disk, log, path, now }: UpdateContext, seen: readonly MaildirMessage[], touched: Set<Folder>): void {
  const whereabouts = new Whereabouts(disk, path, now);
  for (const message of seen) {
    // The name of a twin with other flags may be the other twin's.
    if (message.isTwin) continue;
    try {
      whereabouts.follow(message, (file) => {
        const name = withSeen(message.name);
        if (name === undefined || (name === message.name && !message.isNew)) return true;
        if (!rename(disk, file, `${path}/cur/${name}`)) return 'no such file';
        touched.add('cur').add(message.isNew ? 'new' : 'cur');
        message.name = name;
        message.isNew = false;
        return true;
      });
    } catch (error) {
      log.warn('maildir.flag', { path, file: message.file, code: codeOf(error), error });
      return;
    }
  }
}

async function syncFolders(disk: Disk, path: string, touched: ReadonlySet<Folder>): Promise<void> {
  await Promise.all([...touched].map((folder) => disk.syncDirectory(`${path}/${folder}`)));
}

/** False: there is no such file. */
function unlink(disk: Disk, file: string): boolean {
  return unlessMissing(() => disk.unlink(file));
}

function rename(disk: Disk, from: string, to: string): boolean {
  return unlessMissing(() => disk.rename(from, to));
}

function unlessMissing(call: () => void): boolean {
  try {
    call();
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
