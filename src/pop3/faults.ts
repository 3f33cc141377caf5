/** A fault in the words of POP3. */
import { Fault, type FaultKind } from '../model/fault.ts';
import { FailedLogin, Throttled } from '../model/loginGate.ts';
import { andThen, type Reply, say } from './replies.ts';
import type { Session } from './session.ts';

/** Response codes: RFC 2449 section 8, RFC 3206. */
const responseCode: Record<FaultKind, string> = {
  syntax: '',
  'wrong-state': '',
  'not-found': '',
  exists: '',
  auth: '[AUTH] ',
  'login-delay': '[LOGIN-DELAY] ',
  'in-use': '[IN-USE] ',
  'over-quota': '[SYS/TEMP] ',
  temporary: '[SYS/TEMP] ',
  permanent: '[SYS/PERM] ',
};

/** The one -ERR for whatever was thrown. Trouble of ours goes to the log with its cause. */
export function refusal(session: Session, thrown: unknown): Reply {
  const fault = Fault.from(thrown);
  if ((fault.kind === 'temporary' || fault.kind === 'permanent') && !(fault instanceof Throttled)) {
    const { id, remoteAddress } = session.connection;
    const mailbox = session.state === 'TRANSACTION' ? session.account.mailbox.name : undefined;
    session.host.log.error('pop3.trouble', {
      session: id,
      remote: remoteAddress,
      mailbox,
      kind: fault.kind,
      text: fault.text,
      cause: fault.cause,
    });
  }
  const reply: Reply = { status: '-ERR', line: responseCode[fault.kind] + say(session, fault.text, fault.values) };
  // Nothing can be had of it any more: the client does better to come back.
  if (session.state === 'TRANSACTION' && session.maildrop.lost === true && fault.kind === 'temporary') return andThen(reply, 'close');
  if (session.state !== 'EXCHANGE') return { ...reply, ...penaltyFor(fault) };
  // A SASL exchange ends with its first error: the next line is a command again.
  session.admitted?.dismiss();
  return { ...reply, enters: session.authorization, ...penaltyFor(fault) };
}

function penaltyFor(fault: Fault): Pick<Reply, 'penalty' | 'heldBackMs'> | undefined {
  if (fault instanceof FailedLogin) return { penalty: 'auth', heldBackMs: fault.failure.heldBackMs };
  return fault instanceof Throttled ? { penalty: 'throttled', heldBackMs: fault.heldBackMs } : undefined;
}
