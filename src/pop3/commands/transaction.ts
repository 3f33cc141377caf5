/** Commands on the maildrop. */
import { topOf } from '../../message/top.ts';
import { lineCount, messageNumber, optional } from '../args.ts';
import { command } from '../command.ts';
import { countAndOctets, messageAt, remainingCount, rowsOf } from '../maildrop.ts';
import { ok, say } from '../replies.ts';

/** STAT: how many and how many octets, without the messages marked as deleted. RFC 1939 section 5. */
const STAT = command({
  name: 'STAT',
  states: ['TRANSACTION'],
  handle: (session) => ok(`${remainingCount(session)} ${session.octets}`),
});

/** LIST [message-number]: the scan listing, or one line of it. Sizes in octets. RFC 1939 section 5. */
const LIST = command({
  name: 'LIST',
  states: ['TRANSACTION'],
  args: [optional(messageNumber)],
  handle(session, number) {
    if (number !== undefined) return ok(`${number} ${messageAt(session, number).octets}`);
    session.listed = true;
    return ok(countAndOctets(session), { rows: rowsOf(session, (n, message) => `${n} ${message.octets}`) });
  },
});

/** RETR message-number: the whole message. RFC 1939 section 5. */
const RETR = command({
  name: 'RETR',
  states: ['TRANSACTION'],
  args: [messageNumber],
  handle(session, number) {
    const message = messageAt(session, number);
    const { octets } = message;
    const body = session.maildrop.retrieve(message);
    const watched = session.fetching?.watch(message, body);
    return {
      status: '+OK',
      line: say(session, '{octets} octets', { octets }),
      body: watched?.octets ?? body,
      sent() {
        const { counts } = session.host;
        counts.retrieved++;
        counts.retrievedOctets += octets;
        session.retrieved.add(message);
        session.octetsSent += octets;
        watched?.sent();
      },
    };
  },
});

/** DELE message-number: marks it; QUIT deletes it. RFC 1939 section 5. */
const DELE = command({
  name: 'DELE',
  states: ['TRANSACTION'],
  args: [messageNumber],
  handle(session, number) {
    const message = messageAt(session, number);
    session.deleted.add(message);
    session.octets -= message.octets;
    return ok(say(session, 'message {number} deleted', { number }));
  },
});

/** NOOP. RFC 1939 section 5. */
const NOOP = command({ name: 'NOOP', states: ['TRANSACTION'], handle: () => ok() });

/** RSET: takes the marks away again. RFC 1939 section 5. */
const RSET = command({
  name: 'RSET',
  states: ['TRANSACTION'],
  handle(session) {
    for (const message of session.deleted) session.octets += message.octets;
    session.deleted.clear();
    return ok(countAndOctets(session));
  },
});

/** TOP message-number lines: the header and so many lines of the body. RFC 1939 section 7. */
const TOP = command({
  name: 'TOP',
  states: ['TRANSACTION'],
  args: [messageNumber, lineCount],
  capability: 'TOP',
  handle(session, number, lines) {
    const message = messageAt(session, number);
    return ok(say(session, 'top of message follows'), { body: topOf(session.maildrop.retrieve(message), lines) });
  },
});

/** UIDL [message-number]: the unique-id listing, or one line of it. RFC 1939 section 7. */
const UIDL = command({
  name: 'UIDL',
  states: ['TRANSACTION'],
  args: [optional(messageNumber)],
  capability: 'UIDL',
  handle(session, number) {
    if (number !== undefined) return ok(`${number} ${messageAt(session, number).uniqueId}`);
    session.listed = true;
    return ok(countAndOctets(session), { rows: rowsOf(session, (n, message) => `${n} ${message.uniqueId}`) });
  },
});

export const transaction = [STAT, LIST, RETR, DELE, NOOP, RSET, TOP, UIDL];
