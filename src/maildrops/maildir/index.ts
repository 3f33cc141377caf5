/** Maildir: a file a message; new/ for what nobody has looked at, cur/ for the rest, tmp/ for what is being written. Needs no lock. */
import { hostname } from 'node:os';
import type { Log } from '../../model/log.ts';
import type { Disk } from '../../os/disk.ts';
import type { Backend } from '../backend.ts';
import { unreadable } from '../faults.ts';
import { deliver } from './delivery.ts';
import { removeLeftovers } from './leftovers.ts';
import { Listings } from './listings.ts';
import { newName } from './names.ts';
import { MaildirSession } from './session.ts';
import { createSharedSync } from './sharedSync.ts';
import { Usages } from './usages.ts';

export interface MaildirOptions {
  readonly disk: Disk;
  readonly log: Log;
  /** ms since 1970, by the clock that stamps files: what a listing may be trusted for depends on it. */
  readonly now: () => number;
  /** Its folder `maildir` holds the size indexes, one for each Maildir whose names don't tell sizes. */
  readonly stateDir: string;
  /**
   * The flag S (seen) on what was sent whole, which moves it from new/ to cur/. `rewrite`: when the same update removes something and so
   * changes the folders anyway, as with the `Status:` of an mbox; a client that leaves its mail on the server then writes nothing.
   */
  readonly statusHeader: 'rewrite' | 'always' | 'never';
  /** How many messages to remember between sessions, over all Maildirs; about 300 octets of memory each. */
  readonly cachedMessages?: number;
}

export interface MaildirBackend extends Backend {
  /** Maildirs and messages remembered between sessions. */
  counts(): { maildirs: number; messages: number };
}

export function createMaildirBackend(options: MaildirOptions): MaildirBackend {
  const { disk, log, now, statusHeader, stateDir, cachedMessages = 100_000 } = options;
  const listings = new Listings({ disk, log, now, stateDir, cachedMessages });
  const usages = new Usages({ disk, now, rememberedSizes: cachedMessages });
  const host = hostname();
  const syncShared = createSharedSync(disk);
  const context = { disk, log, now, statusHeader };
  const processUid = process.getuid?.() ?? 0;

  return {
    async open(place, { noStatus = false }) {
      try {
        const { listing, wasCached } = await listings.load(place.path, place.mailbox.owner?.uid ?? processUid);
        if (!wasCached) {
          const removed = removeLeftovers(disk, place.path, now);
          if (removed > 0) log.info('maildir.leftovers', { mailbox: place.mailbox.name, removed });
        }
        return new MaildirSession(context, place.path, listing, noStatus);
      } catch (error) {
        throw unreadable(error);
      }
    },

    deliver(place, message, envelope) {
      const owner = processUid === 0 ? place.mailbox.owner : undefined;
      return deliver({ disk, syncShared, owner }, place.path, newName(envelope.receivedAt.getTime(), host, now), message);
    },

    usage: ({ path, mailbox }) => usages.of(path, mailbox.owner?.uid ?? processUid),

    counts: () => listings.counts,
  };
}
