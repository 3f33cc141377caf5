/**
 * One message body on its way out. Status line, pieces and terminator gather in one area of memory that goes to the socket in one write,
 * and more is fetched when the socket has taken it: a slow client costs one area, whatever the size of the message. What the kernel
 * takes at once goes out without a promise.
 */
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { borrowSlot, PIECE_SIZE, SLOT_SIZE, type Slot } from '../message/octetLoops.ts';
import { fitsOnWire, TERMINATOR_ROOM, WireEncoder, wireRoom } from '../message/wire.ts';
import type { Octets } from '../model/octets.ts';

/** A client that reads as fast as we write gets so many batches before the others have their turn. */
const batchesInARow = 16;

/** The client went away in the middle of a reply. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** The body failed (`cause`) after its beginning was sent; only cutting the connection can tell the client. */
export class TornReply extends Error {
  override readonly name = 'TornReply';
}

type Pieces = Iterator<Uint8Array> | AsyncIterator<Uint8Array>;

export class BodyTransfer {
  /** Handed to the socket so far. */
  octets = 0;
  /** Grows whenever the socket has taken a batch: the client reads. */
  batchesTaken = 0;
  readonly #socket: Socket;
  readonly #encoder = new WireEncoder();
  /** `undefined` once it is in the batch. */
  #head: string | undefined;
  /** The batch: what is gathered for the next write, or what the socket has not taken yet. */
  #slot: Slot | undefined;
  #gathered = 0;
  #inARow = 0;
  #waiter: (() => void) | undefined;

  constructor(socket: Socket, head: string) {
    this.#socket = socket;
    this.#head = head;
  }

  /**
   * Writes the head and the body after it. `undefined`: the socket has taken all of it already.
   * @throws what the body throws while nothing of this reply is written yet; ClientGone; TornReply
   */
  send(body: Octets): Promise<void> | undefined {
    if (!(Symbol.iterator in body)) return this.#sendSlowly(body[Symbol.asyncIterator]());
    const pieces = body[Symbol.iterator]();
    try {
      for (let next = pieces.next(); !next.done; next = pieces.next()) {
        if (!this.#hasRoom(next.value) && !this.#push()) return this.#sendSlowly(pieces, next.value);
        this.#gather(next.value);
      }
      return this.#finish() ? undefined : this.#sendRest(pieces);
    } catch (thrown) {
      throw this.#failure(thrown, pieces);
    }
  }

  /** The socket is closed: whoever waits for it need not. */
  abandon(): void {
    this.#wake();
  }

  /** @param first a piece that is waiting for the batch before it to be taken */
  async #sendSlowly(pieces: Pieces, first?: Uint8Array): Promise<void> {
    try {
      if (first !== undefined) {
        await this.#taken();
        this.#gather(first);
      }
      for (;;) {
        // Not kept back until more has been read: that may take a while.
        if (this.#gathered >= PIECE_SIZE && !this.#push()) await this.#taken();
        const next = await pieces.next();
        if (this.#socket.destroyed) throw new ClientGone();
        if (next.done) break;
        if (!this.#hasRoom(next.value) && !this.#push()) await this.#taken();
        this.#gather(next.value);
      }
      if (!this.#finish()) await this.#taken();
    } catch (thrown) {
      throw this.#failure(thrown, pieces);
    }
  }

  /** All of it is with the socket. */
  async #sendRest(pieces: Pieces): Promise<void> {
    try {
      await this.#taken();
    } catch (thrown) {
      throw this.#failure(thrown, pieces);
    }
  }

  #hasRoom(piece: Uint8Array): boolean {
    this.#begin();
    return this.#slot === undefined || fitsOnWire(piece, this.#slot.octets.length - this.#gathered - TERMINATOR_ROOM);
  }

  #begin(): void {
    if (this.#head === undefined) return;
    const head = this.#head;
    this.#head = undefined;
    this.#slot = borrowSlot(Math.max(SLOT_SIZE, 3 * head.length));
    this.#gathered = this.#slot.octets.write(head);
  }

  /** Into a batch that has room, or into one of its own where the piece is larger than ours are. */
  #gather(piece: Uint8Array): void {
    this.#slot ??= borrowSlot(Math.max(SLOT_SIZE, wireRoom(piece) + TERMINATOR_ROOM));
    this.#gathered += this.#encoder.encode(piece, this.#slot.octets, this.#gathered);
  }

  /** As `push`, with the terminator. */
  #finish(): boolean {
    this.#begin();
    this.#slot ??= borrowSlot(SLOT_SIZE);
    const end = this.#encoder.end();
    this.#slot.octets.set(end, this.#gathered);
    this.#gathered += end.length;
    return this.#push();
  }

  /** Hands the batch over. False: wait for `taken` before there is more. */
  #push(): boolean {
    if (this.#slot === undefined) return true;
    this.#socket.write(this.#slot.octets.subarray(0, this.#gathered));
    this.octets += this.#gathered;
    this.#gathered = 0;
    if (this.#socket.writableLength > 0 || this.#socket.destroyed) return false;
    this.#release();
    return ++this.#inARow < batchesInARow;
  }

  /** Waits for the batch to be taken. @throws ClientGone */
  async #taken(): Promise<void> {
    if (this.#inARow >= batchesInARow) await setImmediate();
    this.#inARow = 0;
    if (this.#socket.writableLength > 0 && !this.#socket.destroyed) {
      await new Promise<void>((resolve) => {
        this.#waiter = resolve;
        this.#socket.write('', () => this.#wake());
      });
    }
    if (this.#socket.destroyed) throw new ClientGone();
    this.#release();
  }

  #wake(): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.();
  }

  #release(): void {
    this.batchesTaken++;
    this.#slot?.release();
    this.#slot = undefined;
  }

  /** As long as nothing has been written, a failure can still be told in words. */
  #failure(thrown: unknown, pieces: Pieces): unknown {
    const begun = this.octets > 0;
    if (begun && !this.#socket.destroyed) this.#socket.destroy();
    // What a closed socket still holds may be lent to the next reader, as far as the memory is concerned: the kernel reads it no more.
    this.#release();
    stop(pieces);
    if (!begun || thrown instanceof ClientGone) return thrown;
    return new TornReply('the body of a reply failed halfway', { cause: thrown });
  }
}

/** Lets the source close its files. It has failed already or nobody wants it, so what closing throws is of no interest. */
function stop(pieces: Pieces): void {
  try {
    Promise.resolve(pieces.return?.()).catch(() => {});
  } catch {
    // See above.
  }
}
