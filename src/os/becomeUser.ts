/** Giving up root for good. */
import { Fault } from '../model/fault.ts';
import { credentials, setresgid } from './credentials.ts';
import { closeMemory } from './hardening.ts';

export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** For the supplementary groups; `undefined` where the number has no name: then there are none. */
  readonly name?: string | undefined;
  /** A group that is kept aside as the saved gid and put on for single calls, see privilegedGroup.ts. A program started by exec doesn't have it. */
  readonly lockGid?: number | undefined;
}

/** Documented by Node, forgotten by its types. */
const host = process as typeof process & { initgroups(name: string, gid: number): void };

/**
 * initgroups, setresgid, setuid; then looks at what came of it: real, effective and saved ids, and that root can't be had back. A process
 * that is this user already stays as it is, without the group for locks.
 * @throws Fault permanent: for uid or gid 0, and where the process may not; it must end then, as it may be half-way. Fault temporary where
 * koffi is missing
 */
export function becomeUser(identity: Identity): void {
  const { uid, gid, lockGid = gid } = identity;
  if (uid === 0 || gid === 0 || lockGid === 0) throw refused('the user that handles mail must not be root (uid or gid 0)');
  if (process.geteuid?.() === 0) {
    giveUpRoot(identity, lockGid);
    const { uids, gids } = credentials();
    if (uids.join(' ') !== [uid, uid, uid].join(' ') || gids.join(' ') !== [gid, gid, lockGid].join(' ')) {
      throw refused(`is uid ${uids.join(' ')}, gid ${gids.join(' ')} (real, effective, saved) after becoming uid ${uid}, gid ${gid}`);
    }
  }
  const is = [process.getuid?.(), process.geteuid?.(), process.getgid?.(), process.getegid?.()].join(' ');
  if (is !== [uid, uid, gid, gid].join(' ')) {
    throw refused(
      `must run as uid ${uid}, gid ${gid}, or be started as root; runs as uid ${process.getuid?.()}, gid ${process.getgid?.()}`,
    );
  }
  if (canRegainRoot()) throw refused(`root could be had back after becoming uid ${uid}`);
  closeMemory();
}

function giveUpRoot({ uid, gid, name }: Identity, lockGid: number): void {
  try {
    if (name === undefined) process.setgroups?.([gid]);
    else host.initgroups(name, gid);
    // The C library sees to it that each thread of the process, those of libuv included, changes with us.
    setresgid(gid, gid, lockGid);
    process.setuid?.(uid);
  } catch (error) {
    throw refused(`cannot become uid ${uid}, gid ${gid}`, error);
  }
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
