/**
 * The control socket: whoever may connect to it (its owner and root) sends one line and gets one JSON document. Nobody else's words are
 * read by the supervisor, and these only as far as their first line; an address in it is a front's to understand.
 */
import { lstatSync, unlinkSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Settings } from '../config/index.ts';
import type { Log } from '../model/log.ts';
import type { HouseReport } from '../model/report.ts';
import { listeningSockets } from '../os/sockets.ts';

export interface ControlPlan {
  readonly path: string;
  report(): Promise<HouseReport>;
  /** Where mail for an address goes. @throws Error when nobody can say */
  explain(address: string): Promise<unknown>;
  readonly log: Log;
  /** For a request to come, and for its answer to be made and taken. */
  readonly limitMs?: number;
}

export interface Control {
  readonly path: string;
  /** Takes no more requests, and takes the socket away; answers under way are cut. */
  close(): void;
}

export function controlPath({ runDir }: Pick<Settings, 'runDir'>): string {
  return join(runDir, 'control');
}

const MODE = 0o600;
/** An address of 320 octets, written in up to three octets each. */
const LONGEST_REQUEST = 1024;
const EXPLAIN = 'explain ';
const MOST_CLIENTS = 32;
const LIMIT_MS = 10_000;

/** @throws the system's error: EADDRINUSE, EACCES … */
export async function openControl({ path, report, explain, log, limitMs = LIMIT_MS }: ControlPlan): Promise<Control> {
  const { fds } = await listeningSockets({ path }, 1, MODE);
  const made = identityOf(path);
  const clients = new Set<Socket>();
  const server = createServer((socket) => {
    clients.add(socket);
    socket.once('close', () => clients.delete(socket));
    socket.on('error', () => {}); // a client that went away misses its own answer
    const limit = setTimeout(() => socket.destroy(), limitMs);
    socket.once('close', () => clearTimeout(limit));
    readLine(socket, (request) => {
      answer(request).then(
        (document) => void socket.end(`${JSON.stringify(document)}\n`),
        (cause: unknown) => {
          log.error('control.trouble', { request, cause });
          socket.destroy();
        },
      );
    });
  });
  server.maxConnections = MOST_CLIENTS;
  server.on('error', (error) => log.error('control.trouble', { error: error.message }));
  await new Promise<void>((resolve) => server.listen({ fd: fds[0] }, resolve));

  async function answer(request: string): Promise<unknown> {
    if (request.startsWith(EXPLAIN)) return explain(request.slice(EXPLAIN.length));
    return request === 'status' ? report() : { error: 'unknown request' };
  }

  return {
    path,
    close() {
      server.close();
      for (const socket of clients) socket.destroy();
      // Somebody else's socket may have come to lie there.
      if (made !== undefined && identityOf(path) === made) unlinkSync(path);
    },
  };
}

/** The first line, once. Who sends a longer one, or none, is not answered. */
function readLine(socket: Socket, take: (line: string) => void): void {
  let octets = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    octets = Buffer.concat([octets, chunk.subarray(0, LONGEST_REQUEST + 1)]);
    const end = octets.indexOf('\n');
    if (end < 0 && octets.length > LONGEST_REQUEST) socket.destroy();
    if (end < 0) return;
    socket.removeListener('data', onData);
    // What comes after it is thrown away.
    socket.resume();
    take(octets.toString('utf8', 0, end));
  };
  socket.on('data', onData);
}

function identityOf(path: string): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat && `${stat.dev}:${stat.ino}`;
}
