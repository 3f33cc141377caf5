/** What a full mailbox is to who hands us mail. */
import type { Account } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import type { Quota } from '../model/quota.ts';
import type { Destination } from './resolver.ts';
import { Undeliverable } from './undeliverable.ts';

export interface QuotaPolicy {
  readonly quota: Quota;
  /** `defer`: the mail waits until there is room, or its sender's patience ends. `refuse`: it goes back at once. RFC 3463 section 3.3. */
  readonly whenFull: 'defer' | 'refuse';
}

/** That any of these takes a message of so many octets; 0: one of any size. Where others have room the full one is a matter of delivery. @throws Fault */
export async function requireAnyRoom(policy: QuotaPolicy, destinations: readonly Destination[], octets: number): Promise<void> {
  const accounts: Account[] = [];
  for (const one of destinations) {
    if (one.kind === 'forward') return;
    if (one.keeps) accounts.push(one.account);
  }
  const asked = await Promise.allSettled(accounts.map((account) => withinQuota(policy, () => policy.quota.require(account, octets))));
  const refused = asked.find((answer) => answer.status === 'rejected');
  if (refused !== undefined && asked.every(({ status }) => status === 'rejected')) throw refused.reason;
}

/** Does it; a mailbox without room is answered as the policy says. @throws Fault */
export async function withinQuota<T>({ whenFull }: QuotaPolicy, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const fault = Fault.from(thrown);
    if (fault.kind !== 'over-quota') throw thrown;
    throw new Undeliverable(whenFull === 'refuse' ? '5.2.2' : '4.2.2', fault.text, { values: fault.values, cause: fault.cause });
  }
}
