/** A directory for a process that may not know all there is: of domains that aren't its own it says "try later" and never "not ours". */
import { type Address, type DomainName, parseDomainName } from '../model/address.ts';
import type { Directory } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';

type LookUps = Pick<Directory, 'account' | 'domain' | 'alias' | 'pattern'>;

/** @param mayAct false: the domain is somebody else's */
export function ownDomainsOnly<D extends LookUps>(directory: D, mayAct: (domain: DomainName) => boolean): D {
  function require(name: DomainName): void {
    if (!mayAct(name)) throw elsewhere(`${name} belongs to somebody else`);
  }
  async function find(name: DomainName) {
    require(name);
    return directory.domain(name);
  }
  const guarded =
    <T>(look: (address: Address) => Promise<T>) =>
    async (address: Address) => {
      require(address.domain);
      return look(address);
    };

  return {
    ...directory,
    account: guarded((address) => directory.account(address)),
    alias: guarded((address) => directory.alias(address)),
    pattern: guarded((address) => directory.pattern(address)),
    async domain(name) {
      const found = await find(name);
      if (found !== undefined) return found;
      // Below a domain of ours none is one; whether it is folded is the resolver's to say. Any other may be one that the server knows.
      for (let parent = above(name); parent !== undefined; parent = above(parent)) if (await find(parent)) return undefined;
      throw elsewhere(`${name} is not a domain of this user's`);
    },
  };
}

function above(name: DomainName): DomainName | undefined {
  const dot = name.indexOf('.');
  return dot < 0 ? undefined : parseDomainName(name.slice(dot + 1));
}

function elsewhere(reason: string): Fault {
  return new Fault('temporary', 'accounts can not be looked up just now', { cause: new Error(reason) });
}
