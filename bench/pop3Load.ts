/** Loads for a POP3 server: mail checks, retrieval, big mailboxes, connections that are only held. */
import type net from 'node:net';
import { command, greeting, play, type Step, type Target } from './pop3Client.ts';

export interface Login {
  readonly user: string;
  readonly password: string;
}

export interface LoadOptions {
  readonly target: Target;
  readonly logins: readonly Login[];
  /** Sessions at a time. */
  readonly connections: number;
}

function login({ user, password }: Login): Step[] {
  return [greeting, command(`USER ${user}`), command(`PASS ${password}`)];
}

/** USER PASS STAT UIDL LIST QUIT, each session on a connection of its own, logins in turn. Resolves with the octets received. */
export function mailChecks(options: LoadOptions & { count: number }): Promise<number> {
  const check = [command('STAT'), command('UIDL', 'body'), command('LIST', 'body'), command('QUIT')];
  const scripts = options.logins.map((account) => [...login(account), ...check]);
  // A mailbox whose session is held up is passed over: it has one at a time.
  const free = scripts.slice();
  return inTurns(Math.min(options.connections, free.length), options.count, async () => {
    const script = free.shift() ?? [];
    const { octets, socket } = await play(options.target, script);
    socket.destroy();
    free.push(script);
    return octets;
  });
}

/** Every message of every mailbox, one after the other, one session a mailbox. Resolves with the octets received. */
export function retrieveAll(options: LoadOptions & { messages: number }): Promise<number> {
  return inTurns(options.connections, options.logins.length, async (n) => {
    const account = options.logins[n];
    if (account === undefined) return 0;
    const { octets, socket } = await play(options.target, [
      ...login(account),
      ...Array.from({ length: options.messages }, (_, index) => command(`RETR ${index + 1}`, 'body')),
      command('QUIT'),
    ]);
    socket.destroy();
    return octets;
  });
}

export interface BigMailboxTimes {
  readonly openMs: number;
  readonly uidlMs: number;
  readonly listMs: number;
  readonly quitMs: number;
}

/** Opens, lists and leaves one mailbox; with `deleteEverySecond`, QUIT removes half of its messages. */
export async function bigMailbox(options: {
  target: Target;
  login: Login;
  messages: number;
  deleteEverySecond?: boolean;
}): Promise<BigMailboxTimes> {
  const deletions = options.deleteEverySecond === true ? deleteSteps(options.messages) : [];
  const { stepMs, socket } = await play(options.target, [
    ...login(options.login),
    command('UIDL', 'body'),
    command('LIST', 'body'),
    ...deletions,
    command('QUIT'),
  ]);
  socket.destroy();
  const [, , openMs = 0, uidlMs = 0, listMs = 0] = stepMs;
  return { openMs, uidlMs, listMs, quitMs: stepMs.at(-1) ?? 0 };
}

/** DELE of the odd message-numbers, pipelined by the hundred so that round trips don't hide the server. */
function deleteSteps(messages: number): Step[] {
  const steps: Step[] = [];
  for (let first = 1; first <= messages; first += 200) {
    let send = '';
    let count = 0;
    for (let n = first; n < first + 200 && n <= messages; n += 2, count++) send += `DELE ${n}\r\n`;
    steps.push({ send, reply: count });
  }
  return steps;
}

/** Opens so many connections and holds them: logged in where `logins` are given, else after the greeting. */
export async function holdConnections(options: {
  target: Target;
  count: number;
  logins?: readonly Login[];
}): Promise<{ close(): Promise<void> }> {
  const sockets: net.Socket[] = [];
  await inTurns(32, options.count, async (n) => {
    const account = options.logins?.[n % options.logins.length];
    const { socket } = await play(options.target, account === undefined ? [greeting] : login(account));
    sockets.push(socket);
    return 0;
  });
  return {
    async close() {
      await Promise.all(
        sockets.map((socket) => {
          const closed = new Promise((resolve) => socket.once('close', resolve));
          socket.destroy();
          return closed;
        }),
      );
    },
  };
}

/** Runs `work` for 0 … count - 1, so many at a time, and sums what it resolves with. */
async function inTurns(atOnce: number, count: number, work: (n: number) => Promise<number>): Promise<number> {
  let next = 0;
  let sum = 0;
  await Promise.all(
    Array.from({ length: Math.min(atOnce, count) }, async () => {
      while (next < count) {
        const result = await work(next++);
        sum += result;
      }
    }),
  );
  return sum;
}
