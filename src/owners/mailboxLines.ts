/** Lines to the worker of a mailbox's owner. */
import type { DomainName } from '../model/address.ts';
import { Fault } from '../model/fault.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { Text } from '../texts/index.ts';
import type { Wanted } from './accounts.ts';
import type { Line } from './line.ts';
import type { Lines } from './lines.ts';
import type { RemoteOptions } from './remote.ts';
import type { Worker } from './whereabouts.ts';

export interface MailboxLines {
  /** How the worker knows the mailbox. @throws Fault temporary where it has no address: a system user without a default domain */
  wanted(mailbox: Mailbox): Wanted;
  /** `otherwise` and `repeatable` as in `Lines.use`. @throws Fault as the worker answers, or temporary */
  use<T>(mailbox: Mailbox, otherwise: Text, repeatable: boolean, work: (line: Line) => Promise<T>): Promise<T>;
  /** Likewise, to the worker of a domain. */
  useDomain<T>(name: DomainName, otherwise: Text, repeatable: boolean, work: (line: Line) => Promise<T>): Promise<T>;
}

interface Purpose<T> {
  readonly otherwise: Text;
  readonly repeatable: boolean;
  readonly work: (line: Line) => Promise<T>;
}

export function createMailboxLines({ whereabouts, rules }: Pick<RemoteOptions, 'whereabouts' | 'rules'>, lines: Lines): MailboxLines {
  function workerOf({ domain, user }: Mailbox): Promise<Worker | undefined> {
    return domain === undefined ? whereabouts.ofSystemUser(user) : whereabouts.ofDomain(domain);
  }

  async function using<T>(find: () => Promise<Worker | undefined>, name: string, { otherwise, repeatable, work }: Purpose<T>): Promise<T> {
    const first = await find();
    if (first === undefined) throw new Fault('temporary', otherwise, { cause: `nobody serves ${name}` });
    return lines.use(first, {
      again: find,
      otherwise,
      repeatable,
      async work(line) {
        try {
          return await work(line);
        } finally {
          lines.giveBack(line);
        }
      },
    });
  }

  return {
    wanted({ domain, name, user }) {
      if (domain !== undefined) return { address: { user, domain }, system: false };
      if (rules.defaultDomain !== undefined) return { address: { user, domain: rules.defaultDomain }, system: true };
      throw new Fault('temporary', 'the mailbox can not be used', { cause: `${name} has no address: there is no default domain` });
    },

    use: (mailbox, otherwise, repeatable, work) => using(() => workerOf(mailbox), mailbox.name, { otherwise, repeatable, work }),
    useDomain: (name, otherwise, repeatable, work) => using(() => whereabouts.ofDomain(name), name, { otherwise, repeatable, work }),
  };
}
