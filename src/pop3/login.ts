/** From a proof to an open maildrop, the same for USER and PASS, APOP and AUTH. */
import type { Admission, Proof } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import { countAndOctets } from './maildrop.ts';
import { ok, type Reply } from './replies.ts';
import { type Authorization, release, type Transaction } from './session.ts';

interface Attempt {
  /** `USER`, `APOP` or the SASL mechanism. */
  readonly method: string;
  /** As typed, where the dialogue knows it. */
  readonly login?: string;
}

/** @throws Fault auth, login-delay, in-use, temporary, permanent */
export function login(session: Authorization, method: string, name: string, proof: Proof): Promise<Reply> {
  const { host, connection } = session;
  const claim = { login: name, arrival: connection.arrival };
  return recorded(session, { method, login: name }, async () => {
    const startedAtMs = host.now();
    return admit(session, await host.directory.authenticate(claim, proof, 'pop3'), method, startedAtMs);
  });
}

/** Opens the maildrop for who has shown who they are. @throws Fault login-delay, in-use, temporary, permanent */
export async function admit(session: Authorization, admission: Admission, method: string, startedAtMs: number): Promise<Reply> {
  const { host, connection } = session;
  const { account, noStatus } = admission;
  const { mailbox } = account;
  const limits = host.limitsOf?.(mailbox) ?? host.limits;
  // Before the maildrop is opened: sparing that work is what the delay is for, RFC 2449 section 8.1.1.
  if (limits.loginDelayS > 0 && host.lastLogins.tooSoon(mailbox, limits.loginDelayS)) {
    throw new Fault('login-delay', 'too soon after the last login: {seconds} seconds must lie between', {
      values: { seconds: limits.loginDelayS },
    });
  }
  if (session.gone) throw connectionLost();
  const maildrop = await host.store.open(mailbox, { noStatus });
  if (session.gone) {
    await release(session, maildrop);
    throw connectionLost();
  }
  if (limits.loginDelayS > 0) host.lastLogins.note(mailbox);

  const openedAtMs = host.now();
  let octets = 0;
  for (const message of maildrop.messages) octets += message.octets;
  const enters: Transaction = {
    state: 'TRANSACTION',
    host,
    connection,
    language: session.language,
    account,
    limits,
    maildrop,
    deleted: new Set(),
    retrieved: new Set(),
    octets,
    listed: false,
    octetsSent: 0,
    openedAtMs,
    ended: false,
  };
  host.log.info('pop3.login', {
    session: connection.id,
    remote: connection.remoteAddress,
    mailbox: mailbox.name,
    method,
    tls: connection.tls,
    messages: maildrop.messages.length,
    octets,
    ms: openedAtMs - startedAtMs,
  });
  return ok(countAndOctets(enters), { enters });
}

/** Tells the log, and only the log, why a login came to nothing. Trouble of ours is told where it is answered. */
export async function recorded(session: Authorization, attempt: Attempt, work: () => Promise<Reply>): Promise<Reply> {
  try {
    return await work();
  } catch (thrown) {
    const fault = Fault.from(thrown);
    if (fault.kind === 'auth' || fault.kind === 'in-use' || fault.kind === 'login-delay') {
      const { id, remoteAddress, tls } = session.connection;
      const reason = fault.cause instanceof Error ? fault.cause.message : (fault.cause ?? fault.text);
      session.host.log.info('pop3.login-failed', { session: id, remote: remoteAddress, ...attempt, tls, kind: fault.kind, reason });
    }
    throw thrown;
  }
}

/** Said to nobody: there is no connection left to write it to. */
function connectionLost(): Fault {
  return new Fault('wrong-state', 'the session is over');
}
