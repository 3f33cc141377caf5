/**
 * Whether who started us is still there. Postfix's local(8) and pipe(8) begin a session for each command: when such a one dies while it
 * writes, the message just ends, and only the new parent of the session's first process tells that from its end.
 */
import { readFileSync } from 'node:fs';

/** @returns false when the process that began our session has gone or has been orphaned since now */
export function watchSender(): () => boolean {
  const before = leader();
  return () => before === undefined || leader() === before;
}

/** The session's first process and its parent; `undefined`: not to be found out. */
function leader(): string | undefined {
  const session = statOf('self')?.[3];
  const stat = session === undefined ? undefined : statOf(session);
  return stat && `${session} ${stat[1]}`;
}

/** proc(5): what follows the name, which may hold anything: state, parent, process group, session. */
function statOf(process: string): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${process}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
