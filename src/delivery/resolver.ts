/** What an envelope recipient means: one answer for RCPT, for delivery, for Postfix' look-ups and for whoever asks why. */
import type { DomainName } from '../model/address.ts';
import type { Account, HostedDomain, Step } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import { Expansion } from './expansion.ts';
import type { RuleOptions } from './rules.ts';
import { Undeliverable } from './undeliverable.ts';

export type Destination =
  /** `keeps` false: its mail only goes on, to destinations of their own. */
  | { readonly kind: 'account'; readonly account: Account; readonly keeps: boolean }
  /** Somewhere else. `by`: the domain of ours whose mail goes on. */
  | { readonly kind: 'forward'; readonly address: string; readonly by: HostedDomain };

export type Resolution =
  /** At least one, none twice. */
  | { readonly outcome: 'deliver'; readonly destinations: readonly Destination[]; readonly steps: readonly Step[] }
  /** The sender gets the mail back. */
  | { readonly outcome: 'refuse'; readonly fault: Fault; readonly steps: readonly Step[] }
  /** The answer isn't known at the moment; the mail waits. */
  | { readonly outcome: 'defer'; readonly fault: Fault; readonly steps: readonly Step[] };

export interface ResolverOptions extends RuleOptions {
  /** Whose postmaster `RCPT TO:<postmaster>` means, RFC 5321 section 4.5.1. */
  readonly defaultDomain: DomainName | undefined;
  /** Whether domains take mail for `user@x.domain`, where they don't say themselves. */
  readonly foldSubdomains: boolean;
  /** Whose `abc--kvt.dk` is abc@kvt.dk. Default: there is none. */
  readonly internalDomain?: DomainName | undefined;
}

export interface Resolver {
  /** `recipient`: what stood between the angle brackets. Never rejects. */
  resolve(recipient: string): Promise<Resolution>;
}

export function createResolver(options: ResolverOptions): Resolver {
  return {
    async resolve(recipient) {
      const expansion = new Expansion(options);
      const { steps } = expansion;
      const fault = await expansion.visit(recipient, undefined).catch((thrown: unknown) => Fault.from(thrown));
      if (fault === undefined) return { outcome: 'deliver', destinations: expansion.destinations, steps };
      const outcome = fault instanceof Undeliverable && fault.status.startsWith('5') ? 'refuse' : 'defer';
      steps.push({ rule: outcome, outcome: fault.message });
      return { outcome, fault, steps };
    },
  };
}
