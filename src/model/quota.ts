/** How much mailboxes may hold, and whether one more message has room. */
import type { DomainName } from './address.ts';
import type { Account } from './directory.ts';
import type { Envelope } from './envelope.ts';
import type { Mailbox } from './mailbox.ts';
import type { Usage } from './maildrop.ts';
import type { Octets } from './octets.ts';

/** Something that can be full. */
export interface Standing {
  readonly usage: Usage;
  /** Octets; `undefined`: as many as there are. */
  readonly limit: number | undefined;
}

export interface Standings {
  readonly mailbox: Standing;
  /** All mailboxes of its domain; `undefined` for a user of the host. */
  readonly domain: Standing | undefined;
}

export interface Quota {
  /** What there is and what may be, both as they are now. @throws Fault temporary */
  standings(account: Account): Promise<Standings>;
  /** That a message of so many octets has room; 0: that there is any. @throws Fault over-quota, temporary */
  require(account: Account, octets: number): Promise<void>;
  /** As a store delivers, where there is room: of a message that has none nothing stays. @throws Fault over-quota, temporary, permanent */
  deliver(account: Account, message: Octets, envelope: Envelope): Promise<void>;
}

/** What all mailboxes of a domain hold together. */
export interface DomainUsages {
  /** @param anew as it is within the last second; else it may be some seconds old. @throws Fault temporary */
  of(name: DomainName, anew?: boolean): Promise<Usage>;
  /** A message of so many octets came since it was added up. */
  add(name: DomainName, octets: number): void;
}

/** Everybody of a domain, where its files are here. */
export interface Inhabitants {
  /** Empty for what is no domain of ours. @throws Fault temporary */
  mailboxes(name: DomainName): Promise<readonly Mailbox[]>;
}
