/** The UPDATE state: RFC 1939 section 6. */
import { Fault } from '../model/fault.ts';
import type { Maildrop } from '../model/maildrop.ts';
import { refusal } from './faults.ts';
import { expired } from './maildrop.ts';
import { andThen, ok, type Reply, say } from './replies.ts';
import { type Ended, release, type Transaction } from './session.ts';

/** Removes what is marked and what has expired, lets go of the maildrop and closes. Removes all or nothing, and says which where that is known. */
export async function update(session: Transaction): Promise<Reply> {
  const { connection, deleted, host, language, maildrop, retrieved } = session;
  // A connection lost from here on must not take the maildrop away: QUIT has been said, and the update is due.
  session.ended = true;
  const ended: Ended = { state: 'UPDATE', host, connection, language, commands: session.commands };
  const gone = expired(session);
  const removed = gone.size === 0 ? deleted : deleted.union(gone);
  const wasLost = isLost(maildrop);
  try {
    await maildrop.update(removed, retrieved);
  } catch (thrown) {
    const fault = Fault.from(thrown);
    const kind = fault.kind === 'permanent' ? 'permanent' : 'temporary';
    // Whoever was at it is gone, and may have done it all before.
    const isUnknown = !wasLost && isLost(maildrop);
    const text = isUnknown
      ? 'it is not known whether the messages were deleted'
      : 'the messages could not be deleted, all of them are still there';
    const failed = new Fault(kind, text, { cause: fault.cause ?? fault });
    return andThen({ ...refusal(session, failed), enters: ended }, 'close');
  } finally {
    // Before the reply: a client that comes back at once finds the maildrop free.
    await release(session, maildrop);
  }
  const left = maildrop.messages.length - removed.size;
  host.counts.deleted += deleted.size;
  host.counts.expired += removed.size - deleted.size;
  host.log.info('pop3.quit', {
    session: connection.id,
    remote: connection.remoteAddress,
    mailbox: session.account.mailbox.name,
    commands: session.commands,
    deleted: deleted.size,
    expired: removed.size - deleted.size,
    left,
    retrieved: retrieved.size,
    octetsSent: session.octetsSent,
    ms: host.now() - session.openedAtMs,
  });
  return andThen(ok(goodbye(session, left), { enters: ended }), 'close');
}

function isLost({ lost }: Maildrop): boolean {
  return lost === true;
}

function goodbye(session: Transaction, left: number): string {
  if (left === 0) return say(session, 'goodbye (maildrop empty)');
  return left === 1 ? say(session, 'goodbye (1 message left)') : say(session, 'goodbye ({messages} messages left)', { messages: left });
}
