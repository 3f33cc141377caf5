/** What can go wrong, in the language of no protocol. Each edge has one table that puts the kind in its own words. */
import type { Text, Values } from '../texts/index.ts';

export type FaultKind =
  | 'syntax' // the request can't be understood; the person at the other end must change it
  | 'wrong-state' // understood, but not now
  | 'not-found' // no such message, mailbox or user
  | 'exists' // it is there already
  | 'auth' // who it is could not be shown; never says why
  | 'login-delay' // too soon after the last login
  | 'in-use' // another session has it
  | 'over-quota' // no room by rule
  | 'temporary' // trouble here; trying again may help
  | 'permanent'; // trouble here; trying again will not help

/**
 * A refusal with a sentence for the person outside: `text` holds no path, no SQL and no hint who exists.
 * What the host should know goes into `cause` and reaches the log only.
 */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly kind: FaultKind;
  readonly text: Text;
  readonly values: Values;

  constructor(kind: FaultKind, text: Text, details: { values?: Values; cause?: unknown } = {}) {
    super(text, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.text = text;
    this.values = details.values ?? {};
  }

  /** A fault as it is; anything nobody foresaw becomes `temporary`, with the original as its cause. */
  static from(thrown: unknown): Fault {
    return thrown instanceof Fault ? thrown : new Fault('temporary', 'internal error', { cause: thrown });
  }
}
