/** Postfix's own programs, run on one configuration. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Fault } from '../../model/fault.ts';

export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** They lie where only root's PATH leads. */
const path = `${process.env.PATH ?? ''}:/usr/sbin:/usr/local/sbin:/sbin`;

/** @throws Fault where there is no such program */
export async function run(program: string, args: readonly string[], input = ''): Promise<Ran> {
  const child = spawn(program, args, { env: { ...process.env, PATH: path, LC_ALL: 'C' }, stdio: ['pipe', 'pipe', 'pipe'] });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (octets: Buffer) => out.push(octets));
  child.stderr.on('data', (octets: Buffer) => err.push(octets));
  // A program that reads nothing may have ended.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  try {
    const [status] = (await once(child, 'close')) as [number | null];
    return { status: status ?? -1, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() };
  } catch (cause) {
    throw new Fault('permanent', '{program} can not be run: is Postfix installed?', { values: { program }, cause });
  }
}

/** What it prints. @throws Fault with what it complains of */
export async function output(program: string, args: readonly string[], input?: string): Promise<string> {
  const { status, out, err } = await run(program, args, input);
  if (status === 0) return out;
  throw new Fault('permanent', '{program} failed', { values: { program }, cause: new Error(err.trim() || `status ${status}`) });
}
