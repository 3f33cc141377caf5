/** Message-numbers and marks of one session. Numbers are fixed at open; a marked message keeps its own and is passed over. */
import { Fault } from '../model/fault.ts';
import type { MaildropMessage } from '../model/maildrop.ts';
import { say } from './replies.ts';
import { isOlderThan } from './retention.ts';
import type { Transaction } from './session.ts';

/** @throws Fault not-found for a number that never was or that is marked as deleted */
export function messageAt(session: Transaction, number: number): MaildropMessage {
  const { messages } = session.maildrop;
  const message = messages[number - 1];
  if (message === undefined) throw noSuchMessage(messages.length);
  if (session.deleted.has(message)) throw new Fault('not-found', 'message {number} already deleted', { values: { number } });
  return message;
}

/** How many are not marked as deleted. */
export function remainingCount(session: Transaction): number {
  return session.maildrop.messages.length - session.deleted.size;
}

/** A row for each message not marked as deleted, made as it is asked for. */
export function* rowsOf(session: Transaction, row: (number: number, message: MaildropMessage) => string): Generator<string> {
  const { deleted, maildrop } = session;
  let number = 0;
  for (const message of maildrop.messages) {
    number += 1;
    if (!deleted.has(message)) yield row(number, message);
  }
}

/** `2 messages (320 octets)` */
export function countAndOctets(session: Transaction): string {
  const messages = remainingCount(session);
  const { octets } = session;
  return messages === 1
    ? say(session, '1 message ({octets} octets)', { octets })
    : say(session, '{messages} messages ({octets} octets)', { messages, octets });
}

/**
 * What QUIT removes beyond the marked ones, RFC 2449 section 6.7. EXPIRE 0: what was retrieved. EXPIRE n: what was older than that when
 * the session began, if this session told the client of it, so that nobody loses mail they were never shown: a client that only asks
 * STAT removes nothing, and no session that isn't ended by QUIT does. A message of unknown age stays.
 */
export function expired(session: Transaction): ReadonlySet<MaildropMessage> {
  const { expireDays } = session.limits;
  if (expireDays === 'never') return new Set();
  if (expireDays === 0) return session.retrieved;
  if (!session.listed) return new Set([...session.retrieved].filter((message) => isOlderThan(message, session.openedAtMs, expireDays)));
  return new Set(session.maildrop.messages.filter((message) => isOlderThan(message, session.openedAtMs, expireDays)));
}

function noSuchMessage(messages: number): Fault {
  if (messages === 0) return new Fault('not-found', 'no such message, the maildrop is empty');
  if (messages === 1) return new Fault('not-found', 'no such message, only 1 message in maildrop');
  return new Fault('not-found', 'no such message, only {messages} messages in maildrop', { values: { messages } });
}
