/** A small dialogue and a small client, for tests of what carries them. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { ConnectionCounts } from '../model/connectionCounts.ts';
import { silent } from '../model/log.ts';
import { Networks } from '../model/networks.ts';
import type { ConnectionFacts } from '../pop3/host.ts';
import type { Certificates } from './certificates.ts';
import type { LineDialogue, LineReply } from './lineDialogue.ts';
import { LineServer, type LineSettings, type ListenOptions } from './lineServer.ts';
import type { Overload } from './overload.ts';

export interface FakeSession {
  readonly facts: ConnectionFacts;
  readonly state: 'AUTHORIZATION' | 'TRANSACTION';
  /** Lines answered, in order. */
  readonly lines: string[];
}

/** Answers what `answers` has for the first word of a line, else `+OK` and the line again. Keeps what it was asked. */
export class FakeDialogue implements LineDialogue<FakeSession> {
  readonly sessions: FakeSession[] = [];
  readonly gone: FakeSession[] = [];
  readonly lostWhileAnswering: FakeSession[] = [];
  readonly answers = new Map<string, (session: FakeSession, line: string) => LineReply<FakeSession> | Promise<LineReply<FakeSession>>>([
    ['QUIT', () => closing('+OK', 'bye')],
    ['STLS', () => ({ ...ok('begin'), ...after('starttls') })],
    ['LOGIN', (session) => ({ ...ok('in'), enters: { ...session, state: 'TRANSACTION' } })],
    ['GUESS', () => ({ status: '-ERR', line: 'no', penalty: 'auth', heldBackMs: 0 })],
  ]);
  underWay = 0;
  mostUnderWay = 0;

  ready: (facts: ConnectionFacts) => Promise<void> | undefined = () => undefined;

  start(facts: ConnectionFacts, beforeTls?: FakeSession) {
    const session: FakeSession = { facts, state: 'AUTHORIZATION', lines: beforeTls?.lines ?? [] };
    this.sessions.push(session);
    return { session, greeting: ok('hello') };
  }

  answer(session: FakeSession, line: string): LineReply<FakeSession> | Promise<LineReply<FakeSession>> {
    session.lines.push(line);
    const reply = this.answers.get(line.split(' ', 1)[0] ?? '')?.(session, line) ?? ok(line);
    if (!(reply instanceof Promise)) return reply;
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    return reply.finally(() => this.underWay--);
  }

  lineLimit(): number {
    return 40;
  }

  overlong(): LineReply<FakeSession> {
    return { status: '-ERR', line: 'too long' };
  }

  refusal(_session: FakeSession, thrown: unknown): LineReply<FakeSession> {
    return { status: '-ERR', line: `refused: ${(thrown as Error).message}` };
  }

  tooManyConnections(): LineReply<FakeSession> {
    return closing('-ERR', '[SYS/TEMP] too many');
  }

  overloaded(): LineReply<FakeSession> {
    return closing('-ERR', '[SYS/TEMP] overloaded');
  }

  tooManyFailures(): LineReply<FakeSession> {
    return closing('-ERR', '[AUTH] enough');
  }

  waits(): boolean {
    return false;
  }

  lost(session: FakeSession): void {
    this.lostWhileAnswering.push(session);
  }

  async disconnected(session: FakeSession): Promise<void> {
    this.gone.push(session);
  }

  masked(_session: FakeSession, line: string): string {
    return line.startsWith('GUESS') ? 'GUESS ***' : line;
  }

  state(session: FakeSession): string {
    return session.state;
  }

  domain(session: FakeSession): string | undefined {
    return session.state === 'TRANSACTION' ? 'example.org' : undefined;
  }

  loggedIn(session: FakeSession): boolean {
    return session.state === 'TRANSACTION';
  }
}

export function ok(line: string): LineReply<FakeSession> {
  return { status: '+OK', line };
}

function closing(status: '+OK' | '-ERR', line: string): LineReply<FakeSession> {
  return { status, line, ...after('close') };
}

function after(then: 'close' | 'starttls') {
  return { then };
}

export const settings: LineSettings = {
  idleTimeoutMs: 600_000,
  handshakeTimeoutMs: 30_000,
  maxFailures: 3,
  maxConnections: 1000,
  maxConnectionsPerSource: 1000,
  plaintextNetworks: new Networks(['127.0.0.0/8']),
};

interface Given {
  readonly dialogue?: FakeDialogue;
  readonly settings?: Partial<LineSettings>;
  readonly certificates?: Certificates;
  readonly listen?: Partial<ListenOptions>;
  readonly clock?: () => number;
  readonly log?: typeof silent;
  readonly overload?: Pick<Overload, 'isOver'>;
  readonly trace?: (connection: string, line: string) => void;
  readonly sources?: ConnectionCounts;
}

/** A server on a free port of 127.0.0.1, stopped when the test is over. */
export async function serve(t: TestContext, given: Given = {}) {
  const dialogue = given.dialogue ?? new FakeDialogue();
  const server = new LineServer({
    dialogue,
    settings: { ...settings, ...given.settings },
    certificates: given.certificates,
    log: given.log ?? silent,
    clock: given.clock ?? Date.now,
    overload: given.overload,
    trace: given.trace,
    ...(given.sources ? { sources: given.sources } : {}),
  });
  t.after(() => server.stop(0));
  const { port } = await server.listen({ protocol: 'pop3', address: '127.0.0.1', port: 0, tls: false, ...given.listen });
  return { dialogue, server, port };
}

/** Keeps what it is sent; each test says what it waits for. */
export class Client {
  socket: Socket;
  #received: Buffer[] = [];
  #wake = Promise.withResolvers<void>();
  isEnded = false;

  constructor(socket: Socket) {
    this.socket = socket;
    this.#listen();
  }

  static async connect(port: number, localAddress = '127.0.0.1', host = '127.0.0.1'): Promise<Client> {
    const socket = connect({ port, host, localAddress, noDelay: true, allowHalfOpen: true });
    const client = new Client(socket);
    await once(socket, 'connect');
    return client;
  }

  static async connectTls(port: number, servername?: string): Promise<Client> {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...(servername ? { servername } : {}) });
    const client = new Client(socket);
    await once(socket, 'secureConnect');
    return client;
  }

  send(text: string | Buffer): void {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
  }

  /** The next line, without its CRLF. */
  async line(): Promise<string> {
    for (;;) {
      const octets = this.#joined();
      const end = octets.indexOf('\r\n');
      if (end >= 0) {
        this.#received = [octets.subarray(end + 2)];
        return octets.toString('latin1', 0, end);
      }
      if (this.isEnded) throw new Error(`no line, but end of input after ${JSON.stringify(octets.toString('latin1'))}`);
      await this.#wake.promise;
    }
  }

  async lines(count: number): Promise<string[]> {
    const lines: string[] = [];
    while (lines.length < count) lines.push(await this.line());
    return lines;
  }

  /** Everything until the server closes. */
  async rest(): Promise<string> {
    return (await this.octets()).toString('latin1');
  }

  async octets(): Promise<Buffer> {
    while (!this.isEnded) await this.#wake.promise;
    const octets = this.#joined();
    this.#received = [];
    return octets;
  }

  /** Octets that came and were not taken yet. */
  get waiting(): number {
    return this.#joined().length;
  }

  /** TLS from here on. */
  async startTls(servername?: string): Promise<TLSSocket> {
    this.socket.removeAllListeners('data').removeAllListeners('end').removeAllListeners('close');
    const secured = connectTls({ socket: this.socket, rejectUnauthorized: false, ...(servername ? { servername } : {}) });
    this.socket = secured;
    this.#listen();
    await once(secured, 'secureConnect');
    return secured;
  }

  #listen(): void {
    this.socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk);
      this.#notify();
    });
    const ended = () => {
      this.isEnded = true;
      this.#notify();
    };
    this.socket.on('end', ended);
    this.socket.on('close', ended);
    this.socket.on('error', () => {});
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  #joined(): Buffer {
    const octets = Buffer.concat(this.#received);
    this.#received = [octets];
    return octets;
  }
}

/** Resolves when a number has not changed for a while of the event loop's turns: nothing more is going to happen. */
export async function settled(value: () => number): Promise<void> {
  for (let still = 0, last = -1; still < 500; still++) {
    if (value() !== last) still = 0;
    last = value();
    await new Promise(setImmediate);
  }
}
