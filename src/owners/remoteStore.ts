/** Mail that rests where only its owner's worker may touch it. */
import { Fault } from '../model/fault.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { Text } from '../texts/index.ts';
import type { Wanted } from './accounts.ts';
import { tell } from './frames.ts';
import { type Line, put } from './line.ts';
import type { Lines } from './lines.ts';
import type { RemoteOptions, RemoteStore } from './remote.ts';
import { readLocated } from './replies.ts';
import { writeLocate } from './requests.ts';
import { sendDelivery } from './sending.ts';
import type { Sessions } from './sessions.ts';
import type { Worker } from './whereabouts.ts';

export function createRemoteStore({ whereabouts, rules }: RemoteOptions, lines: Lines, sessions: Sessions): RemoteStore {
  function workerOf({ domain, user }: Mailbox): Promise<Worker | undefined> {
    return domain === undefined ? whereabouts.ofSystemUser(user) : whereabouts.ofDomain(domain);
  }

  /** @throws Fault temporary where the mailbox has no address: a system user without a default domain */
  function wanted({ domain, name, user }: Mailbox): Wanted {
    if (domain !== undefined) return { address: { user, domain }, system: false };
    if (rules.defaultDomain !== undefined) return { address: { user, domain: rules.defaultDomain }, system: true };
    throw new Fault('temporary', 'the mailbox can not be used', { cause: `${name} has no address: there is no default domain` });
  }

  async function use<T>(mailbox: Mailbox, otherwise: Text, repeatable: boolean, work: (line: Line) => Promise<T>): Promise<T> {
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
  }

  return {
    open: (mailbox, { noStatus = false } = {}) => sessions.open(mailbox, noStatus),

    async deliver(mailbox, message, envelope) {
      const request = { to: wanted(mailbox), envelope };
      // What may have been delivered is not delivered again: the sender is told to come back, and knows what a double looks like.
      await use(mailbox, 'the mailbox can not be written just now', false, (line) => sendDelivery(line, request, message));
    },

    async locate(mailbox) {
      const request = writeLocate(wanted(mailbox));
      return use(mailbox, 'the mailbox can not be read just now', true, (line) => put(line, request, tell.located, readLocated));
    },

    async close() {
      sessions.close();
      await lines.close();
    },

    counts: () => ({ ...lines.counts(), sessions: sessions.count }),
  };
}
