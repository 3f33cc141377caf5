/** Reply codes (RFC 5321 section 4.2) with enhanced status codes (RFC 3463) for what can go wrong. */
import type { Fault, FaultKind } from '../model/fault.ts';
import type { Speaker } from '../texts/speaker.ts';

export interface SmtpReply {
  readonly code: number;
  /** Class, subject and detail: `4.2.2`. */
  readonly status: string;
  readonly text: string;
}

/** Class 4: the deliverer keeps the message and tries again. Class 5: its sender gets it back. */
const replies: Readonly<Record<FaultKind, readonly [number, string]>> = {
  syntax: [501, '5.5.4'],
  'wrong-state': [503, '5.5.1'],
  'not-found': [550, '5.1.1'],
  exists: [550, '5.3.0'],
  auth: [550, '5.7.1'],
  'login-delay': [451, '4.3.2'],
  'in-use': [451, '4.2.0'],
  // A mailbox that is full today may have room tomorrow; the deliverer's queue lifetime decides when to give up.
  'over-quota': [452, '4.2.2'],
  temporary: [451, '4.3.0'],
  permanent: [550, '5.3.0'],
};

/** Codes that say more than their class does: RFC 5321 section 4.2.3. */
const codes: ReadonlyMap<string, number> = new Map([
  ['4.2.2', 452],
  ['4.3.1', 452],
  ['4.5.3', 452],
  ['5.1.3', 553],
  ['5.2.2', 552],
  ['5.3.4', 552],
  ['5.4.6', 554],
  ['5.5.4', 555],
]);

/** A fault may know its own status, which then goes before the one of its kind. */
export function replyTo(fault: Fault & { readonly status?: string }, speaker: Speaker): SmtpReply {
  const [code, status] = replies[fault.kind];
  // RFC 5321 knows no choice of language: replies are English.
  const text = speaker.say(fault.text, fault.values, 'en');
  if (fault.status === undefined) return { code, status, text };
  return { code: codes.get(fault.status) ?? (fault.status.startsWith('4') ? 451 : 550), status: fault.status, text };
}
