/** What a mail connection does with its transactions, over LMTP and SMTP alike: resolve at RCPT, spool at DATA, deliver, reply. */
import type { SMTPServerAddress, SMTPServerDataStream, SMTPServerSession } from 'smtp-server';
import {
  type DeliveryOptions,
  type DeliveryTrace,
  type Destination,
  deliver,
  messageFacts,
  noTrace,
  type Outcome,
  type ReceivedMessage,
  type Recipient,
  type Resolver,
  requireAnyRoom,
  Spool,
  type SpoolOptions,
  Undeliverable,
} from '../delivery/index.ts';
import { originalRecipient } from '../lmtp/arguments.ts';
import { replyTo } from '../lmtp/replies.ts';
import type { Step } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import type { Log } from '../model/log.ts';
import { type DeliveriesUnderWay, noDeliveryCounts } from '../model/report.ts';
import type { Speaker } from '../texts/speaker.ts';

export interface ReceptionOptions extends DeliveryOptions {
  readonly resolver: Resolver;
  readonly speaker: Speaker;
  readonly log: Log;
  readonly now: () => number;
  readonly hostname: string;
  readonly spool: SpoolOptions;
  readonly maxMessageOctets: number;
  readonly maxRecipients: number;
  /** Told what becomes of each message. Default: nobody is. */
  readonly trace?: DeliveryTrace;
}

const nothingAccepted: Accepted = { sender: '', declaredOctets: 0, recipients: [] };

type Done = (error?: Error | null, replies?: string | (string | Error)[]) => void;

interface Accepted {
  readonly sender: string;
  /** SIZE of MAIL, RFC 1870; 0: not told. */
  readonly declaredOctets: number;
  /** One for each RCPT that was accepted, so that each gets its reply, also the same one twice. RFC 2033 section 4.2. */
  readonly recipients: Resolved[];
}

interface Resolved extends Recipient {
  readonly steps: readonly Step[];
}

/** A message for one recipient after another, as the log and the trace tell of it. */
interface Told {
  readonly id: string;
  readonly sender: string;
  readonly client: string;
  readonly queueId?: string | undefined;
  readonly messageId?: string | undefined;
  readonly octets?: number | undefined;
}

export class MailReception {
  readonly #options: ReceptionOptions;
  readonly #service: 'lmtp' | 'smtp';
  readonly #accepted = new WeakMap<SMTPServerSession, Accepted>();
  readonly counts = noDeliveryCounts();
  /** Messages of which only a part is here. */
  readonly #receiving = new Set<Spool>();
  /** Messages that no reply was given for yet. */
  readonly #held = new Set<Spool>();
  #delivering = 0;

  constructor(service: 'lmtp' | 'smtp', options: ReceptionOptions) {
    this.#service = service;
    this.#options = options;
  }

  get underWay(): DeliveriesUnderWay {
    let spooledOctets = 0;
    for (const spool of this.#held) spooledOctets += spool.octets;
    return { receiving: this.#receiving.size, delivering: this.#delivering, spooledOctets };
  }

  readonly onMailFrom = (sender: SMTPServerAddress, session: SMTPServerSession, done: Done): void => {
    const unknown = unknownParameter(sender, knownToMail);
    if (unknown === undefined)
      this.#accepted.set(session, { sender: sender.address, declaredOctets: declaredOctets(sender), recipients: [] });
    done(unknown && this.#refusal(unknown));
  };

  readonly onRcptTo = (recipient: SMTPServerAddress, session: SMTPServerSession, done: Done): void => {
    this.#accept(recipient, session).then(
      () => done(),
      (thrown: unknown) => done(this.#refusal(Fault.from(thrown))),
    );
  };

  readonly onData = (stream: SMTPServerDataStream, session: SMTPServerSession, done: Done): void => {
    const { maxMessageOctets, spool: spoolOptions } = this.#options;
    const spool = new Spool(spoolOptions);
    this.#receiving.add(spool);
    this.#held.add(spool);
    let fault: Fault | undefined;
    const give = (up: Fault) => {
      fault = up;
      spool.discard();
    };
    stream.on('data', (chunk: Buffer) => {
      // What is too large or can't be kept is still read to its end, where the reply is due.
      if (fault) return;
      if (spool.octets + chunk.length > maxMessageOctets)
        return give(new Undeliverable('5.3.4', 'message too large, the limit is {limit} octets', { values: { limit: maxMessageOctets } }));
      const written = spool.write(chunk);
      if (!written) return;
      stream.pause();
      written
        .catch((cause: unknown) => give(new Undeliverable('4.3.1', 'no room for the message at the moment', { cause })))
        .then(() => stream.resume());
    });
    // The client went away: half a message is none.
    stream.on('error', () => {
      spool.discard();
      this.#receiving.delete(spool);
      this.#held.delete(spool);
    });
    stream.on('end', () => {
      this.#receiving.delete(spool);
      const received = fault ? Promise.reject(fault) : spool.finish();
      received
        .then((message) => this.#deliver(message, session))
        .then(
          (replies) => {
            this.#held.delete(spool);
            done(null, replies);
          },
          (thrown: unknown) => {
            spool.discard();
            this.#held.delete(spool);
            done(null, this.#failAll(session, Fault.from(thrown)));
          },
        );
    });
  };

  async #accept(recipient: SMTPServerAddress, session: SMTPServerSession): Promise<void> {
    const { resolver, limits, maxRecipients } = this.#options;
    const accepted = this.#accepted.get(session);
    const unknown = unknownParameter(recipient, knownToRcpt);
    if (unknown) throw unknown;
    if (!accepted || accepted.recipients.length >= maxRecipients) throw new Undeliverable('4.5.3', 'too many recipients');
    const { address } = recipient;
    const resolution = await resolver.resolve(address);
    const { steps } = resolution;
    try {
      if (resolution.outcome !== 'deliver') throw resolution.fault;
      const { destinations } = resolution;
      if (limits !== undefined) await requireAnyRoom(limits, destinations, accepted.declaredOctets);
      accepted.recipients.push({ address, original: originalOf(recipient), destinations, steps });
    } catch (thrown) {
      const fault = Fault.from(thrown);
      this.#noteRefused({ address, original: originalOf(recipient), destinations: [], steps }, accepted, session, fault);
      throw fault;
    }
  }

  #noteRefused(recipient: Resolved, { sender }: Accepted, session: SMTPServerSession, fault: Fault): void {
    const { log } = this.#options;
    const fields = { session: session.id, recipient: recipient.address, sender, ...whyOf(fault) };
    this.#countRoom(fault);
    if (replyTo(fault, this.#options.speaker).code < 500) {
      this.counts.deferred++;
      log.warn(`${this.#service}.deferred`, fields);
    } else {
      this.counts.refused++;
      log.info(`${this.#service}.refused`, fields);
    }
    this.#trace({ id: session.id, sender, client: clientOf(session) }, recipient, { fault, ms: undefined });
  }

  async #deliver(message: ReceivedMessage, session: SMTPServerSession): Promise<string | (string | Error)[]> {
    const { store, limits, sendOn, delivered, partial, clock, now, hostname } = this.#options;
    const accepted = this.#accepted.get(session) ?? nothingAccepted;
    const id = `${session.id}.${session.transaction}`;
    const reception = {
      protocol:
        (session.envelope.smtpUtf8 ? 'UTF8' : '') +
        (session.envelope.smtpUtf8 ? session.transmissionType.replace(/^E/, '') : session.transmissionType),
      clientName: session.hostNameAppearsAs || 'unknown',
      clientAddress: session.remoteAddress || undefined,
      hostname,
      id,
    };
    this.counts.messages++;
    this.counts.octets += message.octets;
    this.#delivering += accepted.recipients.length;
    try {
      const outcomes = await deliver(
        message,
        { ...accepted, reception, receivedAt: new Date(now()) },
        { store, limits, sendOn, delivered, partial, clock },
      );
      const told = { id, sender: accepted.sender, client: clientOf(session), ...messageFacts(message.head), octets: message.octets };
      for (const [i, outcome] of outcomes.entries()) this.#note(told, accepted.recipients[i], outcome);
      const replies = outcomes.map(({ fault }) => (fault ? this.#refusal(fault) : `2.0.0 delivered as ${id}`));
      return this.#service === 'lmtp' ? replies : [oneReply(replies)];
    } finally {
      this.#delivering -= accepted.recipients.length;
      message.close();
    }
  }

  /** Before any delivery was tried. */
  #failAll(session: SMTPServerSession, fault: Fault): (string | Error)[] {
    const accepted = this.#accepted.get(session) ?? nothingAccepted;
    const told = { id: `${session.id}.${session.transaction}`, sender: accepted.sender, client: clientOf(session) };
    for (const recipient of accepted.recipients) this.#note(told, recipient, { fault, ms: 0 });
    const replies = accepted.recipients.map(() => this.#refusal(fault));
    return this.#service === 'lmtp' ? replies : replies.slice(0, 1);
  }

  #note(told: Told, recipient: Resolved | undefined, outcome: Outcome): void {
    const { log } = this.#options;
    const { fault } = outcome;
    const ms = Math.round(outcome.ms * 10) / 10;
    const { id, sender, queueId, messageId, octets } = told;
    const fields = {
      id,
      queueId,
      messageId,
      sender,
      recipient: recipient?.address,
      ...whereTo(recipient),
      rules: rulesOf(recipient),
      octets,
      ms,
    };
    if (recipient !== undefined) this.#trace(told, recipient, { fault, ms });
    if (fault) {
      this.#countRoom(fault);
      if (replyTo(fault, this.#options.speaker).code < 500) this.counts.failedTemporarily++;
      else this.counts.failedPermanently++;
      log.warn(`${this.#service}.failed`, { ...fields, ...whyOf(fault) });
    } else {
      this.counts.delivered++;
      log.info(`${this.#service}.delivered`, fields);
    }
  }

  #countRoom(fault: Fault): void {
    if (fault.kind === 'over-quota' || (fault instanceof Undeliverable && fault.status.endsWith('.2.2'))) this.counts.overQuota++;
  }

  #trace(
    told: Told,
    { address, original, destinations, steps }: Resolved,
    { fault, ms }: { fault: Fault | undefined; ms: number | undefined },
  ): void {
    const { trace = noTrace, now, speaker } = this.#options;
    const reply = fault && replyTo(fault, speaker);
    trace.note({
      time: new Date(now()).toISOString(),
      result: reply === undefined ? 'delivered' : reply.code < 500 ? 'deferred' : 'refused',
      ...told,
      recipient: address,
      original,
      steps: applied(steps).map(({ rule, outcome }) => [rule, outcome]),
      to: namesOf(destinations),
      why: reply && `${reply.status} ${reply.text}`,
      ms,
    });
  }

  #refusal(fault: Fault): Error {
    const { code, status, text } = replyTo(fault, this.#options.speaker);
    return Object.assign(new Error(`${status} ${text}`), { responseCode: code });
  }
}

/** SMTP has one reply for all recipients. Where some have the message and others not, the client is to try again: twice is better than never. */
function oneReply(replies: readonly (string | Error)[]): string | Error {
  const failed = replies.filter((reply) => reply instanceof Error);
  const temporary = failed.find((reply) => reply.message.startsWith('4'));
  return temporary ?? failed[0] ?? replies[0] ?? '2.0.0 delivered';
}

/** SIZE, BODY and SMTPUTF8 are announced; RET, ENVID, NOTIFY, ORCPT and AUTH come from clients that take DSN and AUTH for granted. */
const knownToMail = new Set(['SIZE', 'BODY', 'SMTPUTF8', 'RET', 'ENVID', 'AUTH']);
const knownToRcpt = new Set(['NOTIFY', 'ORCPT']);

function unknownParameter(address: SMTPServerAddress, known: ReadonlySet<string>): Fault | undefined {
  for (const parameter of parametersOf(address).keys())
    if (!known.has(parameter)) return new Undeliverable('5.5.4', 'parameter {parameter} is not known here', { values: { parameter } });
  return undefined;
}

/** RFC 1870 section 6.2: digits; more of them than any message has octets are as good as none. */
function declaredOctets(sender: SMTPServerAddress): number {
  const size = parametersOf(sender).get('SIZE');
  return typeof size === 'string' && /^\d{1,15}$/.test(size) ? Number(size) : 0;
}

function originalOf(recipient: SMTPServerAddress): string | undefined {
  const orcpt = parametersOf(recipient).get('ORCPT');
  return typeof orcpt === 'string' ? originalRecipient(orcpt) : undefined;
}

function clientOf(session: SMTPServerSession): string {
  return session.remoteAddress || 'local';
}

/** Steps that led on. */
function applied(steps: readonly Step[]): readonly Step[] {
  return steps.filter(({ outcome }) => outcome !== 'does not apply');
}

/** What every address goes through says nothing about one. */
const usualSteps = new Set(['address', 'domain']);

function rulesOf(recipient: Resolved | undefined): string | undefined {
  const rules = applied(recipient?.steps ?? []).flatMap(({ rule }) => (usualSteps.has(rule) ? [] : [rule]));
  return rules.length === 0 ? undefined : rules.join(', ');
}

function namesOf(destinations: readonly Destination[]): string[] {
  return destinations.flatMap((one) => {
    if (one.kind === 'forward') return [one.address];
    return one.keeps ? [one.account.mailbox.name] : [];
  });
}

function parametersOf({ args }: SMTPServerAddress): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(args || {}));
}

/** Names of mailboxes, and addresses elsewhere, parted by commas: nothing for what is not there. */
function whereTo(recipient: Recipient | undefined): { mailbox?: string; forward?: string } {
  const mailboxes: string[] = [];
  const forwards: string[] = [];
  for (const destination of recipient?.destinations ?? []) {
    if (destination.kind === 'forward') forwards.push(destination.address);
    else if (destination.keeps) mailboxes.push(destination.account.mailbox.name);
  }
  return {
    ...(mailboxes.length > 0 && { mailbox: mailboxes.join(', ') }),
    ...(forwards.length > 0 && { forward: forwards.join(', ') }),
  };
}

function whyOf(fault: Fault): { why: string; cause: unknown } {
  return { why: fault.message, cause: fault.cause };
}
