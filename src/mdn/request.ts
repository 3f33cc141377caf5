/** A request for a receipt, as it stands in the header of a message: what it asks for, or why nobody may answer it. RFC 8098 section 2. */
import { decodeWords } from '../message/encodedWords.ts';
import type { Mailbox } from '../model/mailbox.ts';
import { Header } from './header.ts';
import { formatMailAddress, type MailAddress, parseMailAddress, parseMailboxList, sameMailAddress } from './mailAddress.ts';

/** Why a request gets no receipt, whatever the user says. */
export type Refusal =
  | 'several-requests'
  | 'malformed-address'
  | 'several-addresses'
  | 'not-ascii'
  | 'unknown-option'
  | 'no-sender'
  | 'list'
  | 'bulk'
  | 'automatic'
  | 'report'
  | 'unwanted'
  | 'header-too-long';

/** Why no program may answer a request by itself, and the user may. */
export type Doubt = 'other-sender' | 'no-return-path' | 'not-addressed';

export interface ReceiptRequest {
  /** Where the receipt goes. */
  readonly to: MailAddress;
  /** The user's address that the message came for. */
  readonly recipient: MailAddress;
  /** What that was called when the message set out, with its type: `rfc822;abc@kvt.dk`. */
  readonly originalRecipient: string | undefined;
  /** With its angle brackets. */
  readonly messageId: string | undefined;
  /** Readable; empty: none. */
  readonly subject: string;
  /** As written; empty: none. */
  readonly date: string;
  readonly doubts: readonly Doubt[];
}

export type Finding =
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly reason: Refusal }
  | { readonly kind: 'request'; readonly request: ReceiptRequest };

/** Whose mailbox it is. */
export interface Recipient {
  readonly mailbox: Mailbox;
  /** Stands after the `@` of a user of the host, who has no domain. */
  readonly hostDomain: string;
}

const none: Finding = { kind: 'none' };
const REQUEST = 'disposition-notification-to';
/** So long a field of ours gets at most: RFC 5322 section 2.1.1 has 998 octets for a line. */
const LONGEST_ID = 900;
/** Characters of other people's fields beyond which nobody means what they say. */
const LONGEST_VALUE = 2000;
/** Characters of `To` and `Cc` that are gone through. */
const LONGEST_LIST = 20_000;

/**
 * @param octets the header, up to its blank line or further
 * @param whole false: it goes on beyond `octets`
 */
export function readRequest(octets: Uint8Array, recipient: Recipient, whole = true): Finding {
  const header = new Header(octets);
  if (!header.has(REQUEST)) return none;
  const reason = whole ? refusalOf(header) : 'header-too-long';
  if (reason !== undefined) return { kind: 'refused', reason };

  const asked = header.value(REQUEST) ?? '';
  const addresses = asked.length > LONGEST_VALUE ? [] : (parseMailboxList(asked) ?? []);
  const [to] = addresses;
  if (to === undefined) return refused('malformed-address');
  // RFC 8098 section 2.1 asks for the user's consent then, or that there be no receipt: one message, many receipts is what it guards against.
  if (!addresses.every((address) => sameMailAddress(address, to))) return refused('several-addresses');
  const user = recipientOf(header, recipient);
  if (user === undefined) return refused('malformed-address');
  // Those need SMTPUTF8 and the other media types of RFC 6533.
  if (![to, user].every(isAscii)) return refused('not-ascii');

  const messageId = header.value('message-id') ?? '';
  const request: ReceiptRequest = {
    to,
    recipient: user,
    originalRecipient: originalRecipientOf(header),
    messageId: /^<[\x21-\x3b\x3d\x3f-\x7e]+>$/.test(messageId) && messageId.length <= LONGEST_ID ? messageId : undefined,
    subject: shown(decodeWords((header.value('subject') ?? '').slice(0, LONGEST_VALUE))),
    date: shown((header.value('date') ?? '').slice(0, 100)),
    doubts: doubtsOf(header, to, user, recipient),
  };
  return { kind: 'request', request };
}

function refused(reason: Refusal): Finding {
  return { kind: 'refused', reason };
}

function refusalOf(header: Header): Refusal | undefined {
  if (header.values(REQUEST).length > 1) return 'several-requests';
  if (!header.values('disposition-notification-options').every(isOptional)) return 'unknown-option';
  if (header.trace('return-path')?.replace(/\s/g, '') === '<>') return 'no-sender';
  if (header.has('mailing-list') || Array.from(header.names).some((name) => name.startsWith('list-'))) return 'list';
  if (header.values('precedence').some((value) => /^(?:bulk|list|junk)\b/i.test(value))) return 'bulk';
  if (header.values('auto-submitted').some((value) => !/^no(?:$|[\s;(])/i.test(value))) return 'automatic';
  // RFC 8098 section 3: there is no receipt for a receipt; nor for any other report.
  if (header.values('content-type').some((value) => /^(?:multipart\/report|message\/[\w-]*(?:notification|status)\b)/i.test(value)))
    return 'report';
  // Of Exchange: RN says that no receipt is wanted for a message that has been read.
  if (header.values('x-auto-response-suppress').some((value) => /\b(?:all|rn)\b/i.test(value))) return 'unwanted';
  return undefined;
}

/** We know no parameter, so that none may be required. RFC 8098 section 2.2. */
function isOptional(value: string): boolean {
  const parameter = /^\s*[^\s=;,"]+\s*=\s*optional\s*,/i;
  return value.split(';').every((part) => parameter.test(part) || part.trim() === '');
}

/** The address that the envelope had, as delivery has written it down; where it has not, the account's own. */
function recipientOf(header: Header, { mailbox, hostDomain }: Recipient): MailAddress | undefined {
  for (const name of ['x-original-to', 'delivered-to']) {
    const address = parseMailAddress(header.trace(name) ?? '');
    if (address !== undefined) return address;
  }
  return ownAddress({ mailbox, hostDomain });
}

function ownAddress({ mailbox, hostDomain }: Recipient): MailAddress | undefined {
  return parseMailAddress(mailbox.domain === undefined ? `"${mailbox.user}"@${hostDomain}` : `"${mailbox.user}"@${mailbox.domain}`);
}

/**
 * RFC 8098 section 2.3: the final mail server writes `Original-Recipient` where the sender's had told it. Else the address that ours was
 * given is the first one known.
 */
function originalRecipientOf(header: Header): string | undefined {
  const told = /^([\w-]+)\s*;\s*([\x21-\x7e]+)$/.exec(header.trace('original-recipient') ?? '');
  if (told !== null && told[0].length <= LONGEST_ID) return `${told[1]};${told[2]}`;
  const address = parseMailAddress(header.trace('x-original-to') ?? '');
  return address === undefined || !isAscii(address) ? undefined : `rfc822;${formatMailAddress(address)}`;
}

function doubtsOf(header: Header, to: MailAddress, user: MailAddress, recipient: Recipient): Doubt[] {
  const doubts: Doubt[] = [];
  const returnPath = header.trace('return-path');
  const sender = returnPath === undefined ? undefined : parseMailAddress(returnPath);
  if (returnPath === undefined) doubts.push('no-return-path');
  else if (sender === undefined || !sameMailAddress(sender, to)) doubts.push('other-sender');
  if (!isAddressed(header, [user, ownAddress(recipient), parseMailAddress(header.trace('delivered-to') ?? '')]))
    doubts.push('not-addressed');
  return doubts;
}

/** One of the user's addresses stands where the sender sees it, too. In any case: what we compare it to is folded to lower case. */
function isAddressed(header: Header, addresses: readonly (MailAddress | undefined)[]): boolean {
  const known = new Set(addresses.map((address) => (address === undefined ? '' : folded(address))));
  const named = [...header.values('to'), ...header.values('cc')].flatMap((value) => addressesIn(value.slice(0, LONGEST_LIST)));
  return named.some((address) => known.has(folded(address)));
}

/** Also where one of them, or the group they are in, can't be read: here nothing is sent to them. */
function addressesIn(value: string): readonly MailAddress[] {
  const list = parseMailboxList(value);
  if (list !== undefined) return list;
  return value.split(/[\s<>,;:()"]+/).flatMap((text) => parseMailAddress(text) ?? []);
}

function folded({ local, domain }: MailAddress): string {
  return `${local.toLowerCase()}@${domain}`;
}

/** Nothing that moves a cursor, or turns what stands beside it around. */
function shown(text: string): string {
  return text.replace(/[\p{Cc}\u2028-\u202e\u2066-\u2069]+/gu, ' ').trim();
}

function isAscii({ local }: MailAddress): boolean {
  return /^[\x20-\x7e]*$/.test(local);
}
