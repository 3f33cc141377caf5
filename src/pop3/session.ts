/** One client's dialogue, from greeting to goodbye. Thousands wait before login: what they hold is kept small. */
import type { Account } from '../model/directory.ts';
import type { Passage, Waiting } from '../model/loginGate.ts';
import type { Maildrop, MaildropMessage } from '../model/maildrop.ts';
import type { Fetching } from '../model/receipts.ts';
import type { Exchange } from '../sasl/index.ts';
import type { Admitted } from '../sasl/prove.ts';
import type { ConnectionFacts, Limits, Pop3Host } from './host.ts';
import { ok, type Reply, say } from './replies.ts';

interface Common {
  readonly host: Pop3Host;
  readonly connection: ConnectionFacts;
  /** Of replies, as LANG set it. English before: RFC 1939 replies are ASCII. */
  language: string;
  /** Command lines so far, for the log; what was said before STLS is not among them. */
  commands: number;
}

/** RFC 1939 section 4. */
export interface Authorization extends Common {
  readonly state: 'AUTHORIZATION';
  /** From the greeting, with its angle brackets; `undefined`: no APOP. RFC 1939 section 7. */
  readonly timestamp: string | undefined;
  /** From USER, until the next command. */
  login: string | undefined;
  /** While a login has to wait before its proof is looked at. */
  waiting: Waiting | undefined;
  /** The connection is lost: a login under way must let go of its maildrop. */
  gone: boolean;
}

/** AUTHORIZATION in the middle of AUTH: each line is a response. RFC 5034 section 4. */
export interface Exchanging extends Common {
  readonly state: 'EXCHANGE';
  /** Where a failed or cancelled exchange leads back to. */
  readonly authorization: Authorization;
  readonly mechanism: string;
  readonly exchange: Exchange;
  /** From the moment on that the proof held. */
  admitted: Admitted | undefined;
  /** The mechanism's last word was said, and the client has yet to take it: it answers that with an empty response. */
  isLast: boolean;
}

/** RFC 1939 section 5. */
export interface Transaction extends Common {
  readonly state: 'TRANSACTION';
  readonly account: Account;
  /** By which they came in. */
  readonly passage: Passage;
  readonly limits: Limits;
  readonly maildrop: Maildrop;
  readonly deleted: Set<MaildropMessage>;
  /** Sent whole by RETR. */
  readonly retrieved: Set<MaildropMessage>;
  /** Whoever is told of messages that are sent whole; `undefined`: nobody. */
  readonly fetching: Fetching | undefined;
  /** Of the messages not marked as deleted. */
  octets: number;
  /** LIST or UIDL told the client of every message. */
  listed: boolean;
  octetsSent: number;
  /** ms since 1970. */
  readonly openedAtMs: number;
  /** QUIT or a lost connection took over the maildrop; whichever is first disposes of it. */
  ended: boolean;
}

/** After QUIT nothing is left to be said or released. */
export interface Ended extends Common {
  readonly state: 'UPDATE';
}

export type Session = Authorization | Exchanging | Transaction | Ended;

/**
 * A connection's first session, and the one that begins anew after STLS. That one is handed the session before it: no greeting
 * is sent then, so APOP's timestamp is the old one, and nothing else that came in the clear survives. RFC 2595 section 4.
 */
export function startSession(
  host: Pop3Host,
  connection: ConnectionFacts,
  beforeTls?: Session,
): { session: Authorization; greeting: Reply } {
  const session: Authorization = {
    state: 'AUTHORIZATION',
    host,
    connection,
    language: 'en',
    commands: 0,
    timestamp: beforeTls === undefined ? newTimestamp(host, connection) : timestampOf(beforeTls),
    login: undefined,
    waiting: undefined,
    gone: false,
  };
  const ready = say(session, 'POP3 server ready');
  return { session, greeting: ok(session.timestamp === undefined ? ready : `${ready} ${session.timestamp}`) };
}

/** Octets of the longest line that is read, with its line end: RFC 2449 section 4; RFC 5034 leaves responses open, RFC 4954 has this number. */
export function lineLimit(session: Session): number {
  return session.state === 'EXCHANGE' ? 12288 : 255;
}

/** Of a login that has to wait before its proof is looked at. */
export function waitingOf(session: Session): Waiting | undefined {
  const authorization = session.state === 'EXCHANGE' ? session.authorization : session;
  return authorization.state === 'AUTHORIZATION' ? authorization.waiting : undefined;
}

/** The connection is lost while a command is under way: who waits for the gate need not wait any longer. `disconnected` follows. */
export function lost(session: Session): void {
  const authorization = session.state === 'EXCHANGE' ? session.authorization : session;
  if (authorization.state !== 'AUTHORIZATION') return;
  authorization.gone = true;
  waitingOf(session)?.giveUp();
}

/** The connection is lost or timed out: lets go of the maildrop and removes nothing. RFC 1939 section 6. */
export async function disconnected(session: Session): Promise<void> {
  if (session.state === 'AUTHORIZATION') session.gone = true;
  if (session.state === 'EXCHANGE') {
    session.authorization.gone = true;
    session.admitted?.dismiss();
  }
  if (session.state !== 'TRANSACTION' || session.ended) return;
  session.ended = true;
  // First: whoever reads that the session is gone finds the maildrop free.
  await release(session, session.maildrop);
  session.host.log.info('pop3.disconnected', {
    session: session.connection.id,
    remote: session.connection.remoteAddress,
    mailbox: session.account.mailbox.name,
    commands: session.commands,
    marked: session.deleted.size,
    octetsSent: session.octetsSent,
    ms: session.host.now() - session.openedAtMs,
  });
}

/** Gives back the lock, and ends the session at the gate. That it failed is for the log: no client can do anything about it. */
export async function release(session: Session, maildrop: Maildrop): Promise<void> {
  if (session.state === 'TRANSACTION') session.passage.ended();
  try {
    await maildrop[Symbol.asyncDispose]();
  } catch (cause) {
    session.host.log.error('pop3.trouble', { session: session.connection.id, kind: 'temporary', text: 'not released', cause });
  }
}

/** Different in each greeting, RFC 1939 section 7; only where every account here can log in so. */
function newTimestamp(host: Pop3Host, connection: ConnectionFacts): string | undefined {
  if (!host.directory.proofKinds(connection.arrival).has('apop')) return undefined;
  return `<${host.random(8).readBigUInt64BE()}.${host.now()}@${host.hostname}>`;
}

function timestampOf(session: Session): string | undefined {
  return session.state === 'AUTHORIZATION' ? session.timestamp : undefined;
}
