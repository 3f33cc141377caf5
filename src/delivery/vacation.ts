/**
 * Who gets an answer from somebody who is away, and who doesn't: RFC 3834 section 2. An answer too few annoys one person, an answer too many can go
 * round for ever: in doubt there is none.
 */
import addressparser from 'nodemailer/lib/addressparser';
import { fieldValue, headerFields } from '../message/header.ts';
import { formatAddress, parseAddress } from '../model/address.ts';
import { dayAt } from '../model/day.ts';
import type { Vacation } from '../model/directory.ts';
import { parseEnvelopeAddress } from '../model/envelopeAddress.ts';
import type { Mailbox } from '../model/mailbox.ts';

export interface VacationQuestion {
  readonly vacation: Vacation;
  readonly mailbox: Mailbox;
  /** Without angle brackets; empty for a bounce. */
  readonly sender: string;
  /** As it came here, and what it was before aliases. */
  readonly recipient: string;
  readonly originalRecipient: string;
  /** The message, as far as its header goes at least. */
  readonly head: Uint8Array;
  /** ms since 1970. */
  readonly now: number;
}

export type VacationVerdict =
  /** `from`: the address of the user's that the message was for. `key`: the sender, by a name that stays the same. */
  { readonly answers: true; readonly from: string; readonly key: string } | { readonly answers: false; readonly why: string };

/** Whether the sender gets an answer, unless there was one lately. */
export function judgeVacation(question: VacationQuestion): VacationVerdict {
  const why = notNow(question) ?? notThatSender(question) ?? notThatMessage(question.head);
  if (why !== undefined) return { answers: false, why };
  const known = addressesOf(question);
  const sender = canonical(question.sender);
  if (known.has(sender)) return { answers: false, why: 'from the user' };
  const from = addressedTo(question.head, known);
  if (from === undefined) return { answers: false, why: 'not addressed to the user' };
  return { answers: true, from, key: stableName(sender) };
}

function notNow({ vacation: { from, until, timeZone }, now }: VacationQuestion): string | undefined {
  if (from === undefined && until === undefined) return undefined;
  const today = dayAt(now, timeZone);
  if (from !== undefined && today < from) return 'not away yet';
  return until !== undefined && today > until ? 'back again' : undefined;
}

/** Local parts that programs have. */
const ofPrograms =
  /^(?:mailer-daemon|mailer|listserv|majordomo|mdaemon|postmaster|uucp|nobody|bounces?(?:-.*)?|(?:do[-_.]?)?not?[-_.]?reply(?:[-_].*)?|owner-.*|.*-(?:owner|request|bounces?|relay))$/;

function notThatSender({ sender }: VacationQuestion): string | undefined {
  if (sender === '') return 'a bounce';
  const parsed = parseEnvelopeAddress(sender);
  if (parsed === undefined) return 'no address';
  const local = parsed.local.toLowerCase();
  // VERP puts the recipient behind a plus; BATV and SRS put what they need before an equals sign.
  const names = [local, local.slice(local.lastIndexOf('=') + 1)].map((name) => name.replace(/\+.*$/s, ''));
  return names.some((name) => ofPrograms.test(name)) ? 'from a program' : undefined;
}

/** By name of the field, in lower case: whether this value of it speaks against an answer. */
const againstIt: ReadonlyMap<string, (value: string) => boolean> = new Map([
  // RFC 3834 section 5: parameters may follow.
  ['auto-submitted', (value: string) => word(value) !== 'no'],
  ['precedence', (value: string) => ['bulk', 'list', 'junk', 'auto_reply'].includes(word(value))],
  // Microsoft's: a list of kinds of answers that are not wanted.
  [
    'x-auto-response-suppress',
    (value: string) => value.split(',').some((kind) => ['all', 'oof', 'autoreply'].includes(kind.trim().toLowerCase())),
  ],
  ['x-autoreply', (value: string) => word(value) !== 'no'],
  ['x-autorespond', () => true],
  ['x-spam-flag', (value: string) => word(value) === 'yes'],
  // Reports about deliveries, also those that don't come from the null sender.
  ['content-type', (value: string) => word(value) === 'multipart/report'],
]);

/** Up to a parameter or comment, in lower case. */
function word(value: string): string {
  return value
    .replace(/[;(].*$/s, '')
    .trim()
    .toLowerCase();
}

function notThatMessage(head: Uint8Array): string | undefined {
  for (const field of headerFields(head)) {
    const name = field.name.toLowerCase();
    // RFC 2369, RFC 2919: whatever it says about a list, it comes from one.
    if (name.startsWith('list-')) return 'from a list';
    if (againstIt.get(name)?.(fieldValue(head, field)) === true) return `${field.name} says so`;
  }
  return undefined;
}

/** Those a message may be for, by their canonical names; each as it is to stand in From. */
function addressesOf({ vacation, mailbox, recipient, originalRecipient }: VacationQuestion): ReadonlyMap<string, string> {
  const own = mailbox.domain === undefined ? [] : [mailbox.name];
  const all = [...own, recipient, originalRecipient, ...vacation.addresses].filter(
    (address) => parseEnvelopeAddress(address) !== undefined,
  );
  return new Map(all.map((address) => [canonical(address), address]));
}

/** Domains may be written in more than one way; users of one domain that differ by case only are rare. */
function canonical(address: string): string {
  const parsed = parseAddress(address);
  return parsed === undefined ? address.normalize('NFC').toLowerCase() : formatAddress(parsed);
}

const recipientFields = new Set(['to', 'cc', 'bcc', 'resent-to', 'resent-cc', 'resent-bcc']);
/** Octets of them that are looked at: whoever writes to so many doesn't wait for this one's answer. */
const MOST_RECIPIENTS = 32_768;

function addressedTo(head: Uint8Array, known: ReadonlyMap<string, string>): string | undefined {
  let left = MOST_RECIPIENTS;
  for (const field of headerFields(head)) {
    if (!recipientFields.has(field.name.toLowerCase())) continue;
    left -= field.end - field.start;
    if (left < 0) return undefined;
    for (const { address } of addressparser(fieldValue(head, field), { flatten: true })) {
      const found = known.get(canonical(address));
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** Without what BATV, SRS and VERP with a number change from one message to the next. */
function stableName(sender: string): string {
  return sender
    .replace(/^prvs=[^=]*=/, '')
    .replace(/^srs[01][=+-][^=]*=(?:[^=]*=(?=[^=]*=))?/, '')
    .replace(/\d{5,}/g, '0');
}
