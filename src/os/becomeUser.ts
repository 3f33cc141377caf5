/** Giving up root for good. */
import { Fault } from '../model/fault.ts';

export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** For the supplementary groups; `undefined` where the number has no name: then there are none. */
  readonly name?: string | undefined;
}

/** Documented by Node, forgotten by its types. */
const host = process as typeof process & { initgroups(name: string, gid: number): void };

/**
 * initgroups, setgid, setuid, each checked, and then that root can't be had back. A process that is this user already stays as it is.
 * @throws Fault permanent: for uid or gid 0, and where the process may not; it must end then, as it may be half-way
 */
export function becomeUser(identity: Identity): void {
  const { uid, gid, name } = identity;
  if (uid === 0 || gid === 0) throw refused('the user that handles mail must not be root (uid or gid 0)');
  if (process.geteuid?.() === 0) {
    try {
      if (name === undefined) process.setgroups?.([gid]);
      else host.initgroups(name, gid);
      process.setgid?.(gid);
      process.setuid?.(uid);
    } catch (error) {
      throw refused(`cannot become uid ${uid}, gid ${gid}`, error);
    }
  }
  const is = [process.getuid?.(), process.geteuid?.(), process.getgid?.(), process.getegid?.()].join(' ');
  if (is !== [uid, uid, gid, gid].join(' ')) {
    throw refused(
      `must run as uid ${uid}, gid ${gid}, or be started as root; runs as uid ${process.getuid?.()}, gid ${process.getgid?.()}`,
    );
  }
  if (canRegainRoot()) throw refused(`root could be had back after becoming uid ${uid}`);
}

function canRegainRoot(): boolean {
  try {
    process.setuid?.(0);
    return true;
  } catch {
    return false;
  }
}

function refused(what: string, cause?: unknown): Fault {
  return new Fault('permanent', 'internal error', { cause: new Error(what, { cause }) });
}
