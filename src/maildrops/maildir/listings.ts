/** The messages of each Maildir as this process saw them last, trusted while new/ and cur/ are as they were. */
import type { Log } from '../../model/log.ts';
import type { Disk } from '../../os/disk.ts';
import { type Entry, entriesOf } from './entries.ts';
import { type Folders, readFolders, requireOwn, type Stamps, sameStamps, stampsOf } from './folders.ts';
import { MaildirMessage } from './message.ts';
import { type Sized, Sizes } from './sizes.ts';
import { finishRemoval } from './update.ts';

export interface Listing {
  readonly messages: readonly MaildirMessage[];
  readonly stamps: Stamps;
  readonly settled: boolean;
  /** Unique-ids whose file turned out to have another size than its name says: measured at the next open. */
  doubtful: Set<string> | undefined;
}

export interface ListingOptions {
  readonly disk: Disk;
  readonly log: Log;
  readonly now: () => number;
  readonly stateDir: string;
  /** How many messages are remembered, over all Maildirs; about 300 octets of memory each. */
  readonly cachedMessages: number;
}

const ATTEMPTS = 3;

export class Listings {
  readonly #options: ListingOptions;
  /** By path; the one used last stands last. */
  readonly #cached = new Map<string, Listing>();
  /** Of all that is cached. */
  #weight = 0;

  constructor(options: ListingOptions) {
    this.#options = options;
  }

  get counts(): { maildirs: number; messages: number } {
    let messages = 0;
    for (const listing of this.#cached.values()) messages += listing.messages.length;
    return { maildirs: this.#cached.size, messages };
  }

  /**
   * As it is now. Two system calls when nothing changed. Called by who has the session lock.
   * @param uid whose it must be. @throws Fault permanent where it isn't; Error with `code`
   */
  async load(path: string, uid: number): Promise<{ listing: Listing; wasCached: boolean }> {
    const { disk } = this.#options;
    const cached = this.#cached.get(path);
    if (cached?.settled && cached.doubtful === undefined && sameStamps(cached.stamps, stampsOf(disk, path))) {
      this.#cached.delete(path);
      this.#cached.set(path, cached);
      return { listing: cached, wasCached: true };
    }
    const listing = await this.#read(path, uid, cached);
    this.#keep(path, listing);
    return { listing, wasCached: cached !== undefined };
  }

  async #read(path: string, uid: number, before: Listing | undefined): Promise<Listing> {
    const { disk, log, now } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const folders = readFolders(disk, path, now);
      // After the reading, which found the same folders before and behind it.
      requireOwn(path, folders.stamps, uid);
      if (folders.hasJournal && attempt < ATTEMPTS) {
        await finishRemoval({ disk, log, now, path }, entriesOf(disk, path, folders));
        continue;
      }
      const { messages, missed } = await this.#messagesOf(path, folders, before);
      // A file that had another name by the time it was to be measured is there under that one.
      if (missed && attempt < ATTEMPTS) continue;
      return { messages, stamps: folders.stamps, settled: folders.settled && !missed, doubtful: undefined };
    }
  }

  async #messagesOf(path: string, folders: Folders, before: Listing | undefined): Promise<{ messages: MaildirMessage[]; missed: boolean }> {
    const known = new Map(before?.messages.map((message) => [message.uniqueId, message]));
    const sizes = new Sizes(this.#options, path);
    if (before === undefined) sizes.consult();
    const messages: MaildirMessage[] = [];
    let missed = false;
    for (const entry of entriesOf(this.#options.disk, path, folders)) {
      const isDoubtful = before?.doubtful?.has(entry.uniqueId) === true;
      const message = known.get(entry.uniqueId);
      if (message !== undefined && !isDoubtful) {
        // Sessions that hold the same message find its file the faster for it.
        message.name = entry.name;
        message.isNew = entry.isNew;
        messages.push(message);
        continue;
      }
      const found = await sizes.of(entry, isDoubtful);
      if (found === 'gone') missed = true;
      else if (found !== 'no message') messages.push(messageOf(entry, found));
    }
    sizes.keep(messages.map((message) => message.uniqueId));
    return { messages, missed };
  }

  #keep(path: string, listing: Listing): void {
    const before = this.#cached.get(path);
    if (before !== undefined) this.#drop(path, before);
    this.#cached.set(path, listing);
    this.#weight += weight(listing);
    for (const [oldest, one] of this.#cached) {
      if (this.#weight <= this.#options.cachedMessages) break;
      this.#drop(oldest, one);
    }
  }

  #drop(path: string, listing: Listing): void {
    this.#cached.delete(path);
    this.#weight -= weight(listing);
  }
}

/** In messages; what there is for each Maildir takes as much as four. */
function weight(listing: Listing): number {
  return listing.messages.length + 4;
}

function messageOf({ uniqueId, name, isNew, isTwin }: Entry, { size, octets, receivedAtMs }: Sized): MaildirMessage {
  return new MaildirMessage({ uniqueId, octets, receivedAtMs, size, isTwin, name, isNew });
}
