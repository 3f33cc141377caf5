/** Which logins count for POP before SMTP: those to domains whose owners want it, from where somebody in particular comes from. */
import type { DomainName } from '../model/address.ts';
import type { Directory } from '../model/directory.ts';
import { Networks } from '../model/networks.ts';
import type { LoginNotes } from '../model/recentLogins.ts';

export interface LoginNotesOptions {
  readonly directory: Pick<Directory, 'domain'>;
  /** Whoever logs in from there does so for others: a webmail. */
  readonly exemptNetworks: Networks;
  readonly now: () => number;
  /** @param address a plain one */
  remember(address: string, account: string): void;
}

/** How long the answer may lag behind a domain's file. */
const LASTS_MS = 10_000;
const MOST_KNOWN = 10_000;

/** What comes from the host itself comes for everybody, and Postfix lets it send anyway. */
const loopback = ['127.0.0.0/8', '::1/128'];

/** Where no domain wants it, a login costs a look into a map, and each domain is asked for once in ten seconds. */
export function createLoginNotes({ directory, exemptNetworks, now, remember }: LoginNotesOptions): LoginNotes {
  const passedOver = new Networks([...loopback, ...exemptNetworks.entries]);
  const known = new Map<DomainName, { readonly isWanted: boolean; readonly askedAtMs: number }>();

  async function ask(domain: DomainName): Promise<boolean> {
    const isWanted = (await directory.domain(domain))?.popBeforeSmtp === true;
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(domain, { isWanted, askedAtMs: now() });
    return isWanted;
  }

  return {
    note({ remoteAddress, isProxy }, { name, domain }) {
      if (domain === undefined || isProxy) return;
      const answer = known.get(domain);
      const isFresh = answer !== undefined && Math.abs(now() - answer.askedAtMs) < LASTS_MS;
      if ((isFresh && !answer.isWanted) || passedOver.has(remoteAddress)) return;
      if (isFresh) {
        remember(remoteAddress, name);
        return;
      }
      ask(domain).then(
        (isWanted) => {
          if (isWanted) remember(remoteAddress, name);
        },
        // Not known at the moment: the next login asks again.
        () => {},
      );
    },
  };
}
