/** Who gets mail in a domain, as far as it can be listed: for tables that are written rather than asked. */
import type { KitDomain } from './domains.ts';

export interface Recipients {
  /** Local parts with an account or alias. */
  readonly users: readonly string[];
  readonly patterns: readonly string[];
  /** Mail to just anybody is taken. */
  readonly everybody: boolean;
}

export function recipientsOf(domain: KitDomain, all: readonly KitDomain[]): Recipients {
  const aliased = all.find(({ name }) => name === domain.aliasOf);
  const parts = aliased === undefined ? [domain] : [domain, aliased];
  return {
    users: [
      ...new Set(
        parts.flatMap(({ accounts, aliases }) => [
          ...accounts.filter(({ receives }) => receives).map(({ user }) => user),
          ...aliases.map(({ name }) => name),
        ]),
      ),
    ],
    patterns: parts.flatMap(({ patterns }) => patterns.map(({ name }) => name)),
    everybody: parts.some(({ unknownUsers }) => unknownUsers !== 'bounce'),
  };
}
