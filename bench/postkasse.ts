/** Our server under measurement: the real program with private settings, its log in a file as Dovecot's is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { localPart, type OwnedDomain, type Owner } from './mailboxes.ts';

const checkout = join(import.meta.dirname, '..');
/** A worker is to be there when its server's turn comes round again. */
const idleS = 600;

export interface PeerOptions {
  /** A folder of its own, which `owner` may enter. */
  readonly dir: string;
  /** Mailboxes are `<spool>/<domain>/<user>`. */
  readonly spool: string;
  readonly format: 'mbox' | 'maildir';
  /** Who has the mail of those whose domain has no owner of its own. */
  readonly owner: Owner;
  readonly domains: readonly OwnedDomain[];
}

export interface RunningPeer {
  readonly pid: number;
  readonly pop3Port: number;
  readonly lmtpPort: number;
  stop(): Promise<void>;
}

export interface Variant {
  /** Folder with the program; left out: this one. An earlier release beside ours shows what has changed. */
  readonly checkout?: string | undefined;
  /** Further lines of its settings. */
  readonly settings?: string;
}

/** Resolves at "ready". */
export async function startPostkasse(options: PeerOptions, variant: Variant = {}): Promise<RunningPeer> {
  const { dir, spool, format, owner, domains } = options;
  const program = join(variant.checkout ?? checkout, 'bin', 'postkasse');
  const [pop3Port, lmtpPort] = [await freePort(), await freePort()];
  const hasManyOwners = domains.some((domain) => domain.owner.uid !== owner.uid);
  const own = (path: string, { uid, gid }: Owner) => chownSync(path, uid, gid);
  for (const name of ['', 'state', 'run', 'virtual']) {
    mkdirSync(join(dir, name), { recursive: true, mode: 0o755 });
    // With many owners it is root who says which domains there are.
    if (!hasManyOwners) own(join(dir, name), owner);
  }
  for (const domain of domains) {
    const folder = join(dir, 'virtual', domain.name);
    const passwd = join(folder, 'passwd');
    mkdirSync(folder, { mode: 0o700 });
    writeFileSync(passwd, domain.logins.map(({ user, password }) => `${localPart(user)}:{PLAIN}${password}\n`).join(''), { mode: 0o600 });
    own(folder, domain.owner);
    own(passwd, domain.owner);
  }
  const settings = join(dir, 'postkasse.toml');
  const rootOnly = process.getuid?.() === 0 ? `user = "${owner.uid}"\ngroup = "${owner.gid}"\n` : '';
  writeFileSync(
    settings,
    `state_dir = "state"\nrun_dir = "run"\n${rootOnly}
[directory]
root = "virtual"
[mailboxes]
root = "${spool}"
format = "${format}"
[[listen]]
protocol = "pop3"
address = "127.0.0.1:${pop3Port}"
[[listen]]
protocol = "lmtp"
address = "127.0.0.1:${lmtpPort}"
${hasManyOwners ? `[owners]\nidle_s = ${idleS}\n` : ''}${variant.settings ?? ''}`,
  );
  const log = join(dir, 'log');
  const child = spawn(program, ['serve', '--config', settings], { stdio: ['ignore', 'pipe', openSync(log, 'a')] });
  const exited = once(child, 'exit');
  await Promise.race([
    child.stdout ? once(child.stdout, 'data') : exited,
    exited.then(() => {
      throw new Error(`postkasse ended: ${readFileSync(log, 'utf8')}`);
    }),
  ]);
  return {
    pid: child.pid ?? 0,
    pop3Port,
    lmtpPort,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}

export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
