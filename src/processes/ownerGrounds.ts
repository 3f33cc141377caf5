/**
 * Folders where there are many owners. `state_dir` and `run_dir` are root's; below them each owner has folders of their own, and so have the
 * fronts: nobody can write what somebody else reads.
 *
 * ```text
 * state_dir/fronts         the fronts'        run_dir/owners/*.sock   only the fronts may enter this folder
 * state_dir/owners/<uid>   the owner's        run_dir/locks/<uid>     the owner's
 * ```
 *
 * Where one owner has all mail, `state_dir` itself is that owner's. Going from one to the other moves what is there, for unique-ids taken over
 * from another server and the counters of equal messages must not be forgotten.
 */
import { chmodSync, chownSync, lchownSync, lstatSync, mkdirSync, readdirSync, renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../config/index.ts';
import type { Identity } from '../os/becomeUser.ts';
import { codeOf } from '../os/disk.ts';
import { EX_CANTCREAT, EX_CONFIG } from '../os/exitCodes.ts';
import { StartFailure } from '../os/startFailure.ts';
import { findUser } from '../os/users.ts';
import { makeFolders, makeWithParents } from './grounds.ts';

const USUAL_FRONT_USERS = ['postkasse', 'nobody'];
/** What fronts keep in their folder; everything else in a state folder is of the mailboxes. */
const ofFronts = /^(?:self-signed\.pem|throttle.*|spool-.*|trace)$/;
/** Of these, what a front reads and writes when it is no longer root: a file, and a folder of files. */
const throttle = 'throttle';
const trace = 'trace';

/** Whom the fronts become: somebody who owns no mail. @throws StartFailure */
export function frontIdentityOf({ owners }: Settings, mailOwner: Identity): Identity {
  const names = owners.frontUser === undefined ? USUAL_FRONT_USERS : [owners.frontUser];
  const user = names.map(findUser).find((found) => found !== undefined);
  if (user === undefined) throw new StartFailure('the host has no user {name}', { name: names.join(', ') }, EX_CONFIG);
  if (user.uid === 0 || user.gid === 0) throw new StartFailure('mail is never handled as root', {}, EX_CONFIG);
  if (user.uid === mailOwner.uid)
    throw new StartFailure('owners.front_user must not be {name}, who owns mail', { name: user.name ?? String(user.uid) }, EX_CONFIG);
  return { name: user.name, uid: user.uid, gid: user.gid };
}

/** Where the sockets of the workers are. */
export function socketFolder({ runDir }: Settings): string {
  return join(runDir, 'owners');
}

/** Removes sockets that a killed supervisor left; its workers end by themselves. */
export function clearSockets(settings: Settings): void {
  for (const name of readdirSync(socketFolder(settings))) unlinkSync(join(socketFolder(settings), name));
}

/** The settings as a front works with them. */
export function frontSettings(settings: Settings): Settings {
  const folder = join(settings.stateDir, 'fronts');
  return { ...settings, stateDir: folder, runDir: folder };
}

/** The settings as the worker of this owner works with them. */
export function ownerSettings(settings: Settings, { uid }: Identity): Settings {
  return { ...settings, stateDir: join(settings.stateDir, 'owners', String(uid)), runDir: join(settings.runDir, 'locks', String(uid)) };
}

/** The folders, as many owners or one need them. @throws StartFailure */
export function prepareGrounds(settings: Settings, mailOwner: Identity | undefined, mode: 'one' | 'many'): void {
  if (mailOwner === undefined) makeFolders(settings, undefined);
  else if (mode === 'many') makeManyOwnersFolders(settings, frontIdentityOf(settings, mailOwner));
  else {
    takeBack(settings, mailOwner);
    makeFolders(settings, mailOwner);
  }
}

/** The folders of one owner; nothing is done where they are there. @throws Error */
export function makeOwnerFolders(settings: Settings, owner: Identity): void {
  const { stateDir, runDir } = ownerSettings(settings, owner);
  for (const folder of [stateDir, runDir]) makeFolder(folder, owner.uid, owner.gid, 0o700);
}

/** The folders for many owners. @throws StartFailure */
export function makeManyOwnersFolders(settings: Settings, front: Identity): void {
  const { stateDir, runDir } = settings;
  explaining('state_dir', stateDir, () => {
    makeWithParents(stateDir);
    const before = lstatSync(stateDir);
    // First of all ours: whose it was can't interfere from here on.
    chownSync(stateDir, 0, 0);
    chmodSync(stateDir, 0o711);
    makeFolder(join(stateDir, 'owners'), 0, 0, 0o711);
    makeFolder(join(stateDir, 'fronts'), front.uid, front.gid, 0o700);
    if (before.uid !== 0) handOver(stateDir, before, front);
  });
  explaining('run_dir', runDir, () => {
    makeWithParents(runDir);
    chownSync(runDir, 0, 0);
    chmodSync(runDir, 0o755);
    makeFolder(join(runDir, 'locks'), 0, 0, 0o711);
    makeFolder(socketFolder(settings), 0, front.gid, 0o750);
  });
}

/** The folders of somebody who has all mail again, after there were many owners. @throws StartFailure */
export function takeBack({ stateDir, runDir }: Settings, owner: Identity): void {
  const own = join(stateDir, 'owners', String(owner.uid));
  explaining('state_dir', stateDir, () => {
    const there = lstatSync(stateDir, { throwIfNoEntry: false });
    if (there?.uid !== 0 || lstatSync(join(stateDir, 'owners'), { throwIfNoEntry: false })?.uid !== 0) return;
    if (lstatSync(own, { throwIfNoEntry: false })?.isDirectory() === true) moveEntries(own, stateDir, () => true);
    const moved = moveEntries(join(stateDir, 'fronts'), stateDir, (name) => ['self-signed.pem', throttle, trace].includes(name));
    if (moved.includes(throttle)) giveFile(join(stateDir, throttle), owner);
    // Also one that stayed here because the fronts had another by then.
    giveFolder(join(stateDir, trace), owner);
    chownSync(stateDir, owner.uid, owner.gid);
    chmodSync(stateDir, 0o700);
    chownSync(runDir, owner.uid, owner.gid);
  });
}

/** What one owner of all mail has left in `state_dir` goes where it belongs now. */
function handOver(stateDir: string, before: { readonly uid: number; readonly gid: number }, front: Identity): void {
  giveFile(join(stateDir, throttle), front);
  giveFolder(join(stateDir, trace), front);
  const own = join(stateDir, 'owners', String(before.uid));
  makeFolder(own, before.uid, before.gid, 0o700);
  moveEntries(stateDir, join(stateDir, 'fronts'), (name) => ofFronts.test(name));
  moveEntries(stateDir, own, (name) => name !== 'owners' && name !== 'fronts');
}

/** @returns names of those that were moved; one whose name is taken stays where it is */
function moveEntries(from: string, to: string, isMeant: (name: string) => boolean): readonly string[] {
  const names = readdirSync(from).filter(isMeant);
  const free = names.filter((name) => lstatSync(join(to, name), { throwIfNoEntry: false }) === undefined);
  for (const name of free) renameSync(join(from, name), join(to, name));
  return free;
}

/** A file in a folder that nobody but root can change. Not one that has a second name, and by that name may be anybody's. */
function giveFile(path: string, { uid, gid }: Identity): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there?.isFile() === true && there.nlink === 1) chownSync(path, uid, gid);
}

/** A folder of plain files, and those in it; whoever had it can't interfere while it is root's. */
function giveFolder(path: string, to: { readonly uid: number; readonly gid: number }): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  lchownSync(path, 0, 0);
  chmodSync(path, 0o700);
  for (const name of readdirSync(path)) giveFile(join(path, name), to);
  lchownSync(path, to.uid, to.gid);
}

/** One that is there must be a folder and of this owner. Its group is put right: the host may have given the user another. */
function makeFolder(path: string, uid: number, gid: number, mode: number): void {
  try {
    mkdirSync(path, { mode: 0o700 });
    chownSync(path, uid, gid);
    chmodSync(path, mode);
    return;
  } catch (thrown) {
    if (codeOf(thrown) !== 'EEXIST') throw thrown;
  }
  const there = lstatSync(path);
  if (!there.isDirectory()) throw new Error(`${path} is no folder`);
  if (there.uid !== uid) throw new Error(`${path} belongs to uid ${there.uid}, not ${uid}`);
  if (there.gid !== gid) chownSync(path, uid, gid);
  if ((there.mode & 0o7777) !== mode) chmodSync(path, mode);
}

function explaining(setting: string, folder: string, make: () => void): void {
  try {
    make();
  } catch (thrown) {
    const detail = codeOf(thrown) ?? (thrown instanceof Error ? thrown.message : String(thrown));
    throw new StartFailure('{setting}: {folder} can not be made ({detail})', { setting, folder, detail }, EX_CANTCREAT);
  }
}
