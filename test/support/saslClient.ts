/** A client of Dovecot's auth protocol, as Postfix is one: for our socket and for Dovecot's. */
import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';

export class SaslClient {
  /** Lines of the server's handshake, `VERSION` to `DONE`. */
  readonly handshake: readonly string[];
  readonly #socket: Socket;
  readonly #lines: Lines;

  private constructor(socket: Socket, lines: Lines, handshake: readonly string[]) {
    this.#socket = socket;
    this.#lines = lines;
    this.handshake = handshake;
  }

  /** @param minor of the version: Postfix says 0 @throws when the server hangs up */
  static async connect(to: NetConnectOpts, minor = 1): Promise<SaslClient> {
    const socket = connect(to);
    const lines = new Lines(socket);
    await once(socket, 'connect');
    socket.write(`VERSION\t1\t${minor}\nCPID\t${process.pid}\n`);
    const handshake: string[] = [];
    while (handshake.at(-1) !== 'DONE') {
      const line = await lines.next();
      if (line === undefined) throw new Error(`no handshake: ${handshake.join()}`);
      handshake.push(line);
    }
    return new SaslClient(socket, lines, handshake);
  }

  /** Sends a line of these fields. */
  say(...fields: readonly (string | number)[]): void {
    this.#socket.write(`${fields.join('\t')}\n`);
  }

  /** @returns false: there is more waiting than the kernel takes */
  write(octets: string | Uint8Array): boolean {
    return this.#socket.write(octets);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** The next line; `undefined`: the connection is closed and nothing is left. */
  line(): Promise<string | undefined> {
    return this.#lines.next();
  }

  /** One request of PLAIN from that address over TLS, and its answer. */
  plain(id: number, address: string, login: string, password: string): Promise<string | undefined> {
    const response = Buffer.from(`\0${login}\0${password}`).toString('base64');
    this.say('AUTH', id, 'PLAIN', 'service=smtp', 'nologin', 'lip=192.0.2.25', `rip=${address}`, 'secured', `resp=${response}`);
    return this.line();
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Of a socket; they end in LF. */
class Lines {
  #rest = '';
  readonly #lines: string[] = [];
  #isEnded = false;
  #wake = (): void => {};

  constructor(socket: Socket) {
    socket.on('data', (octets: Buffer) => {
      const lines = (this.#rest + octets.toString()).split('\n');
      this.#rest = lines.pop() ?? '';
      this.#lines.push(...lines);
      this.#wake();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isEnded = true;
      this.#wake();
    });
  }

  async next(): Promise<string | undefined> {
    while (this.#lines.length === 0 && !this.#isEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#lines.shift();
  }
}
