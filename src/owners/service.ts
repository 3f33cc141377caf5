/** What all connections of a worker share. */
import type { Account, Directory } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import type { Log } from '../model/log.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { MaildropStore } from '../model/maildrop.ts';
import type { OnceMemory } from '../model/onceMemory.ts';
import type { DomainUsages, Quota } from '../model/quota.ts';
import type { ReceiptDesk } from '../model/receipts.ts';
import type { Wanted } from './accounts.ts';

export interface LastLogins {
  /** Fewer than `delayS` seconds have passed since the mailbox was noted. */
  tooSoon(mailbox: Mailbox, delayS: number): boolean;
  note(mailbox: Mailbox): void;
}

export interface Service {
  readonly directory: Directory;
  readonly store: MaildropStore;
  readonly once: OnceMemory;
  readonly desk: ReceiptDesk;
  readonly quota: Quota;
  readonly domains: Pick<DomainUsages, 'of'>;
  readonly lastLogins: LastLogins;
  readonly loginDelayS: number;
  readonly log: Log;
  /** Takes the room of one open maildrop. @throws Fault temporary where there is none */
  enter(mailbox: Mailbox): void;
  leave(mailbox: Mailbox): void;
}

/** The account that a front means, by this side's own word: where its mail rests, and whose it is, nobody else has a say in. @throws Fault temporary */
export async function accountOf({ directory }: Service, { address, system }: Wanted) {
  const account = await directory.account(address);
  return account !== undefined && (account.mailbox.domain === undefined) === system ? account : undefined;
}

/** @throws Fault temporary, also where there is no such account: there was one a moment ago */
export async function presentAccountOf(service: Service, wanted: Wanted): Promise<Account> {
  const account = await accountOf(service, wanted);
  if (account === undefined) throw new Fault('temporary', 'no such user here');
  return account;
}

/** @throws Fault temporary, likewise */
export async function mailboxOf(service: Service, wanted: Wanted): Promise<Mailbox> {
  return (await presentAccountOf(service, wanted)).mailbox;
}
