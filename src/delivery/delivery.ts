/** Envelope and message in, one outcome per envelope recipient out. */

import { editFields } from '../message/fields.ts';
import { fieldValue, fieldValues, headerFields } from '../message/header.ts';
import type { Account, HostedDomain } from '../model/directory.ts';
import type { Envelope } from '../model/envelope.ts';
import { Fault } from '../model/fault.ts';
import type { MaildropStore } from '../model/maildrop.ts';
import type { Octets } from '../model/octets.ts';
import type { PartialDeliveries } from './partialDeliveries.ts';
import { type QuotaPolicy, withinQuota } from './quotaPolicy.ts';
import type { Destination } from './resolver.ts';
import type { ReceivedMessage } from './spool.ts';
import { onwardFields, type Reception, traceFields } from './traceFields.ts';
import { Undeliverable } from './undeliverable.ts';

export interface Recipient {
  /** As it came in RCPT, without angle brackets. */
  readonly address: string;
  /** ORCPT: what the deliverer says it was before aliases. */
  readonly original: string | undefined;
  readonly destinations: readonly Destination[];
}

export interface Transaction {
  /** Without angle brackets; empty for a bounce. */
  readonly sender: string;
  readonly recipients: readonly Recipient[];
  readonly reception: Reception;
  readonly receivedAt: Date;
}

export interface Outcome {
  /** `undefined`: delivered, and it would survive a power cut. */
  readonly fault: Fault | undefined;
  readonly ms: number;
}

/** A message that goes on to somewhere else. */
export interface Onward {
  /** The destination, and the domain of ours whose mail it is. */
  readonly address: string;
  readonly by: HostedDomain;
  /** Of the message as it came here. */
  readonly envelope: Envelope;
  /** Of this transaction, as in the log. */
  readonly id: string;
}

/** Somebody whose mail has arrived, or has gone on. */
export interface Delivered {
  readonly account: Account;
  readonly envelope: Envelope;
  /** The beginning of the message, with its header. */
  readonly head: Uint8Array;
}

export interface DeliveryOptions {
  readonly store: MaildropStore;
  /** What mailboxes may hold. Left out: as much as there is. */
  readonly limits?: QuotaPolicy | undefined;
  /** Resolves when whoever takes the message has it. @throws Fault */
  readonly sendOn: (content: Octets, onward: Onward) => Promise<void>;
  /** Told when nothing can come in between any more, once for each recipient that led to the account. Returns at once and never throws. */
  readonly delivered?: ((delivered: Delivered) => void) | undefined;
  /** Who has a message of which others haven't their copy yet. */
  readonly partial: PartialDeliveries;
  /** Milliseconds of a clock that only goes forward. */
  readonly clock: () => number;
}

type Work = () => Promise<void>;

/** Deliveries of one message that run side by side: each of them may hold a copy. */
const sideBySide = 8;
/** Received lines of a message that has come far enough: RFC 5321 section 6.3 says at least 100. */
const MOST_HOPS = 100;

/** What says where a message has been must be ours; the same names further down are somebody else's word. */
const forgeable = ['Delivered-To', 'Return-Path'];
/** What the deliverer itself put there is said again by ours. */
const repeated = { names: ['X-Original-To'], above: 'Received' };

/** Outcomes in the order of the recipients; never rejects. The same recipient twice is one delivery. */
export async function deliver(
  message: ReceivedMessage,
  transaction: Transaction,
  { store, limits, sendOn, delivered, partial, clock }: DeliveryOptions,
): Promise<readonly Outcome[]> {
  const header = readHeader(message.head);
  const content = singlePiece(editFields(message.content, { strip: forgeable, stripOnTop: repeated }));
  const deliveries = new Map<string, Promise<Outcome>>();
  const goneOn = new Map<string, Promise<void>>();
  const waiting: (() => void)[] = [];
  let running = 0;

  async function inTurn(work: () => Promise<void>): Promise<void> {
    if (running >= sideBySide) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      await work();
    } finally {
      running--;
      waiting.shift()?.();
    }
  }

  const one = async (recipient: Recipient): Promise<Outcome> => {
    const startedAt = clock();
    const envelope: Envelope = {
      sender: transaction.sender,
      recipient: recipient.address,
      originalRecipient: recipient.original ?? header.originalTo ?? recipient.address,
      receivedAt: transaction.receivedAt,
    };
    const fault = await toAll(recipient, envelope);
    if (fault === undefined) tell(recipient.destinations, envelope);
    return { fault, ms: clock() - startedAt };
  };

  /** Mailboxes first; who has it since an earlier try is left out. */
  async function toAll({ address, destinations }: Recipient, envelope: Envelope): Promise<Fault | undefined> {
    const here = new Map<string, Work>();
    const onward = new Map<string, Work>();
    for (const one of destinations) {
      if (one.kind === 'forward') onward.set(`→ ${one.address}`, () => goOn(one, envelope));
      else if (one.keeps) here.set(one.account.mailbox.name, () => keep(one.account, envelope));
    }
    if (here.size + onward.size < 2) return worst(await tryAll([...here, ...onward], new Set()));
    const course = { content: message.content, sender: transaction.sender, recipient: `${address}\n${envelope.originalRecipient}` };
    const had = await partial.had(course);
    const has = new Set(had);
    const fault = worst([...(await tryAll(here, has)), ...(await tryAll(onward, has))]);
    if (fault !== undefined && isWorthATry(fault)) {
      if (has.size > had.size) await partial.note(course, has);
    } else if (had.size > 0) await partial.forget(course);
    return fault;
  }

  /** What failed. @param has those that have it, added to */
  async function tryAll(works: Iterable<readonly [string, Work]>, has: Set<string>): Promise<Fault[]> {
    const open = [...works].filter(([name]) => !has.has(name));
    const settled = await Promise.allSettled(open.map(([, work]) => inTurn(work)));
    return settled.flatMap((result, index) => {
      if (result.status === 'rejected') return [Fault.from(result.reason)];
      has.add(open[index]?.[0] ?? '');
      return [];
    });
  }

  async function keep(account: Account, envelope: Envelope): Promise<void> {
    const { mailbox } = account;
    if (header.deliveredTo.has(mailbox.name.toLowerCase())) throw new Undeliverable('5.4.6', 'mail forwarding loop');
    const fields = Buffer.from(traceFields(mailbox.name, envelope, transaction.reception) + header.gap);
    const whole = following(fields, content);
    if (limits === undefined) await store.deliver(mailbox, whole, envelope);
    else await withinQuota(limits, () => limits.quota.deliver(account, whole, envelope));
  }

  /** Wherever recipients of the same message lead to the same address, it goes there once. */
  function goOn({ address, by }: Extract<Destination, { kind: 'forward' }>, envelope: Envelope): Promise<void> {
    const key = address.toLowerCase();
    const going = goneOn.get(key) ?? goOnNow({ address, by, envelope, id: transaction.reception.id });
    goneOn.set(key, going);
    return going;
  }

  async function goOnNow(onward: Onward): Promise<void> {
    const { envelope } = onward;
    const hasBeenHere = header.deliveredTo.has(envelope.recipient.toLowerCase());
    if (hasBeenHere || header.hops >= MOST_HOPS) throw new Undeliverable('5.4.6', 'mail forwarding loop');
    const fields = Buffer.from(onwardFields(envelope, transaction.reception) + header.gap);
    // Nothing of it is touched: signatures hold at its next stop.
    await sendOn(following(fields, message.content), onward);
  }

  function tell(destinations: readonly Destination[], envelope: Envelope): void {
    for (const one of destinations) if (one.kind === 'account') delivered?.({ account: one.account, envelope, head: message.head });
  }

  return Promise.all(
    transaction.recipients.map((recipient) => {
      const key = `${recipient.address}\n${recipient.original ?? ''}`;
      const delivery = deliveries.get(key) ?? one(recipient);
      deliveries.set(key, delivery);
      return delivery;
    }),
  );
}

/** One that may pass by trying again comes before one that won't. */
function worst(faults: readonly Fault[]): Fault | undefined {
  return faults.find(isWorthATry) ?? faults[0];
}

function isWorthATry({ kind }: Fault): boolean {
  return kind !== 'permanent' && kind !== 'not-found';
}

interface ReadHeader {
  /** In lower case. */
  readonly deliveredTo: ReadonlySet<string>;
  /** Received lines. */
  readonly hops: number;
  /** What the deliverer put there. */
  readonly originalTo: string | undefined;
  /** What keeps a message that begins with white space from going on where the last new field ends. */
  readonly gap: string;
}

function readHeader(head: Uint8Array): ReadHeader {
  const deliveredTo = new Set(fieldValues(head, 'Delivered-To').map((value) => value.toLowerCase()));
  const hops = fieldValues(head, 'Received').length;
  return { deliveredTo, hops, originalTo: originalTo(head), gap: head[0] === 0x20 || head[0] === 0x09 ? '\r\n' : '' };
}

/** Postfix' lmtp(8) with flags=O puts X-Original-To first; one below a Received line came from elsewhere. */
function originalTo(head: Uint8Array): string | undefined {
  for (const field of headerFields(head)) {
    const name = field.name.toLowerCase();
    if (name === 'received') return undefined;
    if (name === 'x-original-to') return fieldValue(head, field) || undefined;
  }
  return undefined;
}

/** Small messages in one piece, so that each delivery is one write. */
function singlePiece(octets: Octets): Octets {
  if (!(Symbol.iterator in octets)) return octets;
  const pieces = [...octets];
  return pieces.length === 1 ? pieces : [Buffer.concat(pieces)];
}

function following(first: Uint8Array, rest: Octets): Octets {
  if (Symbol.iterator in rest) return [Buffer.concat([first, ...rest])];
  return {
    async *[Symbol.asyncIterator]() {
      yield first;
      yield* rest;
    },
  };
}

/** Where nothing takes mail for somewhere else: it waits until something does. */
export function cannotSendOn(): Promise<never> {
  return Promise.reject(new Undeliverable('4.3.5', 'mail can not go on to other hosts from here'));
}
