/**
 * Whether who started us is still there. Postfix's local(8) and pipe(8) begin a session for each command: when such a one dies while it
 * writes, the message just ends, and only the parent of the session's first process tells that from its end.
 */
import { readFileSync } from 'node:fs';

/** Of a process that has begun to end, which it does before it closes what it writes to. Linux, PF_EXITING. */
const EXITING = 0x4;

/** Takes in who has lost its parent; in a user's own session systemd does. */
const INIT = '1';
const SESSION_INIT = 'systemd';

/**
 * @param isPostfix we were started by Postfix, whose processes are never init: where that is the parent the sender died before we looked
 * @returns false when the process that began our session, or the one that started it, has gone since now, or is going
 */
export function watchSender(isPostfix: boolean): () => boolean {
  const session = statOf('self')?.[3];
  const sender = session === undefined ? undefined : statOf(session)?.[1];
  // Where processes of others are hidden there is nothing to see of it.
  if (session === undefined || sender === undefined || statOf(sender) === undefined) return () => true;
  if (isPostfix && (sender === INIT || nameOf(sender) === SESSION_INIT)) return () => false;
  return () => statOf(session)?.[1] === sender && (Number(statOf(sender)?.[6] ?? EXITING) & EXITING) === 0;
}

/** proc(5): what follows the name, which may hold anything: state, parent, process group, session, terminal, its group, flags. */
function statOf(process: string): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${process}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function nameOf(process: string): string | undefined {
  try {
    return readFileSync(`/proc/${process}/comm`, 'latin1').trimEnd();
  } catch {
    return undefined;
  }
}
