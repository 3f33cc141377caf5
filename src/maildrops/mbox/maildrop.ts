/** One session's view of an mbox. The file is opened when a message is first asked for, and held until the session ends. */
import { borrowSlot, PIECE_SIZE } from '../../message/octetLoops.ts';
import { Fault } from '../../model/fault.ts';
import type { Maildrop, MaildropMessage } from '../../model/maildrop.ts';
import type { Octets } from '../../model/octets.ts';
import { unreadable } from '../faults.ts';
import type { Context } from './context.ts';
import { type FileMark, markOf, sameFile, sameMark } from './fileMark.ts';
import { type Locate, locator } from './locate.ts';
import { lookAt, openPlace, withMailbox } from './mailboxFile.ts';
import { MboxMessage } from './message.ts';
import { unquoter } from './quoting.ts';
import { readingOf, refresh } from './refresh.ts';
import { QUOTED } from './rows.ts';
import { rowBegins, type Scan, stillEndsSo } from './scan.ts';
import { update } from './update.ts';

export interface Drop {
  readonly context: Context;
  readonly path: string;
  readonly name: string;
  readonly noStatus: boolean;
}

/** Used by the session, and by each large message on its way. */
interface OpenFile {
  readonly fd: number;
  users: number;
}

/** Where a message lies: in which file, from where to where. */
interface Extent {
  readonly file: OpenFile;
  readonly start: number;
  readonly end: number;
  readonly quoted: boolean;
}

export class MboxMaildrop implements Maildrop {
  readonly messages: readonly MboxMessage[];
  readonly #drop: Drop;
  /** What the message-numbers refer to. */
  readonly #listed: Scan;
  /** The same, or what has been found since another program changed the mailbox. */
  #scan: Scan;
  #locate: Locate;
  /** As the file was when it was last found to be in order. */
  #mark: FileMark;
  #file: OpenFile | undefined;
  #over = false;

  constructor(drop: Drop, scan: Scan) {
    this.#drop = drop;
    this.#listed = scan;
    this.#scan = scan;
    this.#locate = locator(scan, scan);
    this.#mark = scan.file;
    this.messages = scan.messages;
  }

  retrieve(message: MaildropMessage): Octets {
    const own = this.#own(message);
    let found: Extent | undefined;
    try {
      found = this.#find(own);
    } catch (error) {
      throw unreadable(error);
    }
    // What has to be looked for, or is large, takes a while.
    if (found === undefined || found.end - found.start > PIECE_SIZE) return { [Symbol.asyncIterator]: () => this.#pieces(own) };
    return { [Symbol.iterator]: () => this.#whole(own) };
  }

  async update(deleted: ReadonlySet<MaildropMessage>, retrieved: ReadonlySet<MaildropMessage>): Promise<void> {
    const { context, path, name, noStatus } = this.#drop;
    await update(context, { path, name, listed: this.#listed, deleted: this.#ownOf(deleted), retrieved: this.#ownOf(retrieved), noStatus });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    this.#close();
  }

  #own(message: MaildropMessage): MboxMessage {
    if (message instanceof MboxMessage && this.messages[message.row] === message) return message;
    throw new Fault('not-found', 'the message is gone');
  }

  #ownOf(messages: ReadonlySet<MaildropMessage>): Set<MboxMessage> {
    const own = new Set<MboxMessage>();
    for (const message of messages) own.add(this.#own(message));
    return own;
  }

  /** Lent memory: the octets are valid until the iterator goes on. */
  *#whole(message: MboxMessage): Generator<Uint8Array, void> {
    const { disk } = this.#drop.context;
    const slot = borrowSlot(PIECE_SIZE);
    try {
      let octets: Buffer;
      let quoted: boolean;
      try {
        const found = this.#find(message);
        if (found === undefined || found.end - found.start > PIECE_SIZE) throw changed();
        octets = slot.octets.subarray(0, found.end - found.start);
        quoted = found.quoted;
        const got = disk.read(found.file.fd, octets, 0, octets.length, found.start);
        // Looked at once more: another program may have been at it while it was read.
        if (got < octets.length || !this.#inOrder(message)) throw changed();
      } catch (error) {
        throw unreadable(error);
      }
      if (octets.length > 0) yield quoted ? unquoted(octets) : octets;
    } finally {
      slot.release();
    }
  }

  /** The same a piece at a time, after looking for the message if need be. */
  async *#pieces(message: MboxMessage): AsyncGenerator<Uint8Array, void> {
    const { disk } = this.#drop.context;
    const slot = borrowSlot(PIECE_SIZE);
    let file: OpenFile | undefined;
    try {
      if (this.#find(message) === undefined) await this.#scanAgain();
      const found = this.#find(message);
      if (found === undefined) throw changed();
      const scan = this.#scan;
      file = found.file;
      file.users += 1;
      const unquote = found.quoted ? unquoter() : undefined;
      for (let at = found.start; at < found.end; ) {
        const got = await disk.readLater(file.fd, slot.octets, 0, Math.min(PIECE_SIZE, found.end - at), at);
        if (got === 0 || this.#scan !== scan || !this.#inOrder(message)) throw changed();
        at += got;
        const piece = slot.octets.subarray(0, got);
        if (unquote === undefined) yield piece;
        else yield* unquote.push(piece);
      }
      if (unquote !== undefined) yield* unquote.end();
    } catch (error) {
      throw unreadable(error);
    } finally {
      slot.release();
      if (file !== undefined) this.#letGo(file);
    }
  }

  /** `undefined`: the message has to be looked for, or is gone. */
  #find(message: MboxMessage): Extent | undefined {
    const row = this.#inOrder(message) ? this.#locate(message) : undefined;
    if (row === undefined || this.#file === undefined) return undefined;
    const { rows } = this.#scan;
    return { file: this.#file, start: rows.content(row), end: rows.end(row), quoted: rows.has(row, QUOTED) };
  }

  /** `undefined`: the file that was scanned is no longer there. */
  #open(): OpenFile | undefined {
    if (this.#file !== undefined || this.#over) return this.#file;
    const { context, path } = this.#drop;
    const place = lookAt(context, path);
    if (place === undefined || !sameFile(place.stats, this.#mark)) return undefined;
    const fd = openPlace(context, path, place, 'read');
    if (fd !== undefined) this.#file = { fd, users: 1 };
    return this.#file;
  }

  /** Whether the message still lies where the scan says. Growth is fine, and so is a new name or mode. */
  #inOrder(message: MboxMessage): boolean {
    const file = this.#open();
    if (file === undefined) return false;
    const { context } = this.#drop;
    const mark = markOf(context.disk.fstat(file.fd));
    const unchanged = sameMark(mark, this.#mark);
    if (unchanged && this.#scan.trust === 'exact') return true;
    if (!unchanged && (mark.size < this.#scan.file.size || !stillEndsSo(readingOf(context, file.fd), this.#scan))) return false;
    const row = this.#locate(message);
    if (row === undefined || !rowBegins(readingOf(context, file.fd), this.#scan.rows, row)) return false;
    this.#mark = mark;
    return true;
  }

  /** Finds the messages in the mailbox as another program left it. */
  async #scanAgain(): Promise<void> {
    const { context, path, name } = this.#drop;
    this.#close();
    context.log.info('mbox.changed', { mailbox: name });
    const scan = await withMailbox(context, path, { access: 'write', create: false }, async (held) =>
      held === undefined ? undefined : refresh(context, held),
    );
    if (scan === undefined) throw changed();
    this.#scan = scan;
    this.#locate = locator(this.#listed, scan);
    this.#mark = scan.file;
  }

  #close(): void {
    if (this.#file !== undefined) this.#letGo(this.#file);
    this.#file = undefined;
  }

  /** Closed by its last user: the number of a file closed under a read that is under way may by then be another file's. */
  #letGo(file: OpenFile): void {
    file.users -= 1;
    if (file.users === 0) this.#drop.context.disk.close(file.fd);
  }
}

function changed(): Fault {
  return new Fault('temporary', 'the mailbox was changed by another program');
}

function unquoted(octets: Buffer): Buffer {
  const unquote = unquoter();
  return Buffer.concat([...unquote.push(octets), ...unquote.end()]);
}
