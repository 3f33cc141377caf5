/** Plays a dialogue of `C:` and `S:` lines over a socket: what is typed goes out as it stands, what comes back must be exactly what is written. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';

export class Client {
  readonly socket: Socket;
  #received = '';
  #ended = false;
  #wake: () => void = () => {};

  constructor(options: NetConnectOpts) {
    this.socket = connect(options);
    this.socket.setNoDelay(true);
    this.socket.on('data', (octets: Buffer) => {
      this.#received += octets.toString('latin1');
      this.#wake();
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** `undefined`: the connection is closed and nothing is left. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#received.indexOf('\r\n');
      if (end >= 0) {
        const line = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + 2);
        return line;
      }
      if (this.#ended) {
        const rest = this.#received;
        this.#received = '';
        return rest === '' ? undefined : rest;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Lines that begin with neither `C: ` nor `S: ` say something to the reader. `S: (closed)`: the connection ends there. */
  async play(dialogue: string): Promise<void> {
    for (const line of dialogue.split('\n').map((written) => written.trim())) {
      if (line.startsWith('C: ') || line === 'C:') this.socket.write(`${line.slice(3)}\r\n`);
      if (line === 'S: (closed)') assert.equal(await this.line(), undefined);
      else if (line.startsWith('S: ')) assert.equal(await this.line(), line.slice(3));
    }
  }

  write(octets: string | Uint8Array): void {
    this.socket.write(octets);
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    this.socket.destroy();
    await once(this.socket, 'close');
  }
}
