/**
 * From a login name and the way a client came in to an account. Every directory follows these rules; what differs is where it
 * looks. Written once, for logging in and for `postkasse explain` alike.
 */
import { isIPv6 } from 'node:net';
import { type Address, type DomainName, formatAddress, parseDomainName, type UserName } from '../model/address.ts';
import type { Arrival, Claim, Step } from '../model/directory.ts';
import { type Login, type LoginRules, parseLogin } from '../model/login.ts';

export interface ResolveRules extends LoginRules {
  /** Added to bare names, and stripped where the name is a system user's. */
  readonly defaultDomain: DomainName | undefined;
  /** IP-based domains: local address → domain of bare names. */
  readonly addresses: ReadonlyMap<string, DomainName>;
  /** The reverse name of a local address, where the host wants domains found by it. */
  readonly reverseName?: ((address: string) => Promise<string | undefined>) | undefined;
}

/** Where a directory looks. @throws Fault temporary, both */
export interface Lookups<Found> {
  hosted(domain: DomainName): Promise<boolean>;
  account(address: Address): Promise<Found | undefined>;
  /** `undefined` where system users may not log in, or there is none of this name. */
  systemUser(user: UserName): Found | undefined | Promise<Found | undefined>;
}

export type Resolution<Found> =
  | { readonly found: Found; readonly noStatus: boolean }
  /** `name` as the account would be called, option taken off; `domain`: where one would have looked. */
  | { readonly found: undefined; readonly name: string; readonly user: UserName | undefined; readonly domain: DomainName | undefined };

export interface Resolver<Found> {
  /** @throws Fault temporary */
  resolve(claim: Claim, steps?: Step[]): Promise<Resolution<Found>>;
  /** The table's word on a local address; nothing is looked up. */
  domainOfAddress(arrival: Arrival): DomainName | undefined;
}

export function createResolver<Found>(rules: ResolveRules, lookups: Lookups<Found>): Resolver<Found> {
  const { defaultDomain } = rules;
  const table = new Map([...rules.addresses].map(([address, domain]) => [canonical(address), domain] as const));

  function domainOfAddress(arrival: Arrival): DomainName | undefined {
    const localAddress = table.size === 0 ? undefined : arrival.localAddress;
    return localAddress === undefined ? undefined : table.get(canonical(localAddress));
  }

  async function domainOfArrival(arrival: Arrival, steps: Step[] | undefined): Promise<DomainName | undefined> {
    const { localAddress, serverName } = arrival;
    const byTable = domainOfAddress(arrival);
    steps?.push({
      rule: 'domain of the local address',
      outcome: localAddress === undefined ? 'no address given' : said(localAddress, byTable),
    });
    if (byTable !== undefined) return byTable;

    if (rules.reverseName !== undefined && localAddress !== undefined) {
      const byReverseName = await hostedName(await rules.reverseName(localAddress));
      steps?.push({ rule: 'reverse name of the local address', outcome: said(localAddress, byReverseName) });
      if (byReverseName !== undefined) return byReverseName;
    }

    const byServerName = await hostedName(serverName);
    steps?.push({ rule: 'TLS server name', outcome: serverName === undefined ? 'none given' : said(serverName, byServerName) });
    if (byServerName !== undefined) return byServerName;

    steps?.push({ rule: 'default domain', outcome: defaultDomain ?? 'none set' });
    return defaultDomain;
  }

  async function hostedName(raw: string | undefined): Promise<DomainName | undefined> {
    const domain = raw === undefined ? undefined : parseDomainName(raw);
    return domain !== undefined && (await lookups.hosted(domain)) ? domain : undefined;
  }

  async function accountOf(reading: Login, domain: DomainName | undefined, steps: Step[] | undefined): Promise<Found | undefined> {
    const { user } = reading;
    if (domain === undefined || domain === defaultDomain) {
      const answer = lookups.systemUser(user);
      const found = answer instanceof Promise ? await answer : answer;
      steps?.push({ rule: `system user ${user}`, outcome: found === undefined ? 'none that may log in' : 'found' });
      if (found !== undefined || domain === undefined) return found;
    }
    const found = await lookups.account({ user, domain });
    steps?.push({ rule: `account ${formatAddress({ user, domain })}`, outcome: found === undefined ? await absence(domain) : 'found' });
    return found;
  }

  async function absence(domain: DomainName): Promise<string> {
    return (await lookups.hosted(domain)) ? 'no such user' : 'not a domain of ours';
  }

  return {
    domainOfAddress,
    async resolve(claim, steps) {
      const readings = parseLogin(claim.login, rules);
      if (readings.length === 0) steps?.push({ rule: 'login name', outcome: 'can not be the name of an account' });
      let ofArrival: DomainName | undefined;
      let asked = false;
      let last: { user: UserName; domain: DomainName | undefined } | undefined;
      for (const reading of readings) {
        const { user, noStatus } = reading;
        steps?.push({
          rule: noStatus ? 'login name, s- taken as an option' : 'login name',
          outcome: `user ${user}, ${reading.domain === undefined ? 'no domain typed' : `domain ${reading.domain}`}`,
        });
        if (reading.domain === undefined && !asked) {
          ofArrival = await domainOfArrival(claim.arrival, steps);
          asked = true;
        }
        const domain = reading.domain ?? ofArrival;
        const found = await accountOf(reading, domain, steps);
        if (found !== undefined) return { found, noStatus };
        last = { user, domain };
      }
      const name = last === undefined ? claim.login : last.domain === undefined ? last.user : `${last.user}@${last.domain}`;
      return { found: undefined, name, user: last?.user, domain: last?.domain };
    },
  };
}

function said(what: string, domain: DomainName | undefined): string {
  return domain === undefined ? `${what}: no domain` : `${what}: ${domain}`;
}

/** One spelling for each address; IPv4 stays IPv4 on a socket that takes both. */
function canonical(address: string): string {
  const bare = address.replace(/^\[|\]$|%.*$/g, '').toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare);
  if (mapped?.[1] !== undefined) return mapped[1];
  return isIPv6(bare) ? new URL(`http://[${bare}]/`).hostname : bare;
}
