/** A server with domains of two owners, for tests that flood it, and what they look at. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { childrenOf, makeFile, makeNumberedOwner, makeOwnersTree, type NumberedOwner, visit, workersOf } from './owners.ts';
import { serving } from './processes.ts';
import type { Server } from './server.ts';

const empty = ['+OK 0 messages (0 octets)', '+OK 0 0', '+OK goodbye (maildrop empty)'];

/** Users of the first owner, who have one message of `bigMessage` octets each. */
export const readers = 15;
export const readerNames = Array.from({ length: readers }, (_, n) => `reader${n}`);
export const bigMessage = 20_000_000;

export interface House {
  readonly server: Server;
  readonly owners: readonly NumberedOwner[];
  /** Both have been visited: their workers are there. */
  readonly workers: ReturnType<typeof workersOf>;
}

/** @param firstUid and the one after it */
export async function houseOf(t: TestContext, firstUid: number): Promise<House> {
  const tree = makeOwnersTree(t);
  const further = readerNames.map((name) => `${name}:{PLAIN}secret`);
  const owners = ['one.example', 'other.example'].map((domain, n) => makeNumberedOwner(tree, firstUid + n, domain, further));
  const [one] = owners;
  if (one === undefined) throw new Error('no owner');
  for (const owner of owners) makeFile(owner, owner.mailbox, '');
  const line = `${'x'.repeat(75)}\n`;
  const message = `From x  Mon Nov 22 16:47:00 2010\nSubject: large\n\n${line.repeat(bigMessage / line.length)}\n`;
  for (const name of readerNames) makeFile(one, one.mailbox.replace(/abc$/, name), message);
  const server = await serving(t, { tree, protocols: ['pop3', 'pop3s'], settings: { login: ['failure_delay_ms = 50'] } });
  await servedAsEver({ server, owners });
  return { server, owners, workers: workersOf(server) };
}

/** Whole sessions of everybody, one after the other. */
export async function servedAsEver({ server, owners }: Pick<House, 'server' | 'owners'>): Promise<void> {
  for (const { address } of owners) assert.deepEqual(await visit(server, address), empty);
}

/** MB that supervisor, fronts and workers have of their own, and their shares of what they share. */
export function memoryOf(server: Server): number {
  const pids = [server.pid, ...childrenOf(server).map(({ pid }) => pid)];
  const kilobytes = pids.map((pid) => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1]));
  return kilobytes.reduce((sum, each) => sum + each, 0) / 1024;
}

/** Lines of the log, from `start` on, that aren't about a session of somebody who was let in. */
export function remarks(server: Server, start: number): string[] {
  return server
    .log()
    .slice(start)
    .split('\n')
    .filter((line) => line !== '' && !/ pop3\.(login|quit|disconnected) /.test(line));
}

export function times(count: number, work: (n: number) => Promise<unknown>): Promise<unknown> {
  return Promise.all(Array.from({ length: count }, (_, n) => work(n)));
}
