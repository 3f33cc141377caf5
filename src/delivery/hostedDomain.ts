/** The domain of ours that a name means. */
import { type DomainName, parseDomainName } from '../model/address.ts';
import type { Directory, HostedDomain, Step } from '../model/directory.ts';

export interface HostedDomainOptions {
  readonly directory: Pick<Directory, 'domain'>;
  /** Whether domains take mail for `user@x.domain`, where they don't say themselves. */
  readonly foldSubdomains: boolean;
}

/** How far up a subdomain is looked for in a domain that folds them. */
const MOST_LABELS = 8;

/** @param steps get what was found on the way. @throws Fault temporary */
export async function hostedDomain(
  raw: string,
  { directory, foldSubdomains }: HostedDomainOptions,
  steps: Step[] = [],
): Promise<HostedDomain | undefined> {
  const name = parseDomainName(raw);
  const found = name && (await directory.domain(name));
  steps.push({ rule: 'domain', outcome: found ? found.name : 'not one of ours' });
  return found ?? (name && foldedInto(name, { directory, foldSubdomains }, steps));
}

/** The nearest domain of ours above it decides. */
async function foldedInto(
  name: DomainName,
  { directory, foldSubdomains }: HostedDomainOptions,
  steps: Step[],
): Promise<HostedDomain | undefined> {
  const labels = name.split('.');
  for (let level = 1; level <= Math.min(MOST_LABELS, labels.length - 2); level += 1) {
    const above = parseDomainName(labels.slice(level).join('.'));
    const domain = above && (await directory.domain(above));
    if (domain === undefined) continue;
    const folds = domain.foldsSubdomains ?? foldSubdomains;
    steps.push({ rule: 'folded subdomain', outcome: folds ? domain.name : `${domain.name} does not fold its subdomains` });
    return folds ? domain : undefined;
  }
  return undefined;
}
