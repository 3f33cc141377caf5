/** One connection of a front, seen by the worker: takes requests one at a time, and does nothing of one that it doesn't understand to its end. */
import type { Socket } from 'node:net';
import { Fault } from '../model/fault.ts';
import { Capability } from './capability.ts';
import { Payload, plainFrame } from './codec.ts';
import { FrameStream, Unwritable } from './frameStream.ts';
import { ask, FrameReader, type FrameSink, Malformed, PROTOCOL, tell } from './frames.ts';
import { IncomingMessage } from './incomingMessage.ts';
import { lookUp } from './lookUps.ts';
import { type Course, sendMessage } from './outgoingMessage.ts';
import { writeFaultFrame } from './replies.ts';
import { type DeliverRequest, readAuthenticate, readDeliver, readRetrieve } from './requests.ts';
import { presentAccountOf, type Service } from './service.ts';

/** The server, as its connections see it. */
export interface Host extends Service {
  /** A connection that rested has something to do. */
  began(connection: WorkerConnection): void;
  rested(connection: WorkerConnection): void;
  requested(): void;
  delivered(): void;
  /** Closed, and everything put away. */
  gone(connection: WorkerConnection): void;
}

type Work = () => Promise<void>;

const hello = plainFrame(tell.hello, PROTOCOL);
const bye = plainFrame(tell.bye);
const done = plainFrame(tell.done);

/** Octets of answers that a front may leave unread and still be served. */
const MOST_UNREAD = 262_144;
/** Up to here a copy is cheaper than writing several things at once. */
const SMALL = 16_384;
/** A front has the whole message before it delivers it: silence in the middle of one means that something is wrong. */
const SENDER_PATIENCE_MS = 5 * 60_000;

export class WorkerConnection implements FrameSink {
  readonly #host: Host;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #capability: Capability;
  #state: 'resting' | 'working' | 'answered' = 'resting';
  /** A request that came when the one before it was answered, but not quite over. */
  #next: Work | undefined;
  #incoming: IncomingMessage | undefined;
  #outgoing: Course | undefined;
  #closed = false;

  constructor(host: Host, socket: Socket) {
    this.#host = host;
    this.#socket = socket;
    this.#reader = new FrameReader(this);
    this.#capability = new Capability(host);
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    // 'close' follows, and what went wrong is the front's affair.
    socket.on('error', () => {});
    socket.on('close', () => this.#isClosed());
    socket.write(hello);
  }

  /** No request is under way, and no account or maildrop held. */
  get resting(): boolean {
    return this.#state === 'resting' && this.#capability.none;
  }

  sayBye(): void {
    this.#socket.write(bye);
  }

  cut(): void {
    this.#socket.destroy();
  }

  frame(type: number, octets: Buffer): void {
    if (this.#incoming?.coming === true) {
      endMessage(this.#incoming, type);
      return;
    }
    if (type === ask.stop) {
      if (this.#outgoing !== undefined) this.#outgoing.stopped = true;
      return;
    }
    if (this.#state === 'working' || this.#next !== undefined || this.#socket.writableLength > MOST_UNREAD) {
      throw new Malformed('a request before the answer to the last one');
    }
    const payload = new Payload(octets);
    if (type === ask.mark) {
      this.#capability.mark(payload);
      return;
    }
    const work = this.#workFor(type, payload);
    if (this.#state === 'answered') this.#next = work;
    else this.#perform(work);
  }

  message(octets: Buffer): void {
    if (this.#incoming?.coming !== true) throw new Malformed('octets of no message');
    this.#incoming.add(octets);
  }

  #workFor(type: number, from: Payload): Work {
    switch (type) {
      case ask.authenticate: {
        const request = readAuthenticate(from);
        return async () => this.#answer(...(await this.#capability.authenticate(request)));
      }
      case ask.open: {
        const noStatus = from.flag();
        from.end();
        return async () => this.#answer(...(await this.#capability.open(noStatus)));
      }
      case ask.retrieve: {
        const { row, skip } = readRetrieve(from);
        return () => this.#retrieve(row, skip);
      }
      case ask.update:
        from.end();
        return async () => {
          await this.#capability.update();
          this.#answer(done);
        };
      case ask.release:
        from.end();
        return async () => {
          await this.#capability.letGo();
          this.#answer(done);
        };
      case ask.deliver: {
        const request = readDeliver(from);
        const incoming = new IncomingMessage(this.#socket, SENDER_PATIENCE_MS);
        this.#incoming = incoming;
        return () => this.#deliver(request, incoming);
      }
      default: {
        const work = lookUp(this.#host, type, from);
        if (work === undefined) throw new Malformed(`a frame of type ${type}`);
        return async () => this.#answer(await work());
      }
    }
  }

  /** Never rejects. */
  async #perform(first: Work): Promise<void> {
    if (this.resting) this.#host.began(this);
    for (let work: Work | undefined = first; work !== undefined; work = this.#next) {
      this.#next = undefined;
      this.#state = 'working';
      this.#host.requested();
      try {
        await work();
      } catch (thrown) {
        this.#failed(thrown);
      }
      if (this.#closed) break;
    }
    this.#state = 'resting';
    if (this.#closed) await this.#putAway();
    else if (this.resting) this.#host.rested(this);
  }

  async #retrieve(row: number, skip: number): Promise<void> {
    const course = { stopped: false };
    this.#outgoing = course;
    const stream = new FrameStream(this.#socket);
    try {
      await sendMessage(stream, this.#capability.retrieve(row), skip, course);
      this.#state = 'answered';
    } finally {
      this.#outgoing = undefined;
      stream.close();
    }
  }

  async #deliver({ to, envelope }: DeliverRequest, incoming: IncomingMessage): Promise<void> {
    let failure: { readonly thrown: unknown } | undefined;
    try {
      const account = await presentAccountOf(this.#host, to);
      await this.#host.quota.deliver(account, incoming.octets(), envelope);
      this.#host.delivered();
    } catch (thrown) {
      failure = { thrown };
    }
    incoming.discard();
    // At once: a front need not send the rest of a message that can't be delivered.
    if (failure !== undefined) this.#failed(failure.thrown);
    await incoming.ended;
    if (this.#incoming === incoming) this.#incoming = undefined;
    if (failure === undefined) this.#answer(done);
  }

  #failed(thrown: unknown): void {
    if (thrown instanceof Unwritable) return;
    if (thrown instanceof Malformed) {
      this.#malformed(thrown);
      return;
    }
    if (!(thrown instanceof Fault)) this.#host.log.error('owners.trouble', { cause: thrown });
    this.#answer(writeFaultFrame(Fault.from(thrown)));
  }

  #answer(...frames: readonly Buffer[]): void {
    this.#state = 'answered';
    if (this.#socket.destroyed) return;
    const octets = frames.reduce((sum, frame) => sum + frame.length, 0);
    if (octets <= SMALL) this.#socket.write(frames.length === 1 && frames[0] !== undefined ? frames[0] : Buffer.concat(frames, octets));
    else {
      // Not copied for a front that reads slowly: the memory of a listing is shared.
      this.#socket.cork();
      for (const frame of frames) this.#socket.write(frame);
      this.#socket.uncork();
    }
  }

  #received(chunk: Buffer): void {
    try {
      this.#reader.push(chunk);
    } catch (thrown) {
      if (thrown instanceof Malformed) this.#malformed(thrown);
      else {
        this.#host.log.error('owners.trouble', { cause: thrown });
        this.cut();
      }
    }
  }

  #malformed({ message }: Malformed): void {
    this.#host.log.error('owners.malformed', { from: 'front', reason: message });
    this.#reader.stop();
    this.cut();
  }

  #isClosed(): void {
    this.#closed = true;
    this.#reader.stop();
    this.#capability.close();
    if (this.#outgoing !== undefined) this.#outgoing.stopped = true;
    // What it was delivering is given up, and nobody is left to be told.
    this.#incoming?.fail(new Unwritable('the front is gone'));
    if (this.#state === 'resting') void this.#putAway();
  }

  async #putAway(): Promise<void> {
    await this.#capability.letGo();
    this.#host.gone(this);
  }
}

/** @throws Malformed */
function endMessage(incoming: IncomingMessage, type: number): void {
  if (type === ask.endOfMessage) incoming.end();
  else if (type === ask.messageFailed) incoming.fail(new Error('the front could not send the message to its end'));
  else throw new Malformed('a request in the middle of a message');
}
