/** What another user, whom root is about to become, will be able to get at; and what this process can. */
import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { codeOf } from './disk.ts';
import { EX_CANTCREAT } from './exitCodes.ts';
import { StartFailure } from './startFailure.ts';

/** Whether that user may enter this folder and each one above it, by owner, group and mode: below /root nobody but root may. */
export function mayEnter(folder: string, user: { readonly uid: number; readonly gid: number }): boolean {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const { mode, uid, gid } = statSync(at);
    const right = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & right) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

/** `setting`: what the host calls that folder. @throws StartFailure where this process can't make files in it */
export function requireWritable(setting: string, folder: string): void {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (thrown) {
    const values = { setting, folder, uid: process.geteuid?.() ?? 0, detail: codeOf(thrown) ?? String(thrown) };
    throw new StartFailure('{setting}: uid {uid} can not write to {folder} ({detail})', values, EX_CANTCREAT);
  }
}
