/** Parents that accept connections and start the program for each: one of our own, and those that hosts have. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { TestContext } from 'node:test';
import { program } from './cli.ts';

export interface Served {
  readonly pid: number;
  /** What it wrote to standard error, where that wasn't the connection. */
  readonly said: string;
  readonly status: number | null;
}

export interface Inetd {
  readonly port: number;
  /** Process id of the nth program started, from 1 on, as soon as it is there. */
  started(nth: number): Promise<number>;
  /** The nth that has ended. */
  ended(nth: number): Promise<Served>;
}

export interface InetdOptions {
  /** inetd and xinetd make the connection standard error too; systemd doesn't. */
  readonly standardError: 'connection' | 'pipe';
  readonly host?: string;
}

/** Starts `postkasse <args>` for each connection, as inetd does: the connection is its descriptors 0, 1 and 2, or 0 and 1. */
export async function inetd(t: TestContext, args: readonly string[], { standardError, host = '127.0.0.1' }: InetdOptions): Promise<Inetd> {
  const children = new Set<ChildProcess>();
  const pids: number[] = [];
  const done: Served[] = [];
  const waiting = new Set<() => void>();
  const tell = () => {
    for (const look of waiting) look();
  };
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    const child = spawn(program, args, { cwd: '/', stdio: [socket, socket, standardError === 'pipe' ? 'pipe' : socket] });
    children.add(child);
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    pids.push(child.pid ?? 0);
    child.once('close', (status) => {
      children.delete(child);
      done.push({ pid: child.pid ?? 0, said, status });
      tell();
    });
    // The program's alone: it decides when the client sees the end.
    socket.on('error', () => {});
    socket.destroy();
    tell();
  });
  server.listen(0, host);
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const child of children) child.kill('SIGKILL');
  });
  const nth = <T>(list: readonly T[], n: number): Promise<T> =>
    new Promise((resolve) => {
      const look = () => {
        const found = list[n - 1];
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { port: (server.address() as AddressInfo).port, started: (n) => nth(pids, n), ended: (n) => nth(done, n) };
}
