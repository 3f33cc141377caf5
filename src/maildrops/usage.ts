/** What mailboxes hold, for tools that only look: nothing is locked, and nothing made. */
import type { MaildropStore } from '../model/maildrop.ts';
import { unreadable, unusable } from './faults.ts';
import { findMailbox, type Locator } from './locate.ts';
import { Usages } from './maildir/usages.ts';

export function usageReader(locator: Locator, now: () => number): Pick<MaildropStore, 'usage'> {
  const { disk, processUid } = locator;
  const maildirs = new Usages({ disk, now, rememberedSizes: 0 });
  return {
    async usage(mailbox) {
      const { path, format, exists, refused } = findMailbox(locator, mailbox);
      if (!exists) return { octets: 0, messages: 0 };
      if (refused !== undefined) throw unusable(`${path}: ${refused}`);
      try {
        if (format === 'mbox') return { octets: disk.stat(path)?.size ?? 0 };
        return await maildirs.of(path, mailbox.owner?.uid ?? processUid);
      } catch (error) {
        throw unreadable(error);
      }
    },
  };
}
