/** What our tables and the policy service know about an address: everything from the one resolver and the one directory. */
import { createResolver, hostedDomain, type Resolution, type ResolverOptions } from '../delivery/index.ts';
import { type Address, formatAddress, parseDomainName, parseUserName } from '../model/address.ts';
import type { Account, Directory, HostedDomain } from '../model/directory.ts';
import { parseEnvelopeAddress } from '../model/envelopeAddress.ts';

export interface Addresses {
  /** The domain of ours that an address is in, subdomains that are folded included; `undefined`: none, or no address. @throws Fault temporary */
  hostedDomain(address: string): Promise<HostedDomain | undefined>;
  /** The same for the name of a domain. @throws Fault temporary */
  hostedName(name: string): Promise<HostedDomain | undefined>;
  /** Never rejects. */
  resolve(address: string): Promise<Resolution>;
  /** Names by which those log in who may send as this address; empty where nobody may. @throws Fault temporary */
  loginsOf(address: string): Promise<readonly string[]>;
  /** `user@domain`, also for a user of the host itself. */
  addressOf(account: Account): string;
}

/** @param options as the deliveries' resolver has them: what Postfix is told is what happens then */
export function createAddresses(options: ResolverOptions): Addresses {
  const { directory, defaultDomain } = options;
  const resolver = createResolver(options);
  const owners = createResolver({ ...options, directory: withoutForwards(directory) });

  /** The account of exactly this address, whether or not mail reaches it: who only sends is found by no resolver. */
  async function exactAccount(address: string): Promise<Account | undefined> {
    const parsed = parseEnvelopeAddress(address);
    const user = parsed && parseUserName(parsed.local);
    const domain = parsed && parseDomainName(parsed.domain);
    const exact: Address | undefined = user !== undefined && domain !== undefined ? { user, domain } : undefined;
    return exact && directory.account(exact);
  }

  /** A user of the host itself has a login without a domain, too. */
  function loginNames({ mailbox: { user, domain } }: Account): readonly string[] {
    if (domain !== undefined) return [formatAddress({ user, domain })];
    return defaultDomain === undefined ? [user] : [formatAddress({ user, domain: defaultDomain }), user];
  }

  return {
    hostedName: (name) => hostedDomain(name, options),
    async hostedDomain(address) {
      const parsed = parseEnvelopeAddress(address);
      return parsed && hostedDomain(parsed.domain, options);
    },
    resolve: (address) => resolver.resolve(address),
    async loginsOf(address) {
      if (parseEnvelopeAddress(address) === undefined) return [];
      const resolution = await owners.resolve(address);
      if (resolution.outcome === 'defer') throw resolution.fault;
      const reached = resolution.outcome === 'deliver' ? resolution.destinations : [];
      const accounts = reached.flatMap((destination) => (destination.kind === 'account' ? [destination.account] : []));
      const exact = await exactAccount(address);
      const senders = [...(exact === undefined ? [] : [exact]), ...accounts].filter(({ services }) => services.has('smtp-auth'));
      return [...new Set(senders.flatMap(loginNames))];
    },
    addressOf({ mailbox: { user, domain } }) {
      const at = domain ?? defaultDomain;
      return at === undefined ? user : writtenAddress({ user, domain: at });
    },
  };
}

/** Who gets a copy of somebody's mail may not send in that one's name. */
function withoutForwards(directory: ResolverOptions['directory']): Pick<Directory, 'account' | 'domain' | 'alias' | 'pattern'> {
  return {
    async account(address) {
      const account = await directory.account(address);
      return account && { ...account, rules: undefined };
    },
    domain: (name) => directory.domain(name),
    alias: (address) => directory.alias(address),
    pattern: (address) => directory.pattern(address),
  };
}

/** Quoted where RFC 5321 section 4.1.2 asks for it: what a user is called is the owner's choice. */
function writtenAddress({ user, domain }: Address): string {
  const isPlain = /^[^\s"(),:;<>@[\\\].]+(?:\.[^\s"(),:;<>@[\\\].]+)*$/u.test(user);
  return `${isPlain ? user : `"${user.replace(/["\\]/g, '\\$&')}"`}@${domain}`;
}
