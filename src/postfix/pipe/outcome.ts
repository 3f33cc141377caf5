/**
 * What a delivery comes to in the language of Postfix's pipes: an exit status, and a first line of output that begins with an enhanced
 * status code, which goes before the exit status where that isn't 0. Of the statuses 71 and 75 make mail wait; with any other but 0 its sender
 * gets it back. Postfix, src/global/pipe_command.c and sys_exits.c.
 */
import { isAccepted, type LmtpReply, type Transmission } from './lmtpClient.ts';

export interface Outcome {
  readonly status: ExitStatus;
  /** Empty where there is nothing to say. */
  readonly line: string;
}

/** Of sysexits.h; os/exitCodes.ts has them all. */
export type ExitStatus = 0 | 65 | 67 | 69 | 73 | 75 | 77;

const longestText = 400;

export function outcomeOf(transmission: Transmission, recipients: readonly string[]): Outcome {
  if (transmission.kind !== 'answered') return later('4.4.2', transmission.why);
  const failures = transmission.replies.flatMap((reply, i) => (isAccepted(reply) ? [] : [{ reply, recipient: recipients[i] ?? '' }]));
  // One status for all: where somebody's mail is to wait, the whole message is.
  const worst = failures.find(({ reply }) => isTemporary(reply)) ?? failures[0];
  if (worst === undefined) return { status: 0, line: '' };
  const { status, text } = parted(worst.reply);
  const said = recipients.length > 1 ? `<${worst.recipient}>: ${text}` : text;
  return isTemporary(worst.reply)
    ? later(status.startsWith('4.') ? status : '4.3.0', said)
    : { status: exitStatusOf(status), line: lineOf(status, said) };
}

/** The mail waits. */
export function later(status: string, why: string): Outcome {
  return { status: 75, line: lineOf(status, why) };
}

/** There can be no such mailbox. */
export const noSuchAddress: Outcome = { status: 67, line: '5.1.3 this is no mail address' };

/** A code that contradicts its own text isn't believed for good. */
function isTemporary(reply: LmtpReply): boolean {
  return reply.code < 500 || !parted(reply).status.startsWith('5.');
}

function parted({ code, text }: LmtpReply): { readonly status: string; readonly text: string } {
  const [, status, rest] = /^([245]\.\d{1,3}\.\d{1,3})(?: +(.*))?$/.exec(text) ?? [];
  return status === undefined ? { status: code < 500 ? '4.0.0' : '5.0.0', text } : { status, text: rest ?? '' };
}

function exitStatusOf(status: string): ExitStatus {
  if (status.startsWith('5.1.')) return 67;
  if (status.startsWith('5.2.')) return 73;
  if (status.startsWith('5.6.') || status === '5.3.4') return 65;
  return status.startsWith('5.7.') ? 77 : 69;
}

function lineOf(status: string, text: string): string {
  return `${status} ${text.replace(/[^\x20-\x7e]/g, '?').slice(0, longestText)}`;
}
