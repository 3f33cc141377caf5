/** A directory for tests of what comes after it: domains with users, nothing to log in with. */
import { type Aliases, aliasOf, parseAliases } from '../../src/directory/passwd/aliases.ts';
import { type DomainName, formatAddress, parseAddress, parseDomainName } from '../../src/model/address.ts';
import {
  type Account,
  type AccountRules,
  type Directory,
  type HostedDomain,
  noAccountRules,
  type Service,
  type UnknownUsers,
} from '../../src/model/directory.ts';

/** What day it is for aliases that expire. */
const today = '2026-11-29';

export interface SmallDomain {
  readonly name: string;
  readonly users: readonly string[];
  /** Of `users`, those that take no mail. */
  readonly closed?: readonly string[];
  /** Of `users`, those that may not send. */
  readonly mute?: readonly string[];
  readonly unknownUsers?: UnknownUsers;
  /** What of them isn't usual, by user name. */
  readonly rules?: Readonly<Record<string, Partial<AccountRules>>>;
  /** As they stand in a file of aliases. */
  readonly aliases?: string;
  readonly more?: Partial<HostedDomain>;
}

export function smallDirectory(...domains: readonly SmallDomain[]): Pick<Directory, 'account' | 'domain' | 'alias' | 'pattern'> {
  const aliasFiles = new Map<DomainName, Aliases>();
  const accounts = new Map<string, Account>();
  const hosted = new Map<DomainName, HostedDomain>();
  for (const { name, users, closed = [], mute = [], unknownUsers = { kind: 'bounce' } as const, ...own } of domains) {
    const { rules = {}, aliases = '', more } = own;
    const domain = parseDomainName(name);
    if (!domain) throw new Error(`not a domain: ${name}`);
    hosted.set(domain, { name: domain, unknownUsers, ...more });
    aliasFiles.set(domain, parseAliases(Buffer.from(aliases)));
    for (const user of users) {
      const address = parseAddress(`${user}@${name}`);
      if (!address) throw new Error(`not an address: ${user}@${name}`);
      const services = new Set<Service>(['pop3', 'receive', 'smtp-auth']);
      if (closed.includes(user)) services.delete('receive');
      if (mute.includes(user)) services.delete('smtp-auth');
      const mailbox = { name: formatAddress(address), ...address, home: undefined, owner: undefined };
      const own = rules[user];
      accounts.set(mailbox.name, { mailbox, services, language: undefined, rules: own && { ...noAccountRules, ...own } });
    }
  }
  return {
    account: async (address) => accounts.get(formatAddress(address)),
    domain: async (name) => hosted.get(name),
    alias: async ({ user, domain }) => {
      const line = aliasFiles.get(domain)?.find(user);
      return line && aliasOf(line, domain, () => today);
    },
    pattern: async ({ user, domain }) => {
      const [line] = aliasFiles.get(domain)?.matching(user) ?? [];
      return line && aliasOf(line, domain, () => today);
    },
  };
}
