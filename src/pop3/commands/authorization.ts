/** Commands before login. */
import { Fault } from '../../model/fault.ts';
import { digest, lastLoginName, loginName, optional, password, word } from '../args.ts';
import { command } from '../command.ts';
import { announced, begin, plaintextRefused } from '../exchange.ts';
import { login } from '../login.ts';
import { andThen, ok, say } from '../replies.ts';

/** USER name: the same answer whether there is such a user or not. RFC 1939 section 7. */
const USER = command({
  name: 'USER',
  states: ['AUTHORIZATION'],
  args: [lastLoginName],
  capability: ({ connection, host }) =>
    connection.secure && host.directory.proofKinds(connection.arrival).has('password') ? 'USER' : undefined,
  handle(session, name) {
    if (!session.connection.secure) throw plaintextRefused(session.connection);
    session.login = name;
    return ok(say(session, 'now the password'));
  },
});

/** PASS password: right after USER. Blanks belong to the password. RFC 1939 section 7. */
const PASS = command({
  name: 'PASS',
  states: ['AUTHORIZATION'],
  args: [password],
  secret: true,
  handle(session, secret) {
    if (!session.connection.secure) throw plaintextRefused(session.connection);
    const name = session.login;
    if (name === undefined) throw new Fault('wrong-state', 'USER comes first');
    session.login = undefined;
    return login(session, 'USER', name, { kind: 'password', password: secret });
  },
});

/** APOP name digest. RFC 1939 section 7. */
const APOP = command({
  name: 'APOP',
  states: ['AUTHORIZATION'],
  args: [loginName, digest],
  secret: true,
  handle(session, name, hex) {
    const { timestamp } = session;
    if (timestamp === undefined) throw new Fault('wrong-state', 'APOP is not offered here');
    return login(session, 'APOP', name, { kind: 'apop', timestamp, digest: hex });
  },
});

/** AUTH [mechanism [initial-response]]: without a mechanism, lists them as servers did before CAPA. RFC 5034 section 4. */
const AUTH = command({
  name: 'AUTH',
  states: ['AUTHORIZATION'],
  args: [optional(word), optional(word)],
  secret: true,
  capability(session) {
    const names = announced(session);
    return names.length > 0 ? `SASL ${names.join(' ')}` : undefined;
  },
  handle(session, mechanism, initial) {
    if (mechanism !== undefined) return begin(session, mechanism, initial);
    return ok(say(session, 'mechanisms follow'), { rows: announced(session) });
  },
});

/** STLS: TLS from the end of this reply, and a new session in it. RFC 2595 section 4. */
const STLS = command({
  name: 'STLS',
  states: ['AUTHORIZATION'],
  capability: ({ state, connection }) => (state === 'AUTHORIZATION' && connection.canStartTls && !connection.tls ? 'STLS' : undefined),
  handle(session) {
    if (session.connection.tls) throw new Fault('wrong-state', 'not permitted when TLS is active');
    if (!session.connection.canStartTls) throw new Fault('wrong-state', 'there is no TLS here');
    return andThen(ok(say(session, 'begin TLS negotiation')), 'starttls');
  },
});

/**
 * UTF8: nothing here depends on it, since messages go out as they came in and names are read as UTF-8 either way. RFC 6856 section 2.
 */
const UTF8 = command({
  name: 'UTF8',
  states: ['AUTHORIZATION'],
  capability: 'UTF8 USER',
  handle: (session) => ok(say(session, 'UTF-8 it is')),
});

export const authorization = [USER, PASS, APOP, AUTH, STLS, UTF8];
