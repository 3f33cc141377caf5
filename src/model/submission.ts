/** Mail of our own making, or that goes on to somewhere else: handed to the host's mail server, which looks after it from then on. */
import type { Octets } from './octets.ts';

export interface SubmissionEnvelope {
  /** Without angle brackets; empty: bounces go nowhere. */
  readonly sender: string;
  /** At least one, without angle brackets. */
  readonly recipients: readonly string[];
}

export interface Submission {
  /** Resolves when the mail server has taken the message for all recipients. Line ends may be CRLF or LF. @throws Fault temporary, permanent */
  submit(message: Octets, envelope: SubmissionEnvelope): Promise<void>;
}
