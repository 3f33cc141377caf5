/** The POP3 room as a connection sees it. */
import { answer, masked, overlong } from '../pop3/dialogue.ts';
import { refusal } from '../pop3/faults.ts';
import type { Pop3Host } from '../pop3/host.ts';
import { andThen, type Reply, say } from '../pop3/replies.ts';
import { disconnected, lineLimit, lost, type Session, startSession, waitingOf } from '../pop3/session.ts';
import type { LineDialogue } from './lineDialogue.ts';

/** `host` is asked for at each connection, so that new settings hold from the next one on. */
export function pop3Dialogue(host: () => Pop3Host): LineDialogue<Session> {
  return {
    ready: ({ arrival }) => host().directory.ready?.(arrival),
    start: (facts, beforeTls) => startSession(host(), facts, beforeTls),
    answer,
    lineLimit,
    overlong,
    refusal,
    // RFC 2449 section 8.1: with [SYS/TEMP] the client tries again later by itself.
    tooManyConnections: () => closing(`[SYS/TEMP] ${host().speaker.say('too many connections, try again later', {}, 'en')}`),
    overloaded: () => closing(`[SYS/TEMP] ${host().speaker.say('the server is overloaded, try again later', {}, 'en')}`),
    tooManyFailures(session, reply) {
      // Whose password was not looked at must not hear [AUTH]: the program would ask for another one.
      if (reply.penalty === 'throttled') return closing(reply.line);
      return closing(`[AUTH] ${say(session, 'too many failed logins, closing the connection')}`);
    },
    waits: (session) => waitingOf(session) !== undefined,
    lost,
    disconnected,
    masked,
    state: (session) => session.state,
    domain: (session) => (session.state === 'TRANSACTION' ? (session.account.mailbox.domain ?? null) : undefined),
    loggedIn: (session) => session.state === 'TRANSACTION',
  };
}

function closing(line: string): Reply {
  return andThen({ status: '-ERR', line }, 'close');
}
