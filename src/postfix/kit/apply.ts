/** Does what a plan says, and undoes it. Each file is replaced as a whole; what was there is kept before the first of them is. */
import { dirname } from 'node:path';
import { replaceFile } from '../../os/atomicFile.ts';
import { codeOf, type Disk } from '../../os/disk.ts';
import type { FileChange, WantedFile } from './fileChanges.ts';
import { asOwner, digest, type FileState, makeFolder } from './files.ts';
import type { Keeping, KeptFile } from './keeping.ts';
import { compiledEndings } from './mapTypes.ts';
import { ownPath } from './needs.ts';
import { type Plan, stateOf } from './plan.ts';
import { output, run } from './programs.ts';

/** Told of each thing done, as a line for a person: a path, or a command. */
export type Told = (what: string) => void;

/** Has a Postfix that runs read its settings anew. */
export type Reload = (configDir: string, told: Told) => Promise<void>;

/** A file was changed by somebody else between the look and the writing. */
export class ChangedMeanwhile extends Error {
  readonly path: string;
  constructor(path: string) {
    super(path);
    this.path = path;
  }
}

/** @throws ChangedMeanwhile, Fault; what was done until then is known to `keeping`, and doing it again goes on from there */
export async function applyPlan(
  disk: Disk,
  plan: Plan,
  keeping: Keeping,
  now: Date,
  told: Told,
  reload: Reload = reloadPostfix,
): Promise<void> {
  const { files, tables, installation } = plan;
  if (files.length > 0) await keeping.keep(files, now);
  for (const change of files.filter(({ kind }) => kind !== 'settings').filter(({ text }) => text !== undefined))
    await write(disk, change, told);
  for (const table of tables) {
    await output('postmap', ['-c', installation.configDir, table]);
    told(`postmap ${table}`);
  }
  for (const change of files.filter(({ kind }) => kind === 'settings')) await write(disk, change, told);
  for (const change of files.filter(({ text }) => text === undefined)) await write(disk, change, told);
  if (files.length > 0) await keeping.complete();
  await reload(installation.configDir, told);
}

/** What of the last generation somebody has changed since, by path. The file of styles may be edited. */
export async function changedSince(disk: Disk, files: readonly KeptFile[]): Promise<string[]> {
  const found: string[] = [];
  for (const file of files.filter(({ kind }) => kind !== 'styles')) {
    const state = await stateOf(disk, ofOwner(file));
    const now = state === undefined ? null : digest(state.octets);
    if (now !== file.after && now !== (file.before?.digest ?? null)) found.push(file.path);
  }
  return found;
}

/** The last generation's files as they were. False: there is none. @throws Fault; doing it again goes on from there */
export async function rollBack(
  disk: Disk,
  configDir: string,
  keeping: Keeping,
  told: Told,
  reload: Reload = reloadPostfix,
): Promise<boolean> {
  const { latest } = keeping;
  const folder = ownPath(configDir, '').slice(0, -1);
  if (latest === undefined) {
    keeping.clear();
    removeIfEmpty(disk, folder);
    return false;
  }
  // All copies are looked at before anything is put back.
  const kept = latest.files.map((file) => ({ file, octets: file.before === null ? undefined : keeping.copyOf(file) }));
  const isSettings = ({ file }: (typeof kept)[number]) => file.kind === 'settings';
  for (const { file, octets } of [...kept.filter(isSettings).reverse(), ...kept.filter((one) => !isSettings(one))])
    await restore(disk, file, octets, configDir, told);
  await keeping.forget(latest);
  if (keeping.latest === undefined) removeIfEmpty(disk, folder);
  await reload(configDir, told);
  return true;
}

async function restore(disk: Disk, file: KeptFile, octets: Buffer | undefined, configDir: string, told: Told): Promise<void> {
  const wanted = ofOwner(file);
  const state = await stateOf(disk, wanted);
  const { before, table, path } = file;
  if (before === null || octets === undefined) {
    if (state !== undefined) await asOwner(wanted.owner, () => disk.unlink(path));
    if (table !== undefined) removeCompiled(disk, table, path);
    if (state !== undefined) told(path);
    return;
  }
  if (state === undefined || !isAs(state, before)) {
    await asOwner(wanted.owner, () => replaceFile(disk, path, octets, before.mode, ownerOf(before)));
    told(path);
  }
  if (table !== undefined) await output('postmap', ['-c', configDir, table]);
}

function isAs(state: FileState, before: NonNullable<KeptFile['before']>): boolean {
  return digest(state.octets) === before.digest && state.mode === before.mode && state.uid === before.uid && state.gid === before.gid;
}

async function write(disk: Disk, change: FileChange, told: Told): Promise<void> {
  const { path, text, before, owner, kind } = change;
  const state = await stateOf(disk, change);
  if (
    (state === undefined) !== (before === undefined) ||
    (state !== undefined && before !== undefined && !state.octets.equals(before.octets))
  )
    throw new ChangedMeanwhile(path);
  if (kind === 'map' || kind === 'styles') makeFolder(disk, dirname(path), 0o755);
  await asOwner(owner, async () => {
    if (text === undefined) disk.unlink(path);
    // New files are for everybody to read: Postfix's processes are several users.
    else await replaceFile(disk, path, text, before?.mode ?? 0o644, before === undefined ? owner : ownerOf(before));
  });
  if (text === undefined && change.table !== undefined) removeCompiled(disk, change.table, path);
  told(path);
}

/** Whom a new file is given to, as far as who we are just now can: an owner has files of the own, in groups of the own. */
function ownerOf({ uid, gid }: Pick<FileState, 'uid' | 'gid'>): { uid: number; gid: number } | undefined {
  if (process.geteuid?.() === 0) return { uid, gid };
  const isMember = process.getegid?.() === gid || process.getgroups?.().includes(gid) === true;
  return process.geteuid?.() === uid && isMember ? { uid, gid } : undefined;
}

function removeCompiled(disk: Disk, table: string, path: string): void {
  for (const ending of compiledEndings(table.slice(0, table.indexOf(':')))) {
    if (disk.lstat(`${path}${ending}`) !== undefined) disk.unlink(`${path}${ending}`);
  }
}

function removeIfEmpty(disk: Disk, folder: string): void {
  try {
    disk.rmdir(folder);
  } catch (error) {
    if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'ENOENT') throw error;
  }
}

/** Only a Postfix that runs has anything to read anew. */
async function reloadPostfix(configDir: string, told: Told): Promise<void> {
  const { status } = await run('postfix', ['-c', configDir, 'status']);
  if (status !== 0) return;
  await output('postfix', ['-c', configDir, 'reload']);
  told('postfix reload');
}

function ofOwner({ path, owner }: KeptFile): Pick<WantedFile, 'path' | 'owner'> {
  return { path, owner: owner && { ...owner, name: owner.name } };
}
