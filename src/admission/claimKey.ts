/** What a login is counted under, as far as can be told without looking anything up. */
import type { DomainName } from '../model/address.ts';
import type { Claim } from '../model/directory.ts';
import { type LoginRules, parseLogin } from '../model/login.ts';

export interface ClaimRules extends LoginRules {
  readonly defaultDomain: DomainName | undefined;
  /** Local address → domain of bare names. */
  readonly addresses: ReadonlyMap<string, DomainName>;
}

/**
 * `user@domain`; `undefined` for what can't be an account. Several accounts may share a key, which costs a stranger a wait at worst; that one
 * account has many would let whoever guesses begin anew with each. So a name behind `s-` counts as the one without, and a bare name
 * counts for the domain of the local address or the default one, not for whatever TLS name the client made up.
 */
export function claimKey({ login, arrival }: Claim, rules: ClaimRules): string | undefined {
  const reading = parseLogin(login, rules).at(-1);
  if (reading === undefined) return undefined;
  const localAddress = rules.addresses.size === 0 ? undefined : arrival.localAddress;
  const ofAddress = localAddress === undefined ? undefined : rules.addresses.get(localAddress);
  return `${reading.user}@${reading.domain ?? ofAddress ?? rules.defaultDomain ?? ''}`;
}

/**
 * 32 bits that a mail program always comes with and another mostly doesn't: FNV-1a of how it logs in. No secret, so it counts only
 * together with the source.
 */
export function deviceMark({ login, arrival }: Claim, method: string, tls: boolean): number {
  let hash = 0x811c9dc5;
  for (const part of [method, login, tls ? 'tls' : '', arrival.serverName ?? '']) {
    for (let n = 0; n < part.length; n++) hash = Math.imul(hash ^ part.charCodeAt(n), 0x01000193);
    hash = Math.imul(hash ^ 0x10000, 0x01000193);
  }
  return hash >>> 0;
}
