/** The rules that lead from a user name in one of our domains to an account or to further addresses, one after the other: the first that applies decides. */
import { type DomainName, formatAddress, parseUserName } from '../model/address.ts';
import type { Account, Alias, Directory, HostedDomain } from '../model/directory.ts';
import type { EnvelopeAddress } from '../model/envelopeAddress.ts';
import type { Srs } from './srs.ts';
import { Undeliverable } from './undeliverable.ts';

export interface RuleOptions {
  readonly directory: Pick<Directory, 'account' | 'domain' | 'alias' | 'pattern'>;
  /** Parts user and tag; empty: there are no tags. */
  readonly recipientDelimiter: string;
  /** Knows bounces of mail that went on from here; left out where none does. */
  readonly srs?: Pick<Srs, 'reverse'> | undefined;
}

export interface Question {
  readonly recipient: EnvelopeAddress;
  readonly domain: HostedDomain;
}

export type Found =
  | { readonly kind: 'account'; readonly account: Account }
  /** Each is looked at as if mail had come for it. */
  | { readonly kind: 'addresses'; readonly name: string; readonly targets: readonly string[] }
  /** The same user of another domain of ours, if that has one; else the next rule. */
  | { readonly kind: 'domain'; readonly name: DomainName };

export interface Rule {
  readonly name: string;
  /** `undefined`: it doesn't apply. @throws Fault temporary; Undeliverable */
  find(question: Question, options: RuleOptions): Promise<Found | undefined>;
}

const exactAccount: Rule = {
  name: 'account',
  find: ({ recipient, domain }, options) => accountOf(recipient.local, domain, options),
};

const alias: Rule = {
  name: 'alias',
  find: ({ recipient, domain }, options) => aliasOf(recipient.local, domain, options),
};

/** Whoever sends to such an address: who knows the sender is not asked, and nobody can make one up. What goes on from here is sent on as all mail is. */
const bounce: Rule = {
  name: 'bounce of mail that went on',
  async find({ recipient, domain }, { srs }) {
    const reversed = srs?.reverse(recipient.local, domain.name);
    if (reversed === undefined) return undefined;
    if (reversed.kind === 'address') return { kind: 'addresses', name: recipient.local, targets: [reversed.address] };
    if (reversed.kind === 'expired') throw new Undeliverable('5.7.1', 'this address was good for a few weeks, which are over');
    throw new Undeliverable('5.1.1', 'no such user here');
  },
};

const taggedUser: Rule = {
  name: 'user and tag',
  async find({ recipient, domain }, options) {
    const { recipientDelimiter } = options;
    const at = recipientDelimiter === '' ? -1 : recipient.local.indexOf(recipientDelimiter);
    if (at <= 0) return undefined;
    const user = recipient.local.slice(0, at);
    return (await accountOf(user, domain, options)) ?? aliasOf(user, domain, options);
  },
};

const pattern: Rule = {
  name: 'pattern',
  async find({ recipient, domain }, { directory }) {
    const user = parseUserName(recipient.local);
    return user && standsFor(await directory.pattern({ user, domain: domain.name }));
  },
};

const aliasDomain: Rule = {
  name: 'alias domain',
  async find({ domain: { aliasOf: name } }) {
    return name && { kind: 'domain', name };
  },
};

const unknownUsers: Rule = {
  name: 'unknown users',
  async find({ domain }, options) {
    const { unknownUsers: rule } = domain;
    if (rule.kind === 'bounce') return undefined;
    if (rule.kind === 'postmaster') return (await accountOf('postmaster', domain, options)) ?? aliasOf('postmaster', domain, options);
    const address = formatAddress(rule.address);
    return { kind: 'addresses', name: address, targets: [address] };
  },
};

/** In this order. That a subdomain is folded into the domain above it is decided before, where the domain is looked for. */
const rules: readonly Rule[] = [exactAccount, alias, bounce, taggedUser, pattern, aliasDomain, unknownUsers];
const withoutBounces = rules.filter((rule) => rule !== bounce);

export function rulesOf({ srs }: RuleOptions): readonly Rule[] {
  return srs === undefined ? withoutBounces : rules;
}

async function accountOf(local: string, { name }: HostedDomain, { directory }: RuleOptions): Promise<Found | undefined> {
  const user = parseUserName(local);
  const account = user && (await directory.account({ user, domain: name }));
  return account && { kind: 'account', account };
}

async function aliasOf(local: string, { name }: HostedDomain, { directory }: RuleOptions): Promise<Found | undefined> {
  const user = parseUserName(local);
  return user && standsFor(await directory.alias({ user, domain: name }));
}

function standsFor(found: Alias | undefined): Found | undefined {
  return found && { kind: 'addresses', name: found.name, targets: found.targets };
}
