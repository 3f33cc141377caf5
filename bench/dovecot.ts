/** A private Dovecot 2.3 on loopback ports, for comparison: its own configuration, sockets, state and passwords, none of the host's. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chmodSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Format, OwnedDomain, Owner } from './mailboxes.ts';
import { greeting, play } from './pop3Client.ts';
import { freePort } from './postkasse.ts';

export interface DovecotOptions {
  /** A folder of its own, which `owner` may enter. */
  readonly dir: string;
  /** Mailboxes are `<spool>/<domain>/<user>`. */
  readonly spool: string;
  readonly format: Format;
  readonly owner: Owner;
  readonly domains: readonly OwnedDomain[];
  /** False: limits and process reuse as they come. True: as its documentation advises for many short sessions. */
  readonly tuned: boolean;
  /** Left out: PLAIN alone. */
  readonly mechanisms?: readonly string[];
}

export interface Dovecot {
  readonly pid: number;
  readonly pop3Port: number;
  readonly lmtpPort: number;
  /** Where its auth protocol is spoken, for root. */
  readonly authSocket: string;
  stop(): Promise<void>;
}

const program = '/usr/sbin/dovecot';

/** Whether a Dovecot is installed that can be started here: it changes users, so it takes root. */
export function dovecotAvailable(): boolean {
  try {
    accessSync(program, constants.X_OK);
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
}

/** Resolves when it answers on its POP3 port. */
export async function startDovecot(options: DovecotOptions): Promise<Dovecot> {
  const [pop3Port, lmtpPort] = [await freePort(), await freePort()];
  mkdirSync(options.dir, { recursive: true });
  chmodSync(options.dir, 0o755);
  for (const name of ['index', 'home']) {
    mkdirSync(join(options.dir, name), { recursive: true });
    // With several owners each makes folders of its own in them.
    chmodSync(join(options.dir, name), 0o1777);
  }
  const config = join(options.dir, 'dovecot.conf');
  const lines = options.domains.flatMap(({ logins, owner: { uid, gid } }) =>
    logins.map(({ user, password }) => `${user}:{PLAIN}${password}:${uid}:${gid}::${options.dir}/home/${user}\n`),
  );
  writeFileSync(join(options.dir, 'passwd'), lines.join(''), { mode: 0o644 });
  writeFileSync(config, configuration(options, pop3Port, lmtpPort));
  const child = spawn(program, ['-F', '-c', config], { stdio: ['ignore', 'ignore', 'inherit'] });
  await answering(child, pop3Port, join(options.dir, 'log'));
  return {
    pid: child.pid ?? 0,
    pop3Port,
    lmtpPort,
    authSocket: join(options.dir, 'run', 'auth-client'),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function configuration(
  { dir, spool, format, owner, domains, tuned, mechanisms = ['plain'] }: DovecotOptions,
  pop3Port: number,
  lmtpPort: number,
): string {
  const hasManyOwners = domains.length > 1;
  const location =
    format === 'mbox'
      ? `mbox:${dir}/home/%u/mail:INBOX=${spool}/%d/%n:INDEX=${dir}/index/%u`
      : `maildir:${spool}/%d/%n:INDEX=${dir}/index/%u`;
  return `
base_dir = ${dir}/run
state_dir = ${dir}/state
log_path = ${dir}/log
protocols = pop3 lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
login_trusted_networks = 127.0.0.0/8
auth_mechanisms = ${mechanisms.join(' ')}
first_valid_uid = 1
mail_location = ${location}
mail_privileged_group =
passdb {
  driver = passwd-file
  args = ${dir}/passwd
}
userdb {
${hasManyOwners ? `  driver = passwd-file\n  args = ${dir}/passwd` : `  driver = static\n  args = uid=${owner.uid} gid=${owner.gid} home=${dir}/home/%u`}
}
protocol pop3 {
  mail_max_userip_connections = 100000
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
service pop3-login {
  inet_listener pop3 {
    port = ${pop3Port}
  }
  inet_listener pop3s {
    port = 0
  }
${tuned ? '  service_count = 0\n  process_min_avail = 2\n  client_limit = 4000\n  process_limit = 4\n' : ''}}
service pop3 {
  process_limit = 4000
${tuned ? `  service_count = ${hasManyOwners ? 1 : 0}\n  process_min_avail = 32\n` : ''}}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${lmtpPort}
  }
${tuned ? '  service_count = 0\n  process_min_avail = 4\n' : ''}}
${tuned ? 'auth_cache_size = 10M\nservice anvil {\n  client_limit = 10000\n}\nservice auth {\n  client_limit = 20000\n}\n' : 'service anvil {\n  client_limit = 10000\n}\nservice auth {\n  client_limit = 20000\n}\n'}`;
}

async function answering(child: ChildProcess, port: number, log: string): Promise<void> {
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`dovecot ended with ${code}; see ${log}`);
  });
  for (let tries = 0; ; tries++) {
    try {
      const { socket } = await Promise.race([play({ host: '127.0.0.1', port }, [greeting]), failed]);
      socket.destroy();
      failed.catch(() => undefined);
      return;
    } catch (thrown) {
      // It has no way to say that it listens: asked until it does.
      if (tries > 200 || child.exitCode !== null || !isRefused(thrown)) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function isRefused(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'ECONNREFUSED';
}
