/** Which worker a login name means: the rules of every directory, asked only as far as they decide on the domain. */

import { createResolver, type Resolution, type ResolveRules } from '../directory/resolve.ts';
import type { Address, DomainName, UserName } from '../model/address.ts';
import type { Arrival, Claim, Step } from '../model/directory.ts';
import type { Whereabouts, Worker } from './whereabouts.ts';

/** Where the account of a claim is, if there is one. */
export interface Place {
  readonly worker: Worker;
  /** The same anew. */
  readonly again: () => Promise<Worker | undefined>;
  readonly domain: DomainName | undefined;
  /** Of the host, whose worker it is. */
  readonly systemUser: UserName | undefined;
}

export type Placed =
  | { readonly place: Place; readonly noStatus: boolean }
  | { readonly place: undefined; readonly name: string; readonly reason: string };

export interface Places {
  /** @throws Fault temporary */
  of(claim: Claim, steps?: Step[]): Promise<Placed>;
  ofDomain(name: DomainName): Promise<Place | undefined>;
  /** `undefined`: there is none, or they may not log in. */
  ofSystemUser(user: UserName): Promise<Place | undefined>;
  /** Where the address or the TLS name may decide on the domain, without asking anybody. */
  domainOfAddress(arrival: Arrival): DomainName | undefined;
}

export interface PlacesOptions {
  readonly whereabouts: Whereabouts;
  readonly rules: ResolveRules;
  readonly systemUsers: boolean;
  /** Whether this account is there, by the word of its worker. */
  readonly exists: (place: Place, address: Address) => Promise<boolean>;
}

export function createPlaces({ whereabouts, rules, systemUsers, exists }: PlacesOptions): Places {
  const resolver = createResolver<Place>(rules, {
    hosted: async (name) => (await whereabouts.ofDomain(name)) !== undefined,
    account: async (address) => {
      const place = await ofDomain(address.domain);
      // `s-ada` is two readings, and only between them may lie a system user `ada`: then it matters whether the first one exists.
      const isDecided = place === undefined || !mayBeSystem(address.domain) || !rules.options || !address.user.startsWith('s-');
      return isDecided || (await exists(place, address)) ? place : undefined;
    },
    systemUser: (user) => (systemUsers ? ofSystemUser(user) : undefined),
  });

  function mayBeSystem(domain: DomainName): boolean {
    return systemUsers && domain === rules.defaultDomain;
  }

  async function ofDomain(name: DomainName): Promise<Place | undefined> {
    const again = () => whereabouts.ofDomain(name);
    const worker = await again();
    return worker && { worker, again, domain: name, systemUser: undefined };
  }

  async function ofSystemUser(user: UserName): Promise<Place | undefined> {
    if (!systemUsers) return undefined;
    const again = () => whereabouts.ofSystemUser(user);
    const worker = await again();
    return worker && { worker, again, domain: undefined, systemUser: user };
  }

  /** Nobody was found, but a wrong password for nobody is for the worker to refuse: it knows what its usual one costs. */
  async function unplaced({ name, domain }: Extract<Resolution<Place>, { found: undefined }>): Promise<Placed> {
    const place = domain && (await ofDomain(domain));
    if (place !== undefined) return { place, noStatus: false };
    return { place, name, reason: domain === undefined ? 'no such user' : 'no such domain' };
  }

  return {
    ofDomain,
    ofSystemUser,
    domainOfAddress: resolver.domainOfAddress,
    async of(claim, steps) {
      const resolution = await resolver.resolve(claim, steps);
      return resolution.found === undefined ? unplaced(resolution) : { place: resolution.found, noStatus: resolution.noStatus };
    },
  };
}
