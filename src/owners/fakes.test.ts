/** What the tests of this room speak to a worker or a front with: frames as they are, without the other side's manners. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { directoryOf, usualRemote, usualWorker } from '../../test/support/ownerWorkers.ts';
import { createMemoryStore } from '../maildrops/memory/index.ts';
import type { Claim, Proof } from '../model/directory.ts';
import type { LogFields } from '../model/log.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { Maildrop, MaildropStore } from '../model/maildrop.ts';
import { frames, Payload, plainFrame } from './codec.ts';
import { FrameReader, MESSAGE, PROTOCOL, tell } from './frames.ts';
import { createRemote, type RemoteOptions } from './remote.ts';
import { writeAuthenticate } from './requests.ts';
import type { Worker } from './whereabouts.ts';
import { createWorkerServer, type WorkerOptions, type WorkerServer } from './worker.ts';

export interface Frame {
  readonly type: number;
  readonly octets: Buffer;
}

/** One end of a connection that says and hears frames. */
export class Wire {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  readonly #frames: Frame[] = [];
  #waiting: ((frame: Frame | undefined) => void) | undefined;
  #isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    const hear = (type: number, octets: Buffer): void => {
      const frame = { type, octets: Buffer.from(octets) };
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting === undefined) this.#frames.push(frame);
      else waiting(frame);
    };
    const reader = new FrameReader({ frame: hear, message: (octets) => hear(MESSAGE, octets) });
    socket.on('data', (chunk: Buffer) => reader.push(chunk));
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#isClosed = true;
        this.#waiting?.(undefined);
        resolve();
      });
    });
  }

  send(...octets: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(octets));
  }

  /** The next frame; `undefined`: the connection is closed. A message may come in several. */
  async next(): Promise<Frame | undefined> {
    const frame = this.#frames.shift();
    if (frame !== undefined || this.#isClosed) return frame;
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  /** The payload of the next frame, which is of this type. */
  async expect(type: number): Promise<Payload> {
    const frame = await this.next();
    assert.equal(frame?.type, type);
    return new Payload(frame?.octets ?? Buffer.alloc(0));
  }

  /** Types of what comes until this one, it included, or until the end. */
  async typesUntil(last: number): Promise<number[]> {
    const types: number[] = [];
    for (let frame = await this.next(); frame !== undefined; frame = await this.next()) {
      types.push(frame.type);
      if (frame.type === last) break;
    }
    return types;
  }
}

export function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'owners-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface TestWorker {
  readonly server: WorkerServer;
  readonly path: string;
  readonly events: LoggedEvent[];
  /** Connected, and greeted. */
  front(): Promise<Wire>;
}

export interface LoggedEvent {
  readonly event: string;
  readonly fields: LogFields;
}

/** A worker with ada@kvt.dk and bob@kvt.dk, whose passwords are `secret`. */
export async function workerFor(
  t: TestContext,
  store: MaildropStore = createMemoryStore(),
  options: Partial<WorkerOptions> = {},
): Promise<TestWorker> {
  const path = join(folderFor(t), 'worker.sock');
  const events: LoggedEvent[] = [];
  const usual = usualWorker(directoryOf('ada@kvt.dk', 'bob@kvt.dk'), store);
  const server = createWorkerServer({ ...usual, log: logInto(events), ...options });
  await server.listen({ path });
  t.after(() => server.stop(0));
  const front = async (): Promise<Wire> => {
    const wire = new Wire(connect(path));
    t.after(() => wire.socket.destroy());
    const hello = await wire.expect(tell.hello);
    assert.equal(hello.u8(), PROTOCOL);
    return wire;
  };
  return { server, path, events, front };
}

export function logInto(events: LoggedEvent[]) {
  const note = (event: string, fields: LogFields = {}): void => void events.push({ event, fields });
  return { debug: note, info: note, warn: note, error: note };
}

/** A worker of the test's own making: `serve` gets each connection, which nobody has greeted yet. */
export async function playedWorker(t: TestContext, serve: (wire: Wire, connection: number) => void): Promise<Worker> {
  const path = join(folderFor(t), 'played.sock');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    serve(new Wire(socket), sockets.size);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { path, owner: '601:100' };
}

export interface Front extends ReturnType<typeof createRemote> {
  /** Workers that were forgotten. */
  readonly forgotten: Worker[];
  readonly events: LoggedEvent[];
  /** Logs in and opens the maildrop. */
  login(login?: string): Promise<{ maildrop: Maildrop; mailbox: Mailbox }>;
}

/** A front for which kvt.dk is with the first of these workers, and with the next one each time one is forgotten. */
export function frontFor(t: TestContext, workers: readonly Worker[], options: Partial<RemoteOptions> = {}): Front {
  const forgotten: Worker[] = [];
  const events: LoggedEvent[] = [];
  const remote = createRemote({
    ...usualRemote,
    log: logInto(events),
    whereabouts: {
      ofDomain: async (name) => (name === 'kvt.dk' ? workers[Math.min(forgotten.length, workers.length - 1)] : undefined),
      ofSystemUser: async () => undefined,
      forget: (worker) => void forgotten.push(worker),
      doubt() {},
    },
    ...options,
  });
  t.after(() => remote.store.close());
  return {
    ...remote,
    forgotten,
    events,
    async login(login = 'ada@kvt.dk') {
      const { account } = await remote.directory.authenticate(claimOf(login), password('secret'), 'pop3');
      return { maildrop: await remote.store.open(account.mailbox), mailbox: account.mailbox };
    },
  };
}

export function claimOf(login: string): Claim {
  return { login, arrival: { localAddress: undefined, serverName: undefined } };
}

export function password(text: string): Proof {
  return { kind: 'password', password: Buffer.from(text) };
}

/** A login as a front sends it that wants the maildrop opened. */
export function loginFrame(login = 'ada@kvt.dk', secret = 'secret'): Buffer {
  return writeAuthenticate({ claim: claimOf(login), proof: password(secret), service: 'pop3', opens: true, noStatus: false });
}

export const helloFrame = plainFrame(tell.hello, PROTOCOL);
export const doneFrame = plainFrame(tell.done);

/** `octets` of a message, in one frame. */
export function messageFrame(octets: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32LE(octets.length);
  header.writeUInt8(MESSAGE, 4);
  return Buffer.concat([header, octets]);
}

/** A frame of this type with this payload. */
export function anyFrame(type: number, payload: Uint8Array): Buffer {
  return frames((to) => {
    to.begin(type);
    for (const octet of payload) to.u8(octet);
    to.finish();
  });
}
