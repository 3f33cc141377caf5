/** Asks as Postfix does: one question, one answer, over a connection that is kept. */
import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';

export class SocketmapClient {
  readonly #socket: Socket;
  readonly #closed: Promise<unknown>;
  #received = '';
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#closed = once(socket, 'close');
    socket.on('data', (octets: Buffer) => {
      this.#received += octets.toString('latin1');
      this.#wake();
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#wake());
  }

  static async connect(where: NetConnectOpts): Promise<SocketmapClient> {
    const socket = connect(where);
    await once(socket, 'connect');
    return new SocketmapClient(socket);
  }

  /** `undefined`: the connection was closed instead. */
  async ask(map: string, key: string): Promise<string | undefined> {
    const content = `${map} ${key}`;
    this.#socket.write(`${Buffer.byteLength(content)}:${content},`);
    for (;;) {
      const [whole, length] = /^(\d+):/.exec(this.#received) ?? [];
      const end = whole === undefined ? Number.POSITIVE_INFINITY : whole.length + Number(length);
      if (whole !== undefined && this.#received.length > end) {
        const answer = this.#received.slice(whole.length, end);
        this.#received = this.#received.slice(end + 1);
        return answer;
      }
      if (this.#socket.destroyed) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Resolves when the server has closed it. */
  async closed(): Promise<void> {
    await this.#closed;
  }

  end(): void {
    this.#socket.destroy();
  }
}
