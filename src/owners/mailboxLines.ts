/** Lines to the worker of a mailbox's owner. */
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
}

export function createMailboxLines({ whereabouts, rules }: Pick<RemoteOptions, 'whereabouts' | 'rules'>, lines: Lines): MailboxLines {
  function workerOf({ domain, user }: Mailbox): Promise<Worker | undefined> {
    return domain === undefined ? whereabouts.ofSystemUser(user) : whereabouts.ofDomain(domain);
  }

  return {
    wanted({ domain, name, user }) {
      if (domain !== undefined) return { address: { user, domain }, system: false };
      if (rules.defaultDomain !== undefined) return { address: { user, domain: rules.defaultDomain }, system: true };
      throw new Fault('temporary', 'the mailbox can not be used', { cause: `${name} has no address: there is no default domain` });
    },

    async use(mailbox, otherwise, repeatable, work) {
      const first = await workerOf(mailbox);
      if (first === undefined) throw new Fault('temporary', otherwise, { cause: `nobody serves ${mailbox.name}` });
      return lines.use(first, {
        again: () => workerOf(mailbox),
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
    },
  };
}
