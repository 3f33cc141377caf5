/**
 * Quota: what a mailbox and its domain may hold. Asked before a message is taken and again when it is delivered. Deliveries don't wait for each
 * other: those that are under way at the same time may together go over a limit by what they hold, and no further.
 */
import type { DomainName } from '../model/address.ts';
import type { Account, Directory } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { MaildropStore } from '../model/maildrop.ts';
import { type Octets, PiecesLater } from '../model/octets.ts';
import type { DomainUsages, Quota } from '../model/quota.ts';
import type { Text } from '../texts/index.ts';
import type { QuotaWarning } from './quotaWarning.ts';

export interface QuotaOptions {
  readonly store: Pick<MaildropStore, 'deliver' | 'usage'>;
  readonly directory: Pick<Directory, 'domain'>;
  readonly domains: DomainUsages;
  /** Octets of those that don't say so themselves; `undefined`: as many as there are. */
  readonly mailboxOctets: number | undefined;
  readonly domainOctets: number | undefined;
  /** Left out where somebody else sees to it. */
  readonly warning?: QuotaWarning;
}

export function createQuota(options: QuotaOptions): Quota {
  const { store, directory, domains, warning } = options;

  function mailboxLimit({ rules }: Account): number | undefined {
    return rules?.quotaOctets ?? options.mailboxOctets;
  }

  async function domainLimit(name: DomainName): Promise<number | undefined> {
    return (await directory.domain(name))?.quotaOctets ?? options.domainOctets;
  }

  /** @throws Fault over-quota, temporary */
  async function room(account: Account, octets: number): Promise<Room> {
    const { mailbox } = account;
    const limited = await limitedBy(mailboxLimit(account), mailbox);
    const inMailbox = limited === undefined ? Number.POSITIVE_INFINITY : limited.limit - limited.octets;
    requireRoom(inMailbox, octets, 'the mailbox is full');
    if (mailbox.domain === undefined) return { left: inMailbox, full: 'the mailbox is full', limited };
    const inDomain = await roomInDomain(mailbox.domain, octets);
    requireRoom(inDomain, octets, 'the domain has no room left');
    return inDomain < inMailbox
      ? { left: inDomain, full: 'the domain has no room left', limited }
      : { left: inMailbox, full: 'the mailbox is full', limited };
  }

  async function limitedBy(limit: number | undefined, mailbox: Mailbox): Promise<Limited | undefined> {
    if (limit === undefined) return undefined;
    const { octets } = await store.usage(mailbox);
    warning?.seen(mailbox, octets, limit);
    return { limit, octets };
  }

  async function roomInDomain(name: DomainName, octets: number): Promise<number> {
    const limit = await domainLimit(name);
    if (limit === undefined) return Number.POSITIVE_INFINITY;
    const left = limit - (await domains.of(name)).octets;
    return hasRoom(left, octets) ? left : limit - (await domains.of(name, true)).octets;
  }

  return {
    async standings(account) {
      const { mailbox } = account;
      const own = { usage: await store.usage(mailbox), limit: mailboxLimit(account) };
      if (mailbox.domain === undefined) return { mailbox: own, domain: undefined };
      const limit = await domainLimit(mailbox.domain);
      return { mailbox: own, domain: { usage: await domains.of(mailbox.domain, true), limit } };
    },

    async require(account, octets) {
      await room(account, octets);
    },

    async deliver(account, message, envelope) {
      const { mailbox } = account;
      const isHere = Symbol.iterator in message;
      let length = isHere ? lengthOf(message) : 0;
      const space = await room(account, length);
      const { left, limited } = space;
      const passed = (octets: number): void => {
        length = octets;
      };
      await store.deliver(mailbox, isHere || left === Number.POSITIVE_INFINITY ? message : within(space, message, passed), envelope);
      if (mailbox.domain !== undefined) domains.add(mailbox.domain, length);
      if (limited !== undefined) await warning?.filled(account, limited.octets + length, limited.limit);
    },
  };
}

interface Room {
  /** Octets there is room for. */
  readonly left: number;
  /** What is said to more than that. */
  readonly full: Text;
  /** Where the mailbox has a limit of its own. */
  readonly limited: Limited | undefined;
}

interface Limited {
  readonly limit: number;
  readonly octets: number;
}

/** A mailbox at its limit is full, whatever it is asked for. */
function hasRoom(left: number, octets: number): boolean {
  return left > 0 && octets <= left;
}

function requireRoom(left: number, octets: number, text: Text): void {
  if (!hasRoom(left, octets)) throw new Fault('over-quota', text);
}

/** A message whose length nobody knows before it has come fails where it goes beyond its room; a store keeps nothing of one that fails. */
function within({ left, full }: Room, message: AsyncIterable<Uint8Array>, passed: (octets: number) => void): Octets {
  return new PiecesLater(async function* () {
    let length = 0;
    for await (const piece of message) {
      length += piece.length;
      requireRoom(left, length, full);
      passed(length);
      yield piece;
    }
  });
}

function lengthOf(message: Iterable<Uint8Array>): number {
  let length = 0;
  for (const piece of message) length += piece.length;
  return length;
}
