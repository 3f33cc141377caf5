/** Receipts that wait for users, with their owner's worker. */
import type { ReceiptDesk } from '../model/receipts.ts';
import { tell } from './frames.ts';
import { put } from './line.ts';
import type { MailboxLines } from './mailboxLines.ts';
import { readReceiptReply } from './replies.ts';
import { writeReceipt } from './requests.ts';

export function createRemoteReceiptDesk({ use, wanted }: MailboxLines): ReceiptDesk {
  return {
    async ask(mailbox, receipt, unlessKnown) {
      const request = writeReceipt({ of: wanted(mailbox), receipt, unlessKnown });
      // The same message takes the same place: asking again does no harm.
      return use(mailbox, 'the mailbox can not be written just now', true, (line) => put(line, request, tell.receipt, readReceiptReply));
    },
  };
}
