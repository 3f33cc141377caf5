/**
 * Writes replies at the client's pace. Short ones gather in `#text` until `flush`, so that pipelined commands are answered in one write.
 */
import type { Socket } from 'node:net';
import type { Octets } from '../model/octets.ts';
import { BodyTransfer, ClientGone, TornReply } from './bodyTransfer.ts';

/** Above this, text goes out without waiting for `flush`: up to 16 KiB Node writes at once, without a buffer of its own. */
const textLimit = 15_000;

/** Of all connections since the process started. */
export interface ByteCounts {
  received: number;
  sent: number;
}

export class ReplyWriter {
  #socket: Socket;
  readonly #bytes: ByteCounts;
  #text = '';
  #body: BodyTransfer | undefined;
  #waiter: (() => void) | undefined;

  constructor(socket: Socket, bytes: ByteCounts) {
    this.#socket = socket;
    this.#bytes = bytes;
  }

  /** Goes on over another socket (STLS). Everything written so far must have been taken. */
  attach(socket: Socket): void {
    this.#socket = socket;
  }

  /** Adds text that may wait for `flush`. */
  add(text: string): void {
    this.#text += text;
    if (this.#text.length > textLimit) this.flush();
  }

  flush(): void {
    const text = this.#text;
    if (text === '') return;
    this.#text = '';
    const length = Buffer.byteLength(text);
    this.#bytes.sent += length;
    if (this.#socket.writable) this.#socket.write(text, length === text.length ? 'latin1' : 'utf8');
  }

  /** The client doesn't read what it asked for: nothing more should be asked of the dialogue before `drained`. */
  get behind(): boolean {
    return this.#socket.writableNeedDrain && this.#socket.writableLength > 0;
  }

  /** The kernel has everything. */
  get idle(): boolean {
    return this.#text === '' && this.#socket.writableLength === 0;
  }

  /** Grows while a body is on its way and the client reads. */
  get progress(): number {
    return this.#body?.batchesTaken ?? 0;
  }

  /** Resolves when the kernel has everything, or the socket is closed. */
  async drained(): Promise<void> {
    this.flush();
    if (this.#socket.destroyed || this.#socket.writableLength === 0) return;
    await new Promise<void>((resolve) => {
      this.#waiter = resolve;
      this.#socket.write('', () => this.#wake());
    });
  }

  /** Adds a multi-line reply. `undefined`: done; else what is to be waited for. @throws what `rows` throws */
  rows(head: string, rows: Iterable<string>): Promise<void> | undefined {
    const rest = rows[Symbol.iterator]();
    // Fetched first: while nothing is written, a failure can still be told in words.
    const first = rest.next();
    this.add(head);
    return this.#addRows(rest, first);
  }

  /** Writes a reply with a body. `undefined`: done; else what is to be waited for. @throws as BodyTransfer.send does, also in the promise */
  body(head: string, body: Octets): Promise<void> | undefined {
    const before = this.#text;
    this.#text = '';
    const transfer = new BodyTransfer(this.#socket, before + head);
    this.#body = transfer;
    try {
      const pending = transfer.send(body);
      if (pending) return this.#finishBody(transfer, pending, before);
      this.#bodyDone(transfer);
      return undefined;
    } catch (thrown) {
      this.#bodyFailed(transfer, before);
      throw thrown;
    }
  }

  /** The socket is closed: whoever waits need not. */
  abandon(): void {
    this.#wake();
    this.#body?.abandon();
  }

  async #finishBody(transfer: BodyTransfer, pending: Promise<void>, before: string): Promise<void> {
    try {
      await pending;
    } catch (thrown) {
      this.#bodyFailed(transfer, before);
      throw thrown;
    }
    this.#bodyDone(transfer);
  }

  #bodyDone(transfer: BodyTransfer): void {
    this.#body = undefined;
    this.#bytes.sent += transfer.octets;
  }

  /** Where nothing was written, the earlier replies that would have gone out with it are still due. */
  #bodyFailed(transfer: BodyTransfer, before: string): void {
    if (transfer.octets === 0) this.#text = before;
    this.#bodyDone(transfer);
  }

  #addRows(rows: Iterator<string>, first: IteratorResult<string>): Promise<void> | undefined {
    try {
      for (let row = first; !row.done; row = rows.next()) {
        this.#text += row.value.startsWith('.') ? `.${row.value}\r\n` : `${row.value}\r\n`;
        if (this.#text.length <= textLimit) continue;
        this.flush();
        if (this.behind) return this.#addRowsSlowly(rows);
      }
    } catch (thrown) {
      this.#socket.destroy();
      throw new TornReply('the rows of a reply failed halfway', { cause: thrown });
    }
    this.add('.\r\n');
    return undefined;
  }

  async #addRowsSlowly(rows: Iterator<string>): Promise<void> {
    await this.drained();
    if (this.#socket.destroyed) {
      rows.return?.();
      throw new ClientGone();
    }
    await this.#addRows(rows, rows.next());
  }

  #wake(): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.();
  }
}
