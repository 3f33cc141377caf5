/** Which mailbox an envelope recipient means: one answer for RCPT, for delivery and for whoever asks why. */
import { type Address, type DomainName, formatAddress, parseDomainName, parseUserName } from '../model/address.ts';
import type { Account, Directory, HostedDomain, Step } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import { type EnvelopeAddress, parseEnvelopeAddress } from './envelopeAddress.ts';
import { Undeliverable } from './undeliverable.ts';

export type Resolution =
  | { readonly outcome: 'deliver'; readonly account: Account; readonly steps: readonly Step[] }
  /** The sender gets the mail back. */
  | { readonly outcome: 'refuse'; readonly fault: Fault; readonly steps: readonly Step[] }
  /** The answer isn't known at the moment; the mail waits. */
  | { readonly outcome: 'defer'; readonly fault: Fault; readonly steps: readonly Step[] };

export interface ResolverOptions {
  readonly directory: Pick<Directory, 'account' | 'domain'>;
  /** Parts user and tag; empty: there are no tags. */
  readonly recipientDelimiter: string;
  /** Whose postmaster `RCPT TO:<postmaster>` means, RFC 5321 section 4.5.1. */
  readonly defaultDomain: DomainName | undefined;
}

export interface Resolver {
  /** `recipient`: what stood between the angle brackets. Never rejects. */
  resolve(recipient: string): Promise<Resolution>;
}

interface Question {
  readonly recipient: EnvelopeAddress;
  readonly domain: HostedDomain;
}
/** What a rule says: an account, or that it doesn't apply. @throws Fault */
interface Rule {
  readonly name: string;
  find(question: Question, options: ResolverOptions): Promise<Account | undefined>;
}

export function createResolver(options: ResolverOptions): Resolver {
  return {
    async resolve(recipient) {
      const steps: Step[] = [];
      try {
        const question = await understand(recipient, options, steps);
        for (const rule of rules) {
          const account = await rule.find(question, options);
          steps.push({ rule: rule.name, outcome: account?.mailbox.name ?? 'does not apply' });
          if (account) return admitted(account, steps);
        }
        return { outcome: 'refuse', fault: new Undeliverable('5.1.1', 'no such user here'), steps };
      } catch (thrown) {
        const fault = Fault.from(thrown);
        const outcome = fault instanceof Undeliverable && fault.status.startsWith('5') ? 'refuse' : 'defer';
        steps.push({ rule: outcome, outcome: fault.message });
        return { outcome, fault, steps };
      }
    },
  };
}

/** A mailbox may be closed for new mail and still be read. */
function admitted(account: Account, steps: Step[]): Resolution {
  if (account.services.has('receive')) return { outcome: 'deliver', account, steps };
  steps.push({ rule: 'services', outcome: 'takes no mail' });
  return { outcome: 'refuse', fault: new Undeliverable('5.2.1', 'this mailbox takes no mail'), steps };
}

async function understand(raw: string, { directory, defaultDomain }: ResolverOptions, steps: Step[]): Promise<Question> {
  const recipient =
    raw.toLowerCase() === 'postmaster' && defaultDomain !== undefined ? { local: raw, domain: defaultDomain } : parseEnvelopeAddress(raw);
  steps.push({ rule: 'address', outcome: recipient ? `user ${recipient.local}, domain ${recipient.domain}` : 'no address' });
  if (!recipient) throw new Undeliverable('5.1.3', 'this is no mail address');
  const name = parseDomainName(recipient.domain);
  const domain = name === undefined ? undefined : await directory.domain(name);
  steps.push({ rule: 'domain', outcome: domain ? domain.name : 'not one of ours' });
  if (!domain) throw new Undeliverable('5.7.1', 'we do not take mail for that domain');
  return { recipient, domain };
}

const exactAccount: Rule = {
  name: 'account',
  async find({ recipient, domain }, { directory }) {
    return accountOf(recipient.local, domain, directory);
  },
};

const taggedUser: Rule = {
  name: 'user and tag',
  async find({ recipient, domain }, { directory, recipientDelimiter }) {
    const at = recipientDelimiter === '' ? -1 : recipient.local.indexOf(recipientDelimiter);
    return at > 0 ? accountOf(recipient.local.slice(0, at), domain, directory) : undefined;
  },
};

const unknownUsers: Rule = {
  name: 'unknown users',
  async find({ domain }, { directory }) {
    const { unknownUsers: rule } = domain;
    if (rule.kind === 'bounce') return undefined;
    if (rule.kind === 'postmaster') return accountOf('postmaster', domain, directory);
    const account = await directory.account(rule.address);
    // The host or owner meant mail to be taken: a slip of theirs must not bounce it.
    if (!account)
      throw new Fault('temporary', 'internal error', { cause: new Error(`no account ${formatAddress(rule.address)} for unknown users`) });
    return account;
  },
};

/** In this order. Aliases go after the account, patterns and alias domains and folded subdomains after the tag. */
const rules: readonly Rule[] = [exactAccount, taggedUser, unknownUsers];

async function accountOf(local: string, domain: HostedDomain, directory: ResolverOptions['directory']): Promise<Account | undefined> {
  const user = parseUserName(local);
  const address: Address | undefined = user && { user, domain: domain.name };
  return address && directory.account(address);
}
