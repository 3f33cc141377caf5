/** Mail that rests where only its owner's worker may touch it. */
import { tell } from './frames.ts';
import { put } from './line.ts';
import type { Lines } from './lines.ts';
import type { MailboxLines } from './mailboxLines.ts';
import type { RemoteStore } from './remote.ts';
import { readLocated, readUsage } from './replies.ts';
import { writeLocate, writeUsageRequest } from './requests.ts';
import { sendDelivery } from './sending.ts';
import type { Sessions } from './sessions.ts';

export function createRemoteStore({ use, useDomain, wanted }: MailboxLines, lines: Lines, sessions: Sessions): RemoteStore {
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

    async usage(mailbox) {
      const request = writeUsageRequest(wanted(mailbox));
      return use(mailbox, 'the mailbox can not be read just now', true, (line) => put(line, request, tell.usage, readUsage));
    },

    domains: {
      of(domain, anew = false) {
        const request = writeUsageRequest({ domain, anew });
        return useDomain(domain, 'the mailbox can not be read just now', true, (line) => put(line, request, tell.usage, readUsage));
      },
      // Its worker delivers, and knows.
      add() {},
    },

    async close() {
      sessions.close();
      await lines.close();
    },

    counts: () => ({ ...lines.counts(), sessions: sessions.count }),
  };
}
