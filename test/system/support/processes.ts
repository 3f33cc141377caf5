/** What the tests of supervisor and fronts share. */
import { existsSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { Client } from '../../support/socketDialogue.ts';
import { makeTree, type Server, type ServerOptions, startServer, type Tree } from './server.ts';

/** One domain with one user, abc@kvt.dk, password `secret`. */
export function smallTree(t: TestContext): Tree {
  const made = makeTree({ passwd: new Map([['kvt.dk', ['abc:{PLAIN}secret:UID:GID::.:']]]) });
  t.after(() => made.remove());
  return made;
}

/** Ended, with all of its processes, when the test is over. */
export async function serving(t: TestContext, options: ServerOptions): Promise<Server> {
  return endedAfter(t, await startServer(options));
}

export function endedAfter(t: TestContext, server: Server): Server {
  t.after(async () => {
    const fronts = existsSync(`/proc/${server.pid}/task`) ? server.fronts() : [];
    await server.stop('SIGKILL');
    // They would end by themselves, but not before those who are logged in have had their grace.
    for (const pid of fronts) kill(pid);
    await server.gone();
  });
  return server;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
  }
}

export function clientOf(t: TestContext, where: { port: number } | { path: string }): Client {
  const client = new Client('port' in where ? { ...where, host: '127.0.0.1' } : where);
  t.after(() => client.end());
  return client;
}

/** Logged in as abc@kvt.dk. */
export async function loggedIn(t: TestContext, server: Server): Promise<Client> {
  const client = clientOf(t, { port: server.ports.pop3 });
  await client.line();
  client.write('USER abc@kvt.dk\r\nPASS secret\r\n');
  for (const reply of [await client.line(), await client.line()]) if (!reply?.startsWith('+OK')) throw new Error(`login: ${reply}`);
  return client;
}

/** Fields of an event in the log. */
export function fieldsOf(line: string): Map<string, string> {
  return new Map(
    Array.from(line.matchAll(/ (\w+)=("(?:[^"\\]|\\.)*"|\S+)/g), ([, name = '', value = '']) => [
      name,
      value.startsWith('"') ? String(JSON.parse(value)) : value,
    ]),
  );
}
