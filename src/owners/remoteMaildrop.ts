/** A maildrop that a worker has open for us, over a line that serves nothing else meanwhile. */
import { Fault } from '../model/fault.ts';
import type { Maildrop, MaildropMessage } from '../model/maildrop.ts';
import { type Octets, PiecesLater } from '../model/octets.ts';
import { frames, type Payload, plainFrame } from './codec.ts';
import { ask, tell } from './frames.ts';
import { type Line, LineLost, put } from './line.ts';
import { RemoteMessage } from './listing.ts';
import { writeMarks } from './requests.ts';
import { Retrieval } from './retrieval.ts';
import { Turns } from './turns.ts';

const release = plainFrame(ask.release);

export class RemoteMaildrop implements Maildrop {
  readonly messages: readonly RemoteMessage[];
  /** The worker is gone, and the lock with it. */
  lost = false;
  readonly #line: Line;
  readonly #ended: () => void;
  readonly #turns = new Turns();
  #isOpen = true;

  /** @param ended called once, when the line is free for something else, or lost */
  constructor(line: Line, messages: readonly RemoteMessage[], ended: () => void) {
    this.messages = messages;
    this.#line = line;
    this.#ended = ended;
    line.onLost = () => {
      this.lost = true;
      this.#end();
    };
  }

  retrieve(message: MaildropMessage): Octets {
    const { row } = this.#own(message);
    if (!this.#isOpen) throw this.#unreadable(new Error('the maildrop is closed'));
    const options = { line: this.#line, turns: this.#turns, row, lost: (reason: Error) => this.#unreadable(this.#isLost(reason)) };
    return new PiecesLater(() => new Retrieval(options));
  }

  /** The worker lets go of the maildrop in the same breath: one round trip for QUIT, and nothing can be retrieved afterwards. */
  async update(deleted: ReadonlySet<MaildropMessage>, retrieved: ReadonlySet<MaildropMessage>): Promise<void> {
    const request = frames((to) => {
      writeMarks(to, 'deleted', this.#rows(deleted));
      writeMarks(to, 'retrieved', this.#rows(retrieved));
      to.begin(ask.update).finish();
    });
    await this.#turns.inTurn(async () => {
      if (!this.#isOpen) throw this.#unwritable(new Error('the maildrop is closed'));
      try {
        await put(this.#line, request, tell.done, nothing);
      } catch (thrown) {
        throw thrown instanceof LineLost ? this.#unwritable(this.#isLost(thrown)) : thrown;
      } finally {
        this.#end();
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turns.inTurn(async () => {
      if (!this.#isOpen) return;
      try {
        await put(this.#line, release, tell.done, nothing);
      } catch (thrown) {
        // With the connection the worker lets go of it by itself.
        if (!(thrown instanceof LineLost)) throw thrown;
      } finally {
        this.#end();
      }
    });
  }

  /** Whoever is told hears of it before the line says that it is closed. */
  #isLost(reason: Error): Error {
    this.lost = true;
    return reason;
  }

  #end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#ended();
  }

  #own(message: MaildropMessage): RemoteMessage {
    if (message instanceof RemoteMessage && this.messages[message.row] === message) return message;
    throw new Fault('not-found', 'the message is gone');
  }

  /** In order. */
  #rows(messages: ReadonlySet<MaildropMessage>): Iterable<number> {
    if (messages.size === 0) return [];
    return Uint32Array.from(messages, (message) => this.#own(message).row).sort();
  }

  #unreadable(cause: Error): Fault {
    return new Fault('temporary', 'the mailbox can not be read just now', { cause });
  }

  #unwritable(cause: Error): Fault {
    return new Fault('temporary', 'the mailbox can not be written just now', { cause });
  }
}

function nothing(payload: Payload): void {
  payload.end();
}
