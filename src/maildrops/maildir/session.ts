/** One session's view of a Maildir: the messages as they were when it was opened. */
import { borrowSlot, PIECE_SIZE } from '../../message/octetLoops.ts';
import { Fault } from '../../model/fault.ts';
import type { Log } from '../../model/log.ts';
import type { Maildrop, MaildropMessage } from '../../model/maildrop.ts';
import { type Octets, PiecesLater, PiecesNow } from '../../model/octets.ts';
import { codeOf, type Disk } from '../../os/disk.ts';
import { unreadable, unwritable } from '../faults.ts';
import type { Listing } from './listings.ts';
import { MESSAGE_FLAGS } from './measure.ts';
import { MaildirMessage } from './message.ts';
import { update } from './update.ts';
import { Whereabouts } from './whereabouts.ts';

export interface SessionContext {
  readonly disk: Disk;
  readonly log: Log;
  readonly now: () => number;
  readonly statusHeader: 'rewrite' | 'always' | 'never';
}

export class MaildirSession implements Maildrop {
  readonly messages: readonly MaildirMessage[];
  readonly #context: SessionContext;
  readonly #path: string;
  readonly #listing: Listing;
  readonly #noStatus: boolean;

  constructor(context: SessionContext, path: string, listing: Listing, noStatus: boolean) {
    this.messages = listing.messages;
    this.#context = context;
    this.#path = path;
    this.#listing = listing;
    this.#noStatus = noStatus;
  }

  retrieve(message: MaildropMessage): Octets {
    const known = this.#own(message);
    // One read holds it, if its name is right: no promise and no thread for what takes microseconds.
    const isSmall = known.size !== undefined && known.size < PIECE_SIZE;
    return isSmall ? new PiecesNow(() => this.#atOnce(known)) : new PiecesLater(() => this.#later(known));
  }

  async update(deleted: ReadonlySet<MaildropMessage>, retrieved: ReadonlySet<MaildropMessage>): Promise<void> {
    const marked = deleted.size === 0 ? [] : this.messages.filter((message) => deleted.has(message));
    const { statusHeader } = this.#context;
    const flags = !this.#noStatus && (statusHeader === 'always' || (statusHeader === 'rewrite' && marked.length > 0));
    const seen = flags && retrieved.size > 0 ? this.messages.filter((one) => retrieved.has(one) && !deleted.has(one)) : [];
    if (marked.length === 0 && seen.length === 0) return;
    try {
      await update({ ...this.#context, path: this.#path }, marked, seen);
    } catch (error) {
      throw unwritable(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held open between commands.
  }

  #own(message: MaildropMessage): MaildirMessage {
    if (message instanceof MaildirMessage) return message;
    throw gone();
  }

  /** The message's file, wherever it is by now. */
  #open(message: MaildirMessage): number {
    const { disk, now } = this.#context;
    let fd: number | undefined;
    try {
      fd = new Whereabouts(disk, this.#path, now).follow(message, (file) => {
        try {
          return disk.open(file, MESSAGE_FLAGS);
        } catch (error) {
          if (codeOf(error) === 'ENOENT') return 'no such file';
          throw error;
        }
      });
    } catch (error) {
      throw unreadable(error);
    }
    if (fd === undefined) throw gone();
    return fd;
  }

  /** Lent memory: the octets are valid until the iterator goes on. */
  *#atOnce(message: MaildirMessage): Generator<Uint8Array, void, void> {
    const { disk } = this.#context;
    const fd = this.#open(message);
    const slot = borrowSlot(PIECE_SIZE);
    try {
      let length = PIECE_SIZE;
      for (let position = 0; length === PIECE_SIZE; position += length) {
        try {
          length = disk.read(fd, slot.octets, 0, PIECE_SIZE, position);
          if (position === 0 && length !== message.size) this.#compare(message, fd);
        } catch (error) {
          throw unreadable(error);
        }
        if (length > 0) yield slot.octets.subarray(0, length);
      }
    } finally {
      slot.release();
      disk.close(fd);
    }
  }

  /** The same for any size: the thread pool reads. */
  async *#later(message: MaildirMessage): AsyncGenerator<Uint8Array, void, void> {
    const { disk } = this.#context;
    const fd = this.#open(message);
    const slot = borrowSlot(PIECE_SIZE);
    try {
      this.#compare(message, fd);
      for (let position = 0; ; ) {
        let length: number;
        try {
          length = await disk.readLater(fd, slot.octets, 0, PIECE_SIZE, position);
        } catch (error) {
          throw unreadable(error);
        }
        if (length === 0) return;
        position += length;
        yield slot.octets.subarray(0, length);
      }
    } finally {
      slot.release();
      disk.close(fd);
    }
  }

  /** A file that isn't as long as its name says is what counts; its size in listings is put right at the next open. @throws Fault temporary */
  #compare(message: MaildirMessage, fd: number): void {
    const stats = this.#context.disk.fstat(fd);
    if (!stats.isFile()) throw gone();
    if (message.size === undefined || stats.size === message.size) return;
    this.#listing.doubtful ??= new Set();
    this.#listing.doubtful.add(message.uniqueId);
    this.#context.log.warn('maildir.size', { path: this.#path, file: message.file, expected: message.size, found: stats.size });
  }
}

function gone(): Fault {
  return new Fault('temporary', 'the message is gone');
}
