/** What the resolver says of an address, with the place of each mailbox, for people. */

import type { MaildropStore } from '../model/maildrop.ts';
import type { ExplainedDestination, MailExplanation } from '../model/mailExplanation.ts';
import type { Destination, Resolver } from './resolver.ts';

/** Never rejects: a mailbox that can't be looked at has no path. */
export async function explainMail(
  address: string,
  resolver: Resolver,
  locate: (destination: Extract<Destination, { kind: 'account' }>) => ReturnType<MaildropStore['locate']>,
): Promise<MailExplanation> {
  const resolution = await resolver.resolve(address);
  const { outcome, steps } = resolution;
  if (resolution.outcome !== 'deliver') return { outcome, steps, destinations: [] };

  const explained = async (destination: Destination): Promise<ExplainedDestination> => {
    if (destination.kind === 'forward') return { kind: 'goes-on', address: destination.address, domain: destination.by.name };
    const { name } = destination.account.mailbox;
    if (!destination.keeps) return { kind: 'passes', name };
    const path = await locate(destination).then(
      (location) => location.path,
      () => null,
    );
    return { kind: 'rests', name, path };
  };
  return { outcome, steps, destinations: await Promise.all(resolution.destinations.map(explained)) };
}
