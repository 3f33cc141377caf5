/** What was done once for a mailbox, which its owner's worker remembers. */
import { Fault } from '../model/fault.ts';
import type { OnceMemory } from '../model/onceMemory.ts';
import { tell } from './frames.ts';
import { put } from './line.ts';
import type { MailboxLines } from './mailboxLines.ts';
import { readFirstReply } from './replies.ts';
import { MOST_KEY, writeFirst } from './requests.ts';

export function createRemoteOnceMemory({ use, wanted }: MailboxLines): OnceMemory {
  return {
    async first(mailbox, topic, key, lastsS) {
      const otherwise = 'the mailbox can not be written just now';
      if (Buffer.byteLength(key) > MOST_KEY) throw new Fault('temporary', otherwise, { cause: 'a key that is too long to be asked about' });
      const request = writeFirst({ of: wanted(mailbox), topic, key, lastsS });
      // Asked again, a worker that has remembered it says no: then nobody would do it.
      return use(mailbox, otherwise, false, (line) => put(line, request, tell.first, readFirstReply));
    },
  };
}
