/** The real program, as an operator starts it: `bin/postkasse serve` on a private tree and free loopback ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lchownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ownProgram = join(import.meta.dirname, '..', '..', '..', 'bin', 'postkasse');

/** Whom mail belongs to in a test: root never owns mail, so a test that runs as root makes everything this user's. */
export const owner = process.getuid?.() === 0 ? { uid: 8, gid: 8 } : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

export interface TreeOptions {
  /** Domain → lines of its passwd file. `UID` and `GID` in them become the owner's. */
  readonly passwd: ReadonlyMap<string, readonly string[]>;
}

export interface Tree {
  readonly folder: string;
  /** Hands everything in the tree, or a file or folder in it, to whom the server runs as. To be called after a test has put files there. */
  own(path?: string): void;
  remove(): void;
}

/** `<folder>/virtual/<domain>/passwd`, `<folder>/spool/<domain>/`, and room for state. */
export function makeTree({ passwd }: TreeOptions): Tree {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  for (const name of ['virtual', 'spool', 'state', 'run']) mkdirSync(join(folder, name), { mode: 0o755 });
  for (const [domain, lines] of passwd) {
    mkdirSync(join(folder, 'virtual', domain));
    mkdirSync(join(folder, 'spool', domain), { mode: 0o700 });
    const text = lines.map((line) => `${line.replace('UID', String(owner.uid)).replace('GID', String(owner.gid))}\n`).join('');
    writeFileSync(join(folder, 'virtual', domain, 'passwd'), text, { mode: 0o600 });
  }
  const own = (path = folder) => ownAll(path);
  own();
  return { folder, own, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

function ownAll(path: string): void {
  if (process.getuid?.() !== 0) return;
  lchownSync(path, owner.uid, owner.gid);
  if (!lstatSync(path).isDirectory()) return;
  for (const entry of readdirSync(path, { withFileTypes: true, recursive: true })) {
    lchownSync(join(entry.parentPath, entry.name), owner.uid, owner.gid);
  }
}

export interface ServerOptions {
  readonly tree: Tree;
  /** Protocols to listen for, each on a port of its own. */
  readonly protocols?: readonly ('pop3' | 'pop3s' | 'lmtp' | 'smtp')[];
  /** Path of a Unix socket to listen on for LMTP as well. */
  readonly lmtpSocket?: string;
  /** The same for SMTP AUTH. */
  readonly saslSocket?: string;
  /** Further listeners, each with the lines of its table. */
  readonly listeners?: readonly (readonly string[])[];
  /** Further lines of the settings file, by table; '' for the top. */
  readonly settings?: Readonly<Record<string, readonly string[]>>;
  readonly env?: NodeJS.ProcessEnv;
  /** Instead of this checkout's bin/postkasse. */
  readonly program?: string;
  /** Descriptors that it gets as its 3rd, 4th … */
  readonly stdio?: readonly number[];
}

export interface Server {
  readonly pid: number;
  readonly ports: Readonly<Record<'pop3' | 'pop3s' | 'lmtp' | 'smtp', number>>;
  readonly settingsFile: string;
  /** What it has written to standard output so far. */
  out(): string;
  /** What it has written to standard error so far. */
  log(): string;
  /** Resolves with the nth line of its output that matches, at once if it is there already. */
  logged(pattern: RegExp, nth?: number): Promise<string>;
  /** Process ids of the fronts there are now. */
  fronts(): readonly number[];
  /** Resolves when none of its processes is left. */
  gone(): Promise<void>;
  /** SIGTERM (or another signal); resolves with the exit status when it is gone. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** The ports are given again to a server that is started with the same settings. */
  restart(): Promise<Server>;
}

/** Resolves at "ready". @throws with the log when the server ends instead */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { settingsFile, ports } = await writeSettings(options);
  return serve(settingsFile, ports, options);
}

/** A settings file in the tree; `given`: ports that are to stay what they were. */
export async function writeSettings(
  options: ServerOptions,
  given?: Server['ports'],
): Promise<{ settingsFile: string; ports: Server['ports'] }> {
  const protocols = options.protocols ?? ['pop3', 'pop3s', 'lmtp', 'smtp'];
  const ports = { pop3: 0, pop3s: 0, lmtp: 0, smtp: 0, ...given };
  for (const protocol of protocols) ports[protocol] ||= await freePort();
  const settingsFile = join(options.tree.folder, 'postkasse.toml');
  writeFileSync(settingsFile, settingsText(options, protocols, ports));
  return { settingsFile, ports };
}

/** With a settings file that is there already. `ports`: what it says about them, for the test to know. */
export async function serve(
  settingsFile: string,
  ports: Server['ports'],
  options: Pick<ServerOptions, 'env' | 'program' | 'stdio'> = {},
): Promise<Server> {
  const env = { ...process.env, ...options.env };
  const child = spawn(options.program ?? ownProgram, ['serve', '--config', settingsFile], {
    stdio: ['ignore', 'pipe', 'pipe', ...(options.stdio ?? [])],
    env,
  });
  if (child.stdout === null || child.stderr === null) throw new Error('no pipes');
  let log = '';
  let out = '';
  const watchers = new Set<() => void>();
  child.stdout.on('data', (octets: Buffer) => {
    out += octets.toString('latin1');
    for (const watcher of watchers) watcher();
  });
  child.stderr.on('data', (octets: Buffer) => {
    log += octets.toString('latin1');
    for (const watcher of watchers) watcher();
  });
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  // The fronts have the same standard error: it ends with the last of them.
  const closed = once(child, 'close');
  await ready(child, exited, () => log);
  return {
    pid: child.pid ?? 0,
    ports,
    settingsFile,
    out: () => out,
    log: () => log,
    logged: (pattern, nth = 1) =>
      new Promise((resolve) => {
        const look = () => {
          const found = `${out}${log}`.split('\n').filter((line) => pattern.test(line))[nth - 1];
          if (found === undefined) return;
          watchers.delete(look);
          resolve(found);
        };
        watchers.add(look);
        look();
      }),
    fronts: () => readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    gone: async () => void (await closed),
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      const [status] = await exited;
      return status;
    },
    restart: () => serve(settingsFile, ports, options),
  };
}

function ready(child: ChildProcess, exited: Promise<unknown>, log: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    let out = '';
    child.stdout?.on('data', (octets: Buffer) => {
      out += octets.toString();
      if (/^ready$/m.test(out)) resolve();
    });
    exited.then((status) => reject(new Error(`the server ended (${String(status)}): ${log()}`)), reject);
  });
}

function settingsText(
  { settings = {}, lmtpSocket, saslSocket, listeners = [] }: ServerOptions,
  protocols: readonly string[],
  ports: Server['ports'],
): string {
  const table = (name: string, lines: readonly string[]) => `[${name}]\n${[...lines, ...(settings[name] ?? [])].join('\n')}\n`;
  const top = ['state_dir = "state"', 'run_dir = "run"', 'hostname = "mail.example.org"', 'fronts = 2'];
  if (process.getuid?.() === 0) top.push(`user = "${owner.uid}"`, `group = "${owner.gid}"`);
  const given = new Set((settings[''] ?? []).map((line) => line.split('=')[0]?.trim()));
  const further = Object.keys(settings).filter((name) => !['', 'directory', 'mailboxes'].includes(name));
  return [
    [...top.filter((line) => !given.has(line.split('=')[0]?.trim())), ...(settings[''] ?? [])].join('\n'),
    table('directory', ['root = "virtual"']),
    table('mailboxes', ['root = "spool"']),
    ...further.map((name) => table(name, [])),
    ...(lmtpSocket === undefined ? [] : [`[[listen]]\nprotocol = "lmtp"\naddress = "unix:${lmtpSocket}"\n`]),
    ...(saslSocket === undefined ? [] : [`[[listen]]\nprotocol = "sasl"\naddress = "unix:${saslSocket}"\n`]),
    ...listeners.map((lines) => `[[listen]]\n${lines.join('\n')}\n`),
    ...protocols.map(
      (protocol) => `[[listen]]\nprotocol = "${protocol}"\naddress = "127.0.0.1:${ports[protocol as keyof typeof ports]}"\n`,
    ),
  ].join('\n');
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  const closed = once(probe, 'close');
  probe.close();
  await closed;
  if (typeof address !== 'object' || address === null) throw new Error(`no port`);
  return address.port;
}
