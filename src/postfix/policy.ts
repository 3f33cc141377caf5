/** The policy service of SMTPD_POLICY_README: what Postfix' smtpd does about a client, its sender or a recipient. */
import { type QuotaPolicy, requireAnyRoom, Undeliverable } from '../delivery/index.ts';
import { Fault } from '../model/fault.ts';
import type { Log } from '../model/log.ts';
import type { RecentLogins } from '../model/recentLogins.ts';
import type { PolicyCounts } from '../model/report.ts';
import type { Text, Values } from '../texts/index.ts';
import type { Speaker } from '../texts/speaker.ts';
import type { Addresses } from './addresses.ts';
import { cutPolicyRequest, parsePolicyRequest } from './policyRequest.ts';
import type { QuestionDialogue } from './questions.ts';

/** In the words of access(5). */
export type Action =
  /** The next restriction decides. */
  | { readonly verb: 'DUNNO' }
  /** No further restriction of this list is asked. */
  | { readonly verb: 'permit' }
  | {
      readonly verb: 'reject' | 'defer_if_permit';
      /** Enhanced status code, RFC 3463. */
      readonly status: string;
      readonly text: Text;
      readonly values: Values;
    };

export interface PolicyRules {
  /** Who has just fetched mail may send to anywhere. */
  readonly permitsRecentLogins: boolean;
  /** Envelope senders of our domains are for those who logged in as an account that the address means. */
  readonly checksSenders: boolean;
}

export interface PolicyParts {
  readonly rules: PolicyRules;
  readonly addresses: Addresses;
  readonly recentLogins: RecentLogins;
  /** Left out: there are no full mailboxes. */
  readonly limits?: QuotaPolicy | undefined;
}

type Attributes = ReadonlyMap<string, string>;

const dunno: Action = { verb: 'DUNNO' };

/** Never rejects; where the answer isn't known at the moment, it is that the client tries again later. */
export async function decide(attributes: Attributes, parts: PolicyParts): Promise<Action> {
  try {
    switch (attributes.get('protocol_state')) {
      case 'MAIL':
        return await aboutSender(attributes, parts);
      case 'RCPT':
        // By default Postfix asks about everything only now.
        return await firstWord(await aboutSender(attributes, parts), () => aboutRecipient(attributes, parts));
      default:
        return dunno;
    }
  } catch (thrown) {
    const fault = Fault.from(thrown);
    return isForGood(fault) ? rejection(fault) : deferral(fault);
  }
}

async function firstWord(action: Action, otherwise: () => Promise<Action>): Promise<Action> {
  return action.verb === 'DUNNO' ? otherwise() : action;
}

async function aboutSender(attributes: Attributes, { rules, addresses }: PolicyParts): Promise<Action> {
  const sender = attributes.get('sender') ?? '';
  if (!rules.checksSenders || sender === '' || (await addresses.hostedDomain(sender)) === undefined) return dunno;
  const login = attributes.get('sasl_username') ?? '';
  const logins = await addresses.loginsOf(sender);
  if (login !== '' && logins.includes(login.toLowerCase())) return dunno;
  return { verb: 'reject', status: '5.7.1', text: 'this sender address is for its owner, who has to log in', values: {} };
}

async function aboutRecipient(attributes: Attributes, { rules, addresses, recentLogins, limits }: PolicyParts): Promise<Action> {
  const recipient = attributes.get('recipient') ?? '';
  if ((await addresses.hostedDomain(recipient)) === undefined) {
    const isRecent = rules.permitsRecentLogins && recentLogins.has(attributes.get('client_address') ?? '');
    return isRecent ? { verb: 'permit' } : dunno;
  }
  const resolution = await addresses.resolve(recipient);
  switch (resolution.outcome) {
    case 'deliver':
      if (limits !== undefined) await requireAnyRoom(limits, resolution.destinations, announcedOctets(attributes));
      return dunno;
    case 'refuse':
      return rejection(resolution.fault);
    case 'defer':
      return deferral(resolution.fault);
  }
}

/** What SIZE said; 0: nothing. RFC 1870. */
function announcedOctets(attributes: Attributes): number {
  const size = attributes.get('size') ?? '';
  return /^\d{1,15}$/.test(size) ? Number(size) : 0;
}

function isForGood(fault: Fault): boolean {
  return fault instanceof Undeliverable && fault.status.startsWith('5');
}

function rejection(fault: Fault): Action {
  return { verb: 'reject', status: statusOf(fault, '5.1.1'), text: fault.text, values: fault.values };
}

function deferral(fault: Fault): Action {
  return { verb: 'defer_if_permit', status: statusOf(fault, '4.3.0'), text: fault.text, values: fault.values };
}

/** The fault's own, where it is of the same class. */
function statusOf(fault: Fault, otherwise: string): string {
  return fault instanceof Undeliverable && fault.status[0] === otherwise[0] ? fault.status : otherwise;
}

export function formatAction(action: Action, speaker: Speaker): string {
  if (!('text' in action)) return `action=${action.verb}\n\n`;
  return `action=${action.verb} ${action.status} ${speaker.say(action.text, action.values, 'en')}\n\n`;
}

export interface PolicyDialogueOptions extends PolicyParts {
  readonly speaker: Speaker;
  /** Written to. */
  readonly counts: PolicyCounts;
  readonly log: Log;
}

export function policyDialogue(options: PolicyDialogueOptions): QuestionDialogue {
  const { speaker, counts, log } = options;
  const late = Buffer.from(formatAction(deferral(new Fault('temporary', 'no answer in time')), speaker));
  return {
    cut: cutPolicyRequest,
    async answer(request) {
      const attributes = parsePolicyRequest(request);
      if (attributes === undefined) return undefined;
      const action = await decide(attributes, options);
      note(action, attributes);
      return Buffer.from(formatAction(action, speaker));
    },
    late: () => late,
  };

  function note(action: Action, attributes: Attributes): void {
    switch (action.verb) {
      case 'DUNNO':
        counts.neutral++;
        return;
      case 'permit':
        counts.permitted++;
        log.info('policy.permitted', facts(attributes));
        return;
      case 'reject':
        counts.rejected++;
        log.info('policy.rejected', { ...facts(attributes), status: action.status, reason: action.text });
        return;
      case 'defer_if_permit':
        counts.deferred++;
        log.warn('policy.deferred', { ...facts(attributes), status: action.status, reason: action.text });
    }
  }
}

/** As the log tells them; who connects to Postfix decides how long they are. */
function facts(attributes: Attributes): Record<string, string | undefined> {
  const named = (name: string) => attributes.get(name)?.slice(0, 320) || undefined;
  return {
    client: named('client_address'),
    sender: named('sender'),
    recipient: named('recipient'),
    login: named('sasl_username'),
    instance: named('instance'),
  };
}
