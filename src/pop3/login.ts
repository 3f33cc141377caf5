/** From a proof to an open maildrop, the same for USER and PASS, APOP and AUTH. */
import type { Claim, Proof } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import { FailedLogin, Throttled, type Visitor } from '../model/loginGate.ts';
import { isLoginFailure } from '../model/report.ts';
import { type Admitted, prove as proveAtGate } from '../sasl/prove.ts';
import type { ConnectionFacts } from './host.ts';
import { countAndOctets } from './maildrop.ts';
import { ok, type Reply } from './replies.ts';
import { type Authorization, release, type Transaction } from './session.ts';

interface Attempt {
  /** `USER`, `APOP` or the SASL mechanism. */
  readonly method: string;
  /** As typed, where the dialogue knows it. */
  readonly login?: string;
}

/** @throws FailedLogin, Throttled, Fault login-delay, in-use, temporary, permanent */
export function login(session: Authorization, method: string, name: string, proof: Proof): Promise<Reply> {
  const { host, connection } = session;
  const claim = { login: name, arrival: connection.arrival };
  return recorded(session, { method, login: name }, async () => {
    const startedAtMs = host.now();
    return admit(session, await prove(session, method, claim, proof), method, startedAtMs);
  });
}

/** Past the gate and then to the directory. @throws FailedLogin, Throttled, Fault temporary */
export function prove(session: Authorization, method: string, claim: Claim, proof: Proof): Promise<Admitted> {
  const { connection, host } = session;
  return proveAtGate(
    { ...visitorOf(connection), claim, proof, method, tls: connection.tls },
    {
      directory: host.directory,
      gate: host.gate,
      service: 'pop3',
      begins: 'session',
      waits(waiting) {
        if (waiting !== undefined) {
          const { id, remoteAddress, tls } = connection;
          host.log.debug('pop3.login-waits', { session: id, remote: remoteAddress, method, login: claim.login, tls });
        }
        session.waiting = waiting;
      },
    },
  );
}

function visitorOf({ remoteAddress, isProxy = false }: ConnectionFacts): Visitor {
  return { remoteAddress, isProxy };
}

/** Opens the maildrop for who has shown who they are. @throws Fault login-delay, in-use, temporary, permanent */
export async function admit(session: Authorization, admitted: Admitted, method: string, startedAtMs: number): Promise<Reply> {
  try {
    return await open(session, admitted, method, startedAtMs);
  } catch (thrown) {
    admitted.dismiss();
    throw thrown;
  }
}

async function open(session: Authorization, { admission, passage }: Admitted, method: string, startedAtMs: number): Promise<Reply> {
  const { host, connection } = session;
  const { account, noStatus } = admission;
  const { mailbox } = account;
  const limits = host.limitsOf?.(account) ?? host.limits;
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

  host.loginNotes?.note(visitorOf(connection), mailbox);
  host.counts.logins++;
  const openedAtMs = host.now();
  let octets = 0;
  for (const message of maildrop.messages) octets += message.octets;
  const enters: Transaction = {
    state: 'TRANSACTION',
    host,
    connection,
    language: session.language,
    commands: session.commands,
    account,
    passage,
    limits,
    maildrop,
    deleted: new Set(),
    retrieved: new Set(),
    // `s-`: the session is to leave no trace of having read anything, and a receipt is one.
    fetching: noStatus ? undefined : host.receipts?.of(account),
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
    const fault = failureOf(session, Fault.from(thrown));
    record(session, attempt, fault);
    throw fault;
  }
}

function record({ connection, gone, host }: Authorization, { method, login }: Attempt, fault: Fault): void {
  const { kind } = fault;
  const { id, remoteAddress, tls } = connection;
  const from = { session: id, remote: remoteAddress, method };
  if (fault instanceof Throttled) {
    // Who went away was put off by nobody.
    if (gone) return;
    host.counts.loginFailures.throttled++;
    host.log.debug('pop3.login-put-off', { ...from, ...(login === undefined ? undefined : { login }), tls, text: fault.text });
    return;
  }
  if (isLoginFailure(kind)) host.counts.loginFailures[kind]++;
  if (kind !== 'auth' && kind !== 'in-use' && kind !== 'login-delay') return;
  const typed = fault instanceof FailedLogin ? fault.login : login;
  const isRepeated = fault instanceof FailedLogin && fault.failure.isRepeated;
  const reason = fault.cause instanceof Error ? fault.cause.message : (fault.cause ?? fault.text);
  // In this order: what the client made up comes behind what it could not, for programs that read the log.
  host.log.info('pop3.login-failed', {
    ...from,
    ...(typed === undefined ? undefined : { login: typed }),
    tls,
    ...(isRepeated ? { repeated: true } : undefined),
    kind,
    reason,
  });
}

/** A mechanism can refuse before it has a proof to show anybody: a failure like others. */
function failureOf({ connection, host }: Authorization, fault: Fault): Fault {
  if (fault.kind !== 'auth' || fault instanceof FailedLogin) return fault;
  return new FailedLogin(fault, host.gate.turnedAway(visitorOf(connection)), undefined);
}

/** Said to nobody: there is no connection left to write it to. */
function connectionLost(): Fault {
  return new Fault('wrong-state', 'the session is over');
}
