/** Programs of others, run as a user would run them, with nothing of this account's own settings. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];

/** `false`: the program is there; else the reason to give to `skip`. */
export function missing(program: string, debianPackage: string): string | false {
  return folders.some((folder) => isExecutable(join(folder, program))) ? false : `the package ${debianPackage} is not installed`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface RunOptions {
  /** Where it looks for its settings and keeps its state. */
  readonly home: string;
  readonly input?: string | Uint8Array;
  /** Whom it runs as, where the test is root. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

export interface Ran {
  readonly status: number | null;
  readonly out: Buffer;
  /** What it wrote to standard error. */
  readonly said: string;
}

/** Longer than any of them takes, and shorter than a person would wait. */
const LIMIT_MS = 60_000;

/** Who hangs is ended, with a status of null. */
export async function run(program: string, args: readonly string[], { home, input = '', user }: RunOptions): Promise<Ran> {
  const env = { PATH: folders.join(':'), HOME: home, LC_ALL: 'C.UTF-8' };
  const child = spawn(program, args, {
    cwd: home,
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
    ...(process.getuid?.() === 0 ? user : {}),
  });
  const out: Buffer[] = [];
  const said: Buffer[] = [];
  child.stdout.on('data', (octets: Buffer) => out.push(octets));
  child.stderr.on('data', (octets: Buffer) => said.push(octets));
  child.stdin.on('error', () => {}); // a program that reads nothing may end before everything is written
  child.stdin.end(input);
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, out: Buffer.concat(out), said: Buffer.concat(said).toString() };
}
