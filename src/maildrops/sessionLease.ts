/** A maildrop together with the lock that makes it one session's. */
import type { Maildrop, MaildropMessage } from '../model/maildrop.ts';
import type { Octets } from '../model/octets.ts';
import type { SessionLock } from '../os/sessionLocks.ts';

export class SessionLease implements Maildrop {
  readonly #maildrop: Maildrop;
  readonly #lock: SessionLock;
  readonly #ended: () => void;
  #isOpen = true;

  constructor(maildrop: Maildrop, lock: SessionLock, ended: () => void) {
    this.#maildrop = maildrop;
    this.#lock = lock;
    this.#ended = ended;
  }

  get messages(): readonly MaildropMessage[] {
    return this.#maildrop.messages;
  }

  retrieve(message: MaildropMessage): Octets {
    return this.#maildrop.retrieve(message);
  }

  update(deleted: ReadonlySet<MaildropMessage>, retrieved: ReadonlySet<MaildropMessage>): Promise<void> {
    return this.#maildrop.update(deleted, retrieved);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      await this.#maildrop[Symbol.asyncDispose]();
    } finally {
      this.#lock.release();
      this.#ended();
    }
  }
}

/** For a mailbox that isn't there. */
export const emptyMaildrop: Maildrop = {
  messages: [],
  retrieve: () => [],
  async update() {},
  async [Symbol.asyncDispose]() {},
};
