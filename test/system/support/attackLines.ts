/** Connections to workers' sockets that are made by a process with the rights of a front, or of somebody else. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { answer, type Frame, framesIn, listingAfter, MESSAGE } from './attackFrames.ts';

export interface Rights {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Takes a connection on a socket of its own, reads a path from it, and carries octets between the two from then on. Only what keeps it from
 * connecting is told: a connection that is cut afterwards ends, by a reset or not, as the kernel happens to have octets that nobody read.
 */
const relay = `
  import { createServer, connect } from 'node:net';
  createServer((near) => {
    near.on('error', () => {});
    near.once('data', (line) => {
      const far = connect(line.toString().trim());
      let isIn = false;
      far.on('connect', () => {
        isIn = true;
        near.write('c');
      });
      far.on('error', (error) => near.end(isIn ? '' : error.code));
      near.on('close', () => far.destroy());
      far.on('close', () => near.end());
      near.pipe(far, { end: false });
      far.on('data', (octets) => near.write(octets));
    });
  }).listen(process.argv[1], () => process.stdout.write('ready'));`;

/** A process with exactly these rights, no further groups and no capabilities. */
export class Intruder {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  static async start(t: TestContext, folder: string, { uid, gid }: Rights): Promise<Intruder> {
    const own = join(folder, `intruder-${uid}-${gid}`);
    mkdirSync(own, { mode: 0o700 });
    chownSync(own, uid, gid);
    const path = join(own, 'socket');
    const rights = ['--reuid', uid, '--regid', gid, '--clear-groups', '--inh-caps', '-all', '--bounding-set', '-all', '--no-new-privs'].map(
      String,
    );
    const child: ChildProcess = spawn('setpriv', [...rights, process.execPath, '--input-type=module', '--eval', relay, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(async () => {
      const ended = once(child, 'exit');
      if (child.kill('SIGKILL')) await ended;
    });
    if (child.stdout !== null) await once(child.stdout, 'data');
    return new Intruder(path);
  }

  /** Code of the system's error; `undefined`: it was let in. */
  async refusal(path: string): Promise<string | undefined> {
    const line = await this.connect(path);
    line.cut();
    return line.refusal;
  }

  async connect(path: string): Promise<IntruderLine> {
    const line = new IntruderLine(connect(this.#path), path);
    await line.connected;
    return line;
  }
}

export class IntruderLine {
  readonly connected: Promise<void>;
  refusal: string | undefined;
  /** Everything that ever came. */
  received = Buffer.alloc(0);
  readonly #socket: Socket;
  #frames: Frame[] = [];
  #rest = Buffer.alloc(0);
  #closed = false;
  #wake: () => void = () => {};

  constructor(socket: Socket, path: string) {
    this.#socket = socket;
    socket.write(`${path}\n`);
    socket.on('error', () => {});
    const opened = Promise.withResolvers<void>();
    this.connected = opened.promise;
    let isFirst = true;
    socket.on('data', (chunk: Buffer) => {
      let octets = chunk;
      if (isFirst) {
        isFirst = false;
        if (chunk[0] !== 0x63) this.refusal = chunk.toString();
        opened.resolve();
        octets = chunk.subarray(1);
      }
      this.received = Buffer.concat([this.received, octets]);
      const { frames, rest } = framesIn(Buffer.concat([this.#rest, octets]));
      this.#frames.push(...frames);
      this.#rest = Buffer.from(rest);
      this.#wake();
    });
    socket.on('close', () => {
      this.#closed = true;
      opened.resolve();
      this.#wake();
    });
  }

  send(...octets: readonly Uint8Array[]): void {
    this.#socket.write(Buffer.concat(octets));
  }

  /** The next frame; `undefined`: the connection was cut. */
  async frame(): Promise<Frame | undefined> {
    for (;;) {
      const first = this.#frames.shift();
      if (first !== undefined || this.#closed) return first;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** What one request is answered with; for a message, its octets in one frame and what came behind them. Greetings are left out. */
  async ask(...octets: readonly Uint8Array[]): Promise<readonly Frame[] | 'cut'> {
    this.send(...octets);
    const told: Frame[] = [];
    let listing: number | undefined;
    for (;;) {
      const next = await this.frame();
      if (next === undefined) return 'cut';
      if (next.type === answer.hello || next.type === answer.bye) continue;
      told.push(next);
      if (next.type === MESSAGE) continue;
      if (next.type === answer.listing) listing = (listing ?? 0) - next.payload.length;
      else listing = listingAfter(next);
      if (listing <= 0) return told;
    }
  }

  /** Octets of a message that is retrieved; `cut`, or the type of the answer where there is none. */
  async message(...octets: readonly Uint8Array[]): Promise<string> {
    const told = await this.ask(...octets);
    if (told === 'cut') return told;
    const body = told.filter(({ type }) => type === MESSAGE).map(({ payload }) => payload);
    return body.length === 0 ? String(told.at(-1)?.type) : Buffer.concat(body).toString('latin1');
  }

  cut(): void {
    this.#socket.destroy();
  }
}
