/**
 * What an honest client notices while somebody floods the server. Every client comes behind a PROXY header, so that the floods come from
 * thousands of addresses though all of it happens on loopback. Client and flood share the machine with the server, and its load is theirs too.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median, withPeer } from './arena.ts';
import { type FloodOrder, proxyHeader } from './flooder.ts';
import { localPart, loginsInTurn, type OwnedDomain, ownedDomains } from './mailboxes.ts';
import { command, greeting, play } from './pop3Client.ts';
import type { Login } from './pop3Load.ts';
import { freePort, startPostkasse } from './postkasse.ts';
import { memoryOf, processTree } from './processTree.ts';
import type { Cell, Table } from './table.ts';

const owners = 4;
/** Their owners are honest; those after them fetch big messages and don't read them. */
const honestUsers = 40;
const slowReaders = 60;
const bigMessage = 10_000_000;

interface Arena {
  readonly pid: number;
  readonly logPath: string;
  readonly pop3Port: number;
  readonly pop3sPort: number;
  readonly honest: readonly Login[];
  readonly readers: readonly Login[];
}

interface Flood {
  readonly name: string;
  /** `undefined`: to compare with. */
  readonly order?: (arena: Arena) => Omit<FloodOrder, 'firstAddress'>;
  /** It is stopped then, unless it ends by itself before. */
  readonly lastsMs: number;
}

const longestMs = 90_000;
const nobody = (login: string): Login[] => [{ user: login, password: '' }];
const unused = { logins: [] };

const floods: readonly Flood[] = [
  { name: 'none', lastsMs: 3000 },
  {
    name: '1,000 connections that say nothing',
    lastsMs: 5000,
    order: ({ pop3Port: port }) => ({ kind: 'silent', port, count: 1000, ...unused }),
  },
  {
    name: '1,000 halves of a TLS handshake',
    lastsMs: 5000,
    order: ({ pop3sPort: port }) => ({ kind: 'half-handshake', port, count: 1000, ...unused }),
  },
  {
    name: '1,000 clients that send an octet a second',
    lastsMs: 8000,
    order: ({ pop3Port: port }) => ({ kind: 'slow-clients', port, count: 1000, ...unused }),
  },
  {
    name: `${slowReaders} clients that hardly read their 10 MB`,
    lastsMs: 10_000,
    order: ({ pop3Port: port, readers }) => ({ kind: 'slow-readers', port, count: readers.length, logins: readers }),
  },
  {
    name: `10,000 addresses guess passwords of ${honestUsers} accounts`,
    lastsMs: longestMs,
    order: ({ pop3Port: port, honest }) => ({ kind: 'guesses', port, count: 10_000, logins: honest }),
  },
  {
    name: '10,000 addresses try users that are none',
    lastsMs: longestMs,
    order: ({ pop3Port: port, honest }) => ({ kind: 'guesses', port, count: 10_000, logins: nobody(`nobody#@${domainOf(honest[0])}`) }),
  },
  {
    name: '10,000 addresses try domains that are none',
    lastsMs: longestMs,
    order: ({ pop3Port: port }) => ({ kind: 'guesses', port, count: 10_000, logins: nobody('somebody@nowhere#.example') }),
  },
];

export async function benchFloods(): Promise<Table> {
  const [pop3Port, pop3sPort] = [await freePort(), await freePort()];
  const listen = (protocol: string, port: number) =>
    `[[listen]]\nprotocol = "${protocol}"\naddress = "127.0.0.1:${port}"\nproxy_protocol_from = ["127.0.0.0/8"]\n`;
  const settings = `${listen('pop3', pop3Port)}${listen('pop3s', pop3sPort)}[login]\nplaintext_networks = ["0.0.0.0/0"]\n`;
  const peer = { name: 'postkasse', start: (options: Parameters<typeof startPostkasse>[0]) => startPostkasse(options, { settings }) };
  const domains = ownedDomains(owners, honestUsers + slowReaders);
  const logins = loginsInTurn(domains);
  const [honest, readers] = [logins.slice(0, honestUsers), logins.slice(honestUsers)];
  const rows: Cell[][] = [];
  await withPeer(peer, { format: 'mbox', messages: 10, size: 3000, domains, logins }, async ({ peer: { pid }, spool }) => {
    enlarge(spool, domains, readers);
    const logPath = join(spool, '..', 'server', 'log');
    const arena: Arena = { pid, logPath, pop3Port, pop3sPort, honest, readers };
    // From where the owners come: known before anything bad happens.
    await checksUntil(arena, { isOver: true, atLeast: 3 * honestUsers });
    for (const flood of floods) rows.push(await measured(flood, arena));
  });
  return {
    title: `Mail checks of an honest client, ms, while others flood: ${owners} owners, ${honestUsers} accounts, one check at a time`,
    columns: [
      'flood',
      'median before',
      'during',
      'after',
      'worst before',
      'during',
      'refused',
      'PSS MB before',
      'at most',
      'workers',
      'at most',
      'log, kB',
    ],
    rows,
  };
}

let firstAddress = 0;

/** Resolves when it is at its height. */
async function begun(
  order: Omit<FloodOrder, 'firstAddress'> | undefined,
): Promise<{ readonly over: Promise<unknown>; readonly stop: () => void }> {
  if (order === undefined) {
    const { promise, resolve } = Promise.withResolvers<void>();
    return { over: promise, stop: resolve };
  }
  const flooder = fork(join(import.meta.dirname, 'flooder.ts'));
  const over = once(flooder, 'exit');
  flooder.send({ ...order, firstAddress } satisfies FloodOrder);
  firstAddress += order.count;
  await Promise.race([once(flooder, 'message'), over]);
  return { over, stop: () => void (flooder.connected && flooder.send('stop')) };
}

async function measured({ name, order, lastsMs }: Flood, arena: Arena): Promise<Cell[]> {
  const before = await checksUntil(arena, { isOver: true, atLeast: honestUsers });
  const memory = watchMemory(arena.pid);
  const logBefore = statSync(arena.logPath).size;
  const flood = await begun(order?.(arena));
  const state = { isOver: false, atLeast: honestUsers };
  const limit = setTimeout(flood.stop, lastsMs);
  void flood.over.then(() => {
    state.isOver = true;
  });
  const during = await checksUntil(arena, state);
  await flood.over;
  clearTimeout(limit);
  const { most, workersMost } = memory.stop();
  const logged = (statSync(arena.logPath).size - logBefore) / 1000;
  const after = await checksUntil(arena, { isOver: true, atLeast: honestUsers });
  const worst = Math.max(...before.ms);
  const refused = before.refused + during.refused + after.refused;
  return [
    name,
    median(before.ms),
    median(during.ms),
    median(after.ms),
    worst,
    Math.max(...during.ms),
    String(refused),
    memory.pssMb,
    most,
    String(memory.workers),
    String(workersMost),
    logged,
  ];
}

/** One check after the other, until `isOver`, and `atLeast` so many. Whoever is refused comes again at once, as a mail program would in a while. */
async function checksUntil(
  { pop3Port, honest }: Arena,
  state: { readonly isOver: boolean; readonly atLeast: number },
): Promise<{ ms: number[]; refused: number }> {
  const ms: number[] = [];
  let refused = 0;
  for (let n = 0; n < state.atLeast || !state.isOver; n++) {
    const account = honest[n % honest.length];
    if (account === undefined) break;
    // Each account has an address of its own that it always comes from.
    const target = { host: '127.0.0.1', port: pop3Port, preamble: proxyHeader(`198.51.100.${1 + (n % honest.length)}`) };
    const started = performance.now();
    try {
      const { socket } = await play(target, [
        greeting,
        command(`USER ${account.user}`),
        command(`PASS ${account.password}`),
        command('STAT'),
        command('UIDL', 'body'),
        command('LIST', 'body'),
        command('QUIT'),
      ]);
      socket.destroy();
    } catch {
      refused++;
    }
    ms.push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return { ms, refused };
}

/** Readers get one large message. */
function enlarge(spool: string, domains: readonly OwnedDomain[], readers: readonly Login[]): void {
  const line = `${'x'.repeat(75)}\n`;
  const message = `From sender@example.org  Mon Nov 22 16:47:00 2010\nSubject: large\n\n${line.repeat(bigMessage / line.length)}\n`;
  for (const { user } of readers) {
    const domain = domains.find(({ name }) => user.endsWith(`@${name}`));
    if (domain === undefined) continue;
    const path = join(spool, domain.name, localPart(user));
    // Its file stays, and so do owner and mode.
    writeFileSync(path, message);
  }
}

function domainOf(login: Login | undefined): string {
  return login?.user.split('@')[1] ?? '';
}

function watchMemory(pid: number): { pssMb: number; workers: number; stop(): { most: number; workersMost: number } } {
  const look = () => ({ mb: memoryOf(pid).pssKb / 1024, workers: processTree(pid).length - 3 });
  const first = look();
  let [most, workersMost] = [first.mb, first.workers];
  const sample = () => {
    const { mb, workers } = look();
    most = Math.max(most, mb);
    workersMost = Math.max(workersMost, workers);
  };
  const interval = setInterval(sample, 1000);
  return {
    pssMb: first.mb,
    workers: first.workers,
    stop() {
      sample();
      clearInterval(interval);
      return { most, workersMost };
    },
  };
}
