/** A directory for tests of what comes after it: domains with users, nothing to log in with. */
import { type DomainName, formatAddress, parseAddress, parseDomainName } from '../../src/model/address.ts';
import type { Account, Directory, HostedDomain, Service, UnknownUsers } from '../../src/model/directory.ts';

export interface SmallDomain {
  readonly name: string;
  readonly users: readonly string[];
  /** Of `users`, those that take no mail. */
  readonly closed?: readonly string[];
  readonly unknownUsers?: UnknownUsers;
}

export function smallDirectory(...domains: readonly SmallDomain[]): Pick<Directory, 'account' | 'domain'> {
  const accounts = new Map<string, Account>();
  const hosted = new Map<DomainName, HostedDomain>();
  for (const { name, users, closed = [], unknownUsers = { kind: 'bounce' } as const } of domains) {
    const domain = parseDomainName(name);
    if (!domain) throw new Error(`not a domain: ${name}`);
    hosted.set(domain, { name: domain, unknownUsers });
    for (const user of users) {
      const address = parseAddress(`${user}@${name}`);
      if (!address) throw new Error(`not an address: ${user}@${name}`);
      const services = new Set<Service>(closed.includes(user) ? ['pop3'] : ['pop3', 'receive']);
      const mailbox = { name: formatAddress(address), ...address, home: undefined, owner: undefined };
      accounts.set(mailbox.name, { mailbox, services, language: undefined });
    }
  }
  return {
    account: async (address) => accounts.get(formatAddress(address)),
    domain: async (name) => hosted.get(name),
  };
}
