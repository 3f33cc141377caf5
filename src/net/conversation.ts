/**
 * The dialogue on one connection: one command at a time and in order. What comes meanwhile waits in the reader, and the socket is paused as
 * soon as anything waits: a client that floods us fills its own send buffer, not our memory.
 */
import type { Socket } from 'node:net';
import { ClientGone, TornReply } from './bodyTransfer.ts';
import type { LineReply } from './lineDialogue.ts';
import { LineReader, overlong } from './lineReader.ts';
import type { LineServer } from './lineServer.ts';
import { ReplyWriter } from './replyWriter.ts';

/** The connection, as its dialogue sees it. */
export interface Carrier {
  readonly id: string;
  /** The dialogue may go on here: neither is the connection closed or closing, nor does TLS begin. */
  readonly isOpen: boolean;
  /** The client sent a command or took its reply: it is not idle. */
  touch(): void;
  pause(): void;
  resume(): void;
  /** Throws away what came in and was not read. */
  discardInput(): void;
  startTls(): void;
  /** @param isQuiet nothing more is known to come from the client */
  hangUp(isQuiet: boolean): void;
  /** A command outlived the connection, and is finished now. */
  finished(): void;
  trouble(thrown: unknown): void;
}

export class Conversation<S> {
  session: S | undefined;
  readonly #carrier: Carrier;
  readonly #server: LineServer<S>;
  readonly #reader = new LineReader();
  readonly #writer: ReplyWriter;
  /** A command, or the reply to one, is under way: nothing else may start. */
  #busy = false;
  /** What is under way is the dialogue's, not the client's: its time is no idle time. */
  #answering = false;
  #ended = false;
  #failures = 0;
  #progress = 0;
  #delay: NodeJS.Timeout | undefined;

  constructor(server: LineServer<S>, carrier: Carrier, socket: Socket) {
    this.#server = server;
    this.#carrier = carrier;
    this.#writer = new ReplyWriter(socket, server.bytes);
  }

  /** The dialogue is at work on a command; closing the connection doesn't end that. */
  get isAnswering(): boolean {
    return this.#answering;
  }

  /** What the dialogue is at work on has not begun yet. */
  get isHeldUp(): boolean {
    return this.#answering && this.session !== undefined && this.#server.dialogue.waits(this.session);
  }

  get isLoggedIn(): boolean {
    return this.session !== undefined && this.#server.dialogue.loggedIn(this.session);
  }

  /** That it is quiet is our doing, or the client has taken some of a body since this was last asked. */
  get isWaitedFor(): boolean {
    const before = this.#progress;
    this.#progress = this.#writer.progress;
    return this.#answering || this.#delay !== undefined || this.#progress !== before;
  }

  /** Everything has been said and taken. */
  get isSaid(): boolean {
    return this.#writer.idle;
  }

  begin(session: S, greeting: LineReply<S>): void {
    this.session = session;
    if (this.#write(greeting)) this.#next();
  }

  /** Instead of a greeting. */
  refuse(reply: LineReply<S>): void {
    this.#write(reply);
  }

  /** The same dialogue over TLS. */
  attach(socket: Socket): void {
    this.#writer.attach(socket);
  }

  /** After STLS: nothing is said until the client asks. */
  beginAnew(session: S): void {
    this.session = session;
    this.#next();
  }

  received(chunk: Buffer): void {
    this.#reader.push(chunk);
    if (this.#busy) this.#carrier.pause();
    else this.#next();
  }

  /** Octets that came before the greeting. */
  keep(chunk: Buffer): void {
    this.#reader.push(chunk);
  }

  /** The client has no more to say; what it said is still answered. */
  ended(): void {
    this.#ended = true;
    this.#next();
  }

  /** The connection is closed. False: a command is under way, and `finished` is called after it. */
  abandon(): boolean {
    this.#writer.abandon();
    if (this.#delay !== undefined) {
      clearTimeout(this.#delay);
      this.#delay = undefined;
      this.#busy = false;
    }
    if (this.#answering && this.session !== undefined) this.#server.dialogue.lost(this.session);
    return !this.#busy;
  }

  /** Answers whole lines as long as nothing has to be waited for. */
  #next(): void {
    const { dialogue, trace, clock } = this.#server;
    while (!this.#busy && this.session !== undefined && this.#carrier.isOpen) {
      const { session } = this;
      const line = this.#reader.next(dialogue.lineLimit(session));
      if (line === undefined) {
        this.#wait();
        return;
      }
      const arrivedAt = clock();
      this.#carrier.touch();
      if (trace) trace(this.#carrier.id, `C: ${line === overlong ? '(over-long line)' : dialogue.masked(session, line)}`);
      const reply = this.#ask(session, line);
      if (reply instanceof Promise) {
        this.#writer.flush();
        this.#await(reply, session, arrivedAt);
        return;
      }
      this.#reply(reply, session, arrivedAt);
    }
  }

  #ask(session: S, line: string | typeof overlong): LineReply<S> | Promise<LineReply<S>> {
    const { dialogue } = this.#server;
    try {
      return line === overlong ? dialogue.overlong(session) : dialogue.answer(session, line);
    } catch (thrown) {
      return dialogue.refusal(session, thrown);
    }
  }

  /** There is no whole line. */
  #wait(): void {
    this.#writer.flush();
    if (this.#ended) this.#hangUp();
    else this.#carrier.resume();
  }

  async #await(pending: Promise<LineReply<S>>, session: S, arrivedAt: number): Promise<void> {
    this.#busy = true;
    this.#answering = true;
    let reply: LineReply<S> | undefined;
    let failure: unknown;
    try {
      reply = await pending;
    } catch (thrown) {
      failure = thrown;
    }
    this.#answering = false;
    this.#busy = false;
    this.#guarded(() => {
      this.#reply(reply ?? this.#server.dialogue.refusal(session, failure), session, arrivedAt);
      this.#next();
    });
  }

  /** Writes the reply, or starts what has to be waited for first. */
  #reply(reply: LineReply<S>, session: S, arrivedAt: number): void {
    if (reply.enters !== undefined) this.session = reply.enters;
    if (!this.#carrier.isOpen) this.#carrier.finished();
    else if (reply.penalty !== undefined) this.#holdBack(reply, session, arrivedAt);
    else this.#write(reply);
  }

  /** The same time after the command for an unknown user and for a wrong password. No guess runs meanwhile. */
  #holdBack(reply: LineReply<S>, session: S, arrivedAt: number): void {
    const { settings, clock, dialogue, log } = this.#server;
    const { heldBackMs: ms = 0 } = reply;
    this.#failures++;
    const due = this.#failures >= settings.maxFailures ? dialogue.tooManyFailures(session, reply) : reply;
    log.debug('net.login-held-back', { connection: this.#carrier.id, ms });
    this.#writer.flush();
    this.#busy = true;
    this.#delay = setTimeout(
      () => {
        this.#delay = undefined;
        this.#busy = false;
        this.#carrier.touch();
        this.#guarded(() => {
          if (this.#write(due)) this.#next();
        });
      },
      Math.max(0, arrivedAt + ms - clock()),
    );
  }

  /** True: written, as far as the next command need not wait. */
  #write(reply: LineReply<S>): boolean {
    const head = reply.line === '' && reply.status !== '+' ? reply.status : `${reply.status} ${reply.line}`;
    this.#trace(head);
    // What came in until STLS is answered was not meant for the session to come, or was slipped in by somebody else.
    if (reply.then === 'starttls') this.#discardInput();
    let pending: Promise<void> | undefined;
    try {
      pending = this.#hand(`${head}\r\n`, reply);
    } catch (thrown) {
      return this.#broken(thrown);
    }
    if (pending === undefined) return this.#written(reply);
    this.#finishWriting(reply, pending);
    return false;
  }

  /** Hands the reply to the writer. `undefined`: nothing has to be waited for. */
  #hand(head: string, reply: LineReply<S>): Promise<void> | undefined {
    let pending: Promise<void> | undefined;
    if (reply.body !== undefined) {
      pending = this.#writer.body(head, reply.body);
      this.#trace('(the message)', '.');
    } else if (reply.rows !== undefined) {
      const rows = this.#server.trace ? [...reply.rows] : reply.rows;
      if (this.#server.trace) this.#trace(...rows, '.');
      pending = this.#writer.rows(head, rows);
    } else {
      this.#writer.add(head);
    }
    if (pending !== undefined) return pending;
    if (reply.then !== undefined) this.#writer.flush();
    const isLate = reply.then === 'starttls' ? !this.#writer.idle : this.#writer.behind;
    return isLate && reply.then !== 'close' ? this.#writer.drained() : undefined;
  }

  async #finishWriting(reply: LineReply<S>, pending: Promise<void>): Promise<void> {
    this.#busy = true;
    const failure = await pending.then(
      () => undefined,
      (thrown: unknown) => ({ thrown }),
    );
    this.#busy = false;
    this.#carrier.touch();
    this.#guarded(() => {
      if (failure === undefined ? this.#written(reply) : this.#broken(failure.thrown)) this.#next();
    });
  }

  /** The kernel has the whole reply, or as much as is needed to go on. True: there may be more commands. */
  #written(reply: LineReply<S>): boolean {
    if (!this.#carrier.isOpen) {
      this.#carrier.finished();
      return false;
    }
    reply.sent?.();
    if (reply.then === 'starttls') this.#carrier.startTls();
    else if (reply.then === 'close' || (this.#server.stopping && !this.isLoggedIn)) this.#hangUp();
    else return true;
    return false;
  }

  /** A reply failed while it was written. */
  #broken(thrown: unknown): boolean {
    if (thrown instanceof TornReply) this.#server.log.warn('net.reply-torn', { connection: this.#carrier.id, cause: thrown.cause });
    if (!this.#carrier.isOpen) this.#carrier.finished();
    else if (thrown instanceof ClientGone || this.session === undefined) this.#hangUp();
    else return this.#write(this.#server.dialogue.refusal(this.session, thrown));
    return false;
  }

  #hangUp(): void {
    this.#writer.flush();
    const isQuiet = this.#reader.empty || this.#ended;
    this.#reader.clear();
    this.#carrier.hangUp(isQuiet);
  }

  #discardInput(): void {
    this.#reader.clear();
    this.#carrier.discardInput();
  }

  #trace(...lines: string[]): void {
    const { trace } = this.#server;
    if (trace) for (const line of lines) trace(this.#carrier.id, `S: ${line}`);
  }

  /** For what goes on outside of the events of the socket. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (thrown) {
      this.#carrier.trouble(thrown);
    }
  }
}
