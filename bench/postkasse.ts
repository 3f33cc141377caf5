/** Our server under measurement: the real program with private settings, its log in a file as Dovecot's is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { domain, type Owner } from './mailboxes.ts';
import type { Login } from './pop3Load.ts';

const program = join(import.meta.dirname, '..', 'bin', 'postkasse');

export interface PeerOptions {
  /** A folder of its own, which `owner` may enter. */
  readonly dir: string;
  /** Mailboxes are `<spool>/<domain>/<user>`. */
  readonly spool: string;
  readonly format: 'mbox' | 'maildir';
  readonly owner: Owner;
  readonly logins: readonly Login[];
}

export interface RunningPeer {
  readonly pid: number;
  readonly pop3Port: number;
  readonly lmtpPort: number;
  stop(): Promise<void>;
}

/** Resolves at "ready". */
export async function startPostkasse({ dir, spool, format, owner, logins }: PeerOptions, fronts?: number): Promise<RunningPeer> {
  const [pop3Port, lmtpPort] = [await freePort(), await freePort()];
  for (const name of ['', 'state', 'run', 'virtual', `virtual/${domain}`]) {
    mkdirSync(join(dir, name), { recursive: true, mode: 0o755 });
    chownSync(join(dir, name), owner.uid, owner.gid);
  }
  const passwd = join(dir, 'virtual', domain, 'passwd');
  writeFileSync(passwd, logins.map(({ user, password }) => `${user.split('@')[0]}:{PLAIN}${password}\n`).join(''), { mode: 0o600 });
  chownSync(passwd, owner.uid, owner.gid);
  const settings = join(dir, 'postkasse.toml');
  const rootOnly = process.getuid?.() === 0 ? `user = "${owner.uid}"\ngroup = "${owner.gid}"\n` : '';
  writeFileSync(
    settings,
    `state_dir = "state"\nrun_dir = "run"\n${rootOnly}${fronts === undefined ? '' : `fronts = ${fronts}\n`}
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
`,
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
