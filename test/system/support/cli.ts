/** The command line, as it is typed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export const program = join(import.meta.dirname, '..', '..', '..', 'bin', 'postkasse');

export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** A program and its arguments that start ours: `setpriv …`. */
  readonly through?: readonly string[];
}

/** Resolves when it has ended and said everything. */
export async function postkasse(args: readonly string[], { input = '', env = {}, cwd = '/', through = [] }: RunOptions = {}): Promise<Ran> {
  const [command = program, ...more] = [...through, program, ...args];
  const child = spawn(command, more, { cwd, env: { ...process.env, LC_ALL: 'C', ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (octets: Buffer) => out.push(octets));
  child.stderr.on('data', (octets: Buffer) => err.push(octets));
  child.stdin.on('error', () => {}); // a command that reads nothing may have ended
  child.stdin.end(input);
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() };
}
