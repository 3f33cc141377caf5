/** All that the styles go by: the Postfix, the domains, and what the administrator's own tables say about them. */
import type { KitDomain, Listeners } from './domains.ts';
import type { Installation } from './installation.ts';
import type { MapTypes } from './mapTypes.ts';

/** What is set up for our domains without the kit: in lists, and in tables that aren't ours. */
export interface Existing {
  /** Domains of ours that stand in mydestination. */
  readonly destinations: ReadonlySet<string>;
  readonly mailboxDomains: ReadonlySet<string>;
  readonly aliasDomains: ReadonlySet<string>;
  readonly relayDomains: ReadonlySet<string>;
  /** What virtual_alias_maps make of addresses that we ask about. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Some alias of the host's (alias_maps) names a command or a file. */
  readonly aliasesRunCommands: boolean;
}

export const nothingExisting: Existing = {
  destinations: new Set(),
  mailboxDomains: new Set(),
  aliasDomains: new Set(),
  relayDomains: new Set(),
  aliases: new Map(),
  aliasesRunCommands: false,
};

export interface Question {
  readonly installation: Installation;
  readonly types: MapTypes;
  readonly domains: readonly KitDomain[];
  readonly listeners: Listeners;
  readonly existing: Existing;
  /** Of our settings: parts user and tag; empty: there are no tags. */
  readonly recipientDelimiter: string;
  /** Of our settings: mailboxes below a home directory; empty: none are there. */
  readonly homeMailbox: string;
  /** What `.forward` hands mail to, as sh(1) reads it. */
  readonly deliverCommand: string;
}

/** A user that no domain has, to ask a table what it makes of just anybody. */
export const probeUser = 'postkasse-probe';

export function ofStyle({ domains }: Question, ...styles: readonly KitDomain['style'][]): readonly KitDomain[] {
  return domains.filter(({ style }) => styles.includes(style));
}
