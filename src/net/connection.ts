/** One client, from its first octet to its last: an optional PROXY header, an optional TLS handshake, then a dialogue, then goodbye. */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { plainAddress, sourceOf } from '../model/networks.ts';
import type { CarriedProtocol } from '../model/report.ts';
import type { ConnectionFacts } from '../pop3/host.ts';
import { TlsChannelBinding } from './channelBinding.ts';
import { type Carrier, Conversation } from './conversation.ts';
import { IdleMember } from './idleList.ts';
import type { Door, LineServer } from './lineServer.ts';
import { parseProxyHeader } from './proxyProtocol.ts';
import { bind, type SocketEvents, unbind } from './socketEvents.ts';

type Phase = 'proxy header' | 'handshake' | 'dialogue' | 'closing';

export class Connection<S> extends IdleMember implements Carrier, SocketEvents {
  readonly id: string;
  /** What limits count by; `undefined` until the client is counted, and for a proxy that speaks for itself. */
  source: string | undefined;
  /** Connections of its source when it came, itself included. */
  fromSource = 0;
  readonly #server: LineServer<S>;
  readonly #door: Door;
  readonly #conversation: Conversation<S>;
  #socket: Socket;
  #secured: TLSSocket | undefined;
  #phase: Phase = 'proxy header';
  #remoteAddress: string;
  #localAddress: string | undefined;
  #paused = false;
  #closed = false;
  #proxyOctets: Buffer | undefined;

  constructor(server: LineServer<S>, door: Door, socket: Socket, id: string) {
    super();
    this.#server = server;
    this.#door = door;
    this.#socket = socket;
    this.#conversation = new Conversation(server, this, socket);
    this.id = id;
    this.#remoteAddress = plainAddress(socket.remoteAddress ?? '');
    bind(socket, this);
  }

  get session(): S | undefined {
    return this.#conversation.session;
  }

  /** The client's address, also behind a proxy. */
  get remoteAddress(): string {
    return this.#remoteAddress;
  }

  get protocol(): CarriedProtocol {
    return this.#door.protocol;
  }

  /** For counting, and for the log. */
  get state(): string {
    return this.session === undefined || this.#phase !== 'dialogue' ? this.#phase : this.#server.dialogue.state(this.session);
  }

  get isOpen(): boolean {
    return this.#phase === 'dialogue' && !this.#socket.destroyed;
  }

  /** Called once, when the connection has been accepted. */
  open(): void {
    try {
      // Without an address it was reset before it was accepted.
      if (this.#remoteAddress === '') this.#socket.destroy();
      else if (this.#door.proxyFrom?.has(this.#remoteAddress)) this.#enter('proxy header');
      else this.#clientKnown(true);
    } catch (thrown) {
      this.trouble(thrown);
    }
  }

  received(chunk: Buffer): void {
    this.#server.bytes.received += chunk.length;
    if (this.#phase === 'dialogue') this.#conversation.received(chunk);
    else if (this.#phase === 'proxy header') this.#readProxyHeader(chunk);
  }

  ended(): void {
    if (this.#phase === 'dialogue') this.#conversation.ended();
    else if (this.#phase !== 'closing') this.#socket.destroy();
  }

  /** Reset, broken pipe or a failed handshake: this connection's affair only. 'close' follows. */
  failed(error: Error): void {
    // OpenSSL's message has line numbers of its source; its reason is what can be read.
    const { reason = error.message } = error as { reason?: string };
    const fields = { connection: this.id, address: this.#remoteAddress, error: reason };
    if (this.#phase === 'handshake') this.#server.log.info('tls.handshake-failed', fields);
    else this.#server.log.debug('net.reset', fields);
  }

  closed(): void {
    this.#closed = true;
    this.list?.remove(this);
    if (this.#conversation.abandon()) this.#server.left(this);
  }

  finished(): void {
    if (this.#closed) this.#server.left(this);
  }

  /** A fault of ours costs this connection and no other. */
  trouble(thrown: unknown): void {
    this.#server.log.error('net.trouble', { connection: this.id, address: this.#remoteAddress, cause: thrown });
    this.#socket.destroy();
  }

  override expired(): void {
    if (this.#phase === 'dialogue' && this.#conversation.isWaitedFor) {
      this.touch();
      return;
    }
    const fields = { connection: this.id, address: this.#remoteAddress, state: this.state };
    if (this.#phase !== 'closing') this.#server.log.info('net.timeout', fields);
    this.#socket.destroy();
  }

  /** Graceful stop, first step. Who is logged in may go on until `cut`. */
  stop(): void {
    const { isAnswering, isHeldUp, isLoggedIn } = this.#conversation;
    const mayGoOn = this.#phase === 'dialogue' && ((isAnswering && !isHeldUp) || isLoggedIn);
    if (!mayGoOn && this.#phase !== 'closing') this.cut();
  }

  /** Ends it without update. A command that the dialogue is at work on is finished all the same. */
  cut(): void {
    this.#socket.destroy();
  }

  touch(): void {
    if (this.isOpen) this.#server.idle.touch(this, this.#server.clock());
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  discardInput(): void {
    this.#socket.pause();
    while (this.#socket.read() !== null);
  }

  startTls(): void {
    const { certificates } = this.#server;
    if (certificates === undefined) {
      this.#socket.destroy();
      return;
    }
    this.#enter('handshake');
    unbind(this.#socket);
    this.#socket = certificates.secure(this.#socket, (secured) => this.#isSecured(secured));
    bind(this.#socket, this);
    this.#conversation.attach(this.#socket);
  }

  hangUp(isQuiet: boolean): void {
    this.#enter('closing');
    if (!isQuiet) {
      // Closing while the client still sends would reset the connection, and with it the reply that it has not read yet.
      this.#socket.end();
      this.#socket.resume();
    } else if (this.#secured === undefined && this.#conversation.isSaid) {
      // Without TLS there is nothing left to say, and closing at once costs one system call less.
      this.#socket.destroy();
    } else {
      this.#socket.destroySoon();
    }
  }

  /** A system call where the listener is for all addresses: made when it is asked for, which few hosts need. */
  get localAddress(): string | undefined {
    this.#localAddress ??= plainAddress(this.#door.address ?? this.#socket.localAddress ?? '');
    return this.#localAddress === '' ? undefined : this.#localAddress;
  }

  /** @param isClient false: the proxy speaks for itself */
  #clientKnown(isClient: boolean): void {
    if (isClient) {
      this.source = sourceOf(this.#remoteAddress);
      this.fromSource = this.#server.sources.enter(this.source);
    }
    if (this.#door.tls) this.startTls();
    else this.#greet();
  }

  #readProxyHeader(chunk: Buffer): void {
    const octets = this.#proxyOctets === undefined ? chunk : Buffer.concat([this.#proxyOctets, chunk]);
    const header = parseProxyHeader(octets);
    if (header.kind === 'incomplete') {
      this.#proxyOctets = octets;
      return;
    }
    this.#proxyOctets = undefined;
    if (header.kind === 'malformed') {
      this.#server.log.warn('net.proxy-header-refused', { connection: this.id, proxy: this.#remoteAddress, reason: header.reason });
      this.#socket.destroy();
      return;
    }
    const rest = octets.subarray(header.length);
    if (rest.length > 0 && this.#door.tls) {
      this.#socket.pause();
      this.#socket.unshift(rest);
    } else if (rest.length > 0) {
      this.#conversation.keep(rest);
    }
    if (header.endpoints) this.#remoteAddress = header.endpoints.remoteAddress;
    this.#localAddress = header.endpoints?.localAddress;
    this.#clientKnown(header.endpoints !== undefined);
  }

  #isSecured(secured: TLSSocket): void {
    this.#secured = secured;
    this.#paused = false;
    try {
      if (this.session === undefined) {
        this.#greet();
        return;
      }
      // STLS: as if newly connected, but without a greeting. RFC 2595 section 4.
      this.#whenReady((facts) => {
        const { session } = this.#server.dialogue.start(facts, this.session);
        this.#enter('dialogue');
        this.#conversation.beginAnew(session);
      });
    } catch (thrown) {
      this.trouble(thrown);
    }
  }

  #greet(): void {
    this.#enter('dialogue');
    const refusal = this.#server.refusal(this);
    if (refusal !== undefined) {
      this.#conversation.refuse(refusal);
      return;
    }
    this.#whenReady((facts) => {
      const { session, greeting } = this.#server.dialogue.start(facts);
      this.#conversation.begin(session, greeting);
    });
  }

  /** At once, mostly. While it isn't, nothing is read. */
  #whenReady(begin: (facts: ConnectionFacts) => void): void {
    const facts = this.#facts();
    const ready = this.#server.dialogue.ready?.(facts);
    if (ready === undefined) {
      begin(facts);
      return;
    }
    this.pause();
    void ready.then(() => {
      if (this.#socket.destroyed) return;
      try {
        begin(facts);
        this.resume();
      } catch (thrown) {
        this.trouble(thrown);
      }
    });
  }

  #facts(): ConnectionFacts {
    const tls = this.#secured;
    const connection = this;
    return {
      arrival: {
        get localAddress() {
          return connection.localAddress;
        },
        serverName: tls?.servername || undefined,
        remoteAddress: this.#remoteAddress,
      },
      remoteAddress: this.#remoteAddress,
      isProxy: this.source === undefined,
      secure: tls !== undefined || this.#server.settings.plaintextNetworks.has(this.#remoteAddress),
      tls: tls !== undefined,
      canStartTls: tls === undefined && this.#server.certificates !== undefined,
      channelBinding: tls && new TlsChannelBinding(tls),
      id: this.id,
    };
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    const { idle, brief, clock } = this.#server;
    (phase === 'dialogue' ? idle : brief).touch(this, clock());
  }
}
