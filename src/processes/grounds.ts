/** What has to be there before the first front: somebody to be, and folders to work in. */
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import type { Settings } from '../config/index.ts';
import type { Identity } from '../os/becomeUser.ts';
import { codeOf } from '../os/disk.ts';
import { EX_CANTCREAT, EX_CONFIG } from '../os/exitCodes.ts';
import { requireWritable } from '../os/reach.ts';
import { StartFailure } from '../os/startFailure.ts';
import { findGroup, findUser } from '../os/users.ts';

/** Whom the fronts become: only root can, and root must. @throws StartFailure when the settings name nobody who may */
export function identityOf(settings: Settings): Identity | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  const user = findUser(settings.user);
  if (user === undefined) throw new StartFailure('the host has no user {name}', { name: settings.user }, EX_CONFIG);
  const gid = settings.group === undefined ? user.gid : findGroup(settings.group);
  if (gid === undefined) throw new StartFailure('the host has no group {name}', { name: settings.group ?? '' }, EX_CONFIG);
  if (user.uid === 0 || gid === 0) throw new StartFailure('mail is never handled as root', {}, EX_CONFIG);
  return { name: user.name, uid: user.uid, gid };
}

/**
 * Makes the two folders that are ours alone; those that exist keep their owner and mode.
 * @param owner whom new ones are given to; `undefined`: they stay the process's own, and it must be able to write in both
 * @throws StartFailure
 */
export function makeFolders(settings: Settings, owner: Identity | undefined): void {
  for (const [setting, folder, mode] of [
    ['state_dir', settings.stateDir, 0o700],
    ['run_dir', settings.runDir, 0o755],
  ] as const) {
    try {
      if (!makeWithParents(folder)) continue;
      if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
      chmodSync(folder, mode);
    } catch (thrown) {
      throw new StartFailure(
        '{setting}: {folder} can not be made ({detail})',
        { setting, folder, detail: codeOf(thrown) ?? String(thrown) },
        EX_CANTCREAT,
      );
    }
  }
  if (owner !== undefined) return;
  requireWritable('state_dir', settings.stateDir);
  requireWritable('run_dir', settings.runDir);
}

/** Mode 755, and those above it too: our own umask is meant for what lies in them. False: it was there. */
export function makeWithParents(folder: string): boolean {
  const umask = process.umask(0o022);
  try {
    return mkdirSync(folder, { recursive: true }) !== undefined;
  } finally {
    process.umask(umask);
  }
}
