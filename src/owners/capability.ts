/**
 * What a front may do on one connection, by what was shown on it: a maildrop is opened only for the account whose proof held on this very
 * connection, and only until the next login, update or release. A front that is taken over gets no mail without a password.
 */
import { Fault } from '../model/fault.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { Maildrop, MaildropMessage } from '../model/maildrop.ts';
import type { Octets } from '../model/octets.ts';
import type { Payload } from './codec.ts';
import { Malformed } from './frames.ts';
import { writeListing } from './listing.ts';
import { writeAdmitted, writeOpened } from './replies.ts';
import { type AuthenticateRequest, readMarks } from './requests.ts';
import type { Service } from './service.ts';

type Held =
  | { readonly kind: 'admitted'; readonly mailbox: Mailbox; readonly noStatus: boolean }
  | { readonly kind: 'open'; readonly mailbox: Mailbox; readonly maildrop: Maildrop; readonly marks: Marks };

interface Marks {
  readonly deleted: Set<MaildropMessage>;
  readonly retrieved: Set<MaildropMessage>;
}

export class Capability {
  readonly #service: Service;
  #held: Held | undefined;
  #closed = false;

  constructor(service: Service) {
    this.#service = service;
  }

  /** Nothing was shown, or it was used up. */
  get none(): boolean {
    return this.#held === undefined;
  }

  /** The frames of the answer. @throws Fault as Directory.authenticate does */
  async authenticate({ claim, proof, service, opens, noStatus: wanted }: AuthenticateRequest): Promise<readonly Buffer[]> {
    await this.letGo();
    const found = await this.#service.directory.authenticate(claim, proof, service);
    const admission = { ...found, noStatus: found.noStatus || wanted };
    // Proofs for other services may be ones that open no maildrop.
    if (service !== 'pop3') return [writeAdmitted(admission, { kind: 'none' })];
    const { mailbox } = admission.account;
    if (!opens) {
      this.#hold({ kind: 'admitted', mailbox, noStatus: admission.noStatus });
      return [writeAdmitted(admission, { kind: 'none' })];
    }
    try {
      const { size, frames } = writeListing(await this.#openMaildrop(mailbox, admission.noStatus));
      return [writeAdmitted(admission, { kind: 'open', listing: size }), ...frames];
    } catch (thrown) {
      await this.letGo();
      if (!(thrown instanceof Fault)) this.#service.log.error('owners.trouble', { mailbox: mailbox.name, cause: thrown });
      return [writeAdmitted(admission, { kind: 'fault', fault: Fault.from(thrown) })];
    }
  }

  /** The frames of the answer. @throws Malformed; Fault login-delay, in-use, temporary, permanent */
  async open(wanted: boolean): Promise<readonly Buffer[]> {
    if (this.#held?.kind !== 'admitted') throw new Malformed('nobody was admitted on this connection');
    const { mailbox, noStatus } = this.#held;
    this.#held = undefined;
    try {
      const { size, frames } = writeListing(await this.#openMaildrop(mailbox, noStatus || wanted));
      return [writeOpened(size), ...frames];
    } catch (thrown) {
      await this.letGo();
      throw thrown;
    }
  }

  /** @throws Malformed; Fault temporary */
  retrieve(row: number): Octets {
    const { maildrop } = this.#drop();
    const message = maildrop.messages[row];
    if (message === undefined) throw new Malformed('no such message');
    return maildrop.retrieve(message);
  }

  /** @throws Malformed */
  mark(from: Payload): void {
    const { maildrop, marks } = this.#drop();
    const { messages } = maildrop;
    readMarks(from, messages.length, (what, row) => {
      const message = messages[row];
      if (message !== undefined) marks[what].add(message);
    });
  }

  /** Lets go of the maildrop too, before this resolves: a client that comes back at once finds it free. @throws Malformed; Fault temporary */
  async update(): Promise<void> {
    const { maildrop, marks } = this.#drop();
    try {
      await maildrop.update(marks.deleted, marks.retrieved);
    } finally {
      await this.letGo();
    }
  }

  /** What was shown counts no longer. */
  async letGo(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held?.kind !== 'open') return;
    try {
      await held.maildrop[Symbol.asyncDispose]();
    } catch (thrown) {
      this.#service.log.error('owners.trouble', { mailbox: held.mailbox.name, cause: thrown });
    } finally {
      this.#service.leave(held.mailbox);
    }
  }

  /** The connection is lost. What is being opened is let go of when it is open. */
  close(): void {
    this.#closed = true;
  }

  #hold(held: Held): void {
    this.#held = held;
  }

  #drop(): Extract<Held, { kind: 'open' }> {
    if (this.#held?.kind !== 'open') throw new Malformed('no maildrop is open on this connection');
    return this.#held;
  }

  async #openMaildrop(mailbox: Mailbox, noStatus: boolean): Promise<readonly MaildropMessage[]> {
    const { lastLogins, loginDelayS, store } = this.#service;
    // Before the maildrop is opened: sparing that work is what the delay is for, RFC 2449 section 8.1.1.
    if (loginDelayS > 0 && lastLogins.tooSoon(mailbox, loginDelayS)) {
      throw new Fault('login-delay', 'too soon after the last login: {seconds} seconds must lie between', {
        values: { seconds: loginDelayS },
      });
    }
    this.#service.enter(mailbox);
    let maildrop: Maildrop;
    try {
      maildrop = await store.open(mailbox, { noStatus });
    } catch (thrown) {
      this.#service.leave(mailbox);
      throw thrown;
    }
    this.#hold({ kind: 'open', mailbox, maildrop, marks: { deleted: new Set(), retrieved: new Set() } });
    if (loginDelayS > 0 && !this.#closed) lastLogins.note(mailbox);
    return maildrop.messages;
  }
}
