/** A private Postfix: its own settings, queue and log in one folder, its own loopback port; nothing of the host's Postfix is touched. */
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, type FSWatcher, mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { missing } from './programs.ts';
import { freePort } from './server.ts';

const runFile = promisify(execFile);

/** `false`, or why no private Postfix can be had here. */
export const noPostfix: string | false =
  process.getuid?.() === 0 ? missing('postfix', 'postfix') : 'a Postfix of its own can only be started by root';

export interface PostfixOptions {
  /** Made where it is missing; must be reachable for everybody. */
  readonly folder: string;
  /** Further lines of main.cf. */
  readonly main: readonly string[];
  /** Options of the smtpd on the second port, `name=value` without blanks. */
  readonly secondPort?: readonly string[];
  /** Further lines of master.cf. */
  readonly services?: readonly string[];
}

export interface Postfix {
  readonly port: number;
  readonly secondPort: number;
  /** Process id of master(8). */
  master(): number;
  log(): string;
  /** Resolves when that many lines of the log match, at once if they do already. */
  logged(pattern: RegExp, lines?: number): Promise<readonly string[]>;
  /** What waits: queue name and recipients of each message. */
  queue(): Promise<readonly { queue_name: string; recipients: readonly { address: string; delay_reason?: string }[] }[]>;
  /** Everything deferred is tried now. */
  flush(): Promise<void>;
  /** Resolves when no process of it is left. */
  stop(): Promise<void>;
}

export async function startPostfix({ folder, main, secondPort: further = [], services: own = [] }: PostfixOptions): Promise<Postfix> {
  const config = join(folder, 'etc');
  const queue = join(folder, 'queue');
  const logFile = join(folder, 'maillog');
  for (const each of [folder, config, queue, join(folder, 'lib')]) {
    mkdirSync(each, { recursive: true });
    chmodSync(each, 0o755);
  }
  await runFile('chown', ['postfix', join(folder, 'lib')]);
  const port = await freePort();
  const secondPort = await freePort();
  writeFileSync(join(config, 'main.cf'), `${settled([...mainSettings(folder), ...main]).join('\n')}\n`);
  writeFileSync(join(config, 'master.cf'), services(port, secondPort, further, own));
  const postfix = (...words: string[]) => runFile('postfix', ['-c', config, ...words], { env: { PATH: process.env.PATH } });
  await postfix('start');
  const master = () => Number(readFileSync(join(queue, 'pid', 'master.pid'), 'latin1'));
  const watchers = new Set<FSWatcher>();
  const log = () => (existsSync(logFile) ? readFileSync(logFile, 'latin1') : '');

  return {
    port,
    secondPort,
    master,
    log,
    logged: (pattern, lines = 1) =>
      new Promise((resolve) => {
        const watcher = watch(folder, look);
        watchers.add(watcher);
        function look(): void {
          const found = log()
            .split('\n')
            .filter((line) => pattern.test(line));
          if (found.length < lines) return;
          watcher.close();
          watchers.delete(watcher);
          resolve(found);
        }
        look();
      }),
    async queue() {
      const { stdout } = await runFile('postqueue', ['-c', config, '-j']);
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line));
    },
    async flush() {
      await runFile('postqueue', ['-c', config, '-f']);
    },
    async stop() {
      for (const watcher of watchers) watcher.close();
      const group = master();
      await postfix('stop');
      // All of them are in the group that the master leads; each is gone when it has finished what it is at.
      while (readdirSync('/proc').some((name) => groupOf(name) === group)) await sleep(10);
    },
  };
}

/** The last one of each name: of one that is there twice every process warns at its start, and postlogd can do so to itself and wait for ever. */
function settled(lines: readonly string[]): readonly string[] {
  return [...new Map(lines.map((line) => [line.split('=')[0]?.trim(), line])).values()];
}

function mainSettings(folder: string): string[] {
  return [
    'compatibility_level = 3.6',
    `queue_directory = ${folder}/queue`,
    `data_directory = ${folder}/lib`,
    `maillog_file = ${folder}/maillog`,
    `maillog_file_prefixes = ${folder}`,
    'syslog_name = postfix',
    'myhostname = mx.example.org',
    'lmtp-one_destination_recipient_limit = 1',
    'mynetworks = 127.0.0.0/8',
    'inet_interfaces = 127.0.0.1',
    'inet_protocols = ipv4',
    // As for a client anywhere: nothing is added to a message and nothing in it is rewritten.
    'local_header_rewrite_clients =',
    'address_verify_map =',
    'address_verify_poll_delay = 1s',
    'alias_maps =',
    'alias_database =',
    'forward_path =',
    'biff = no',
    'in_flow_delay = 0',
    // Nothing is to be looked up outside.
    'smtp_dns_support_level = disabled',
    'smtputf8_enable = yes',
  ];
}

function services(port: number, secondPort: number, further: readonly string[], own: readonly string[]): string {
  const smtpd = (at: number) => `127.0.0.1:${at} inet n - n - - smtpd`;
  return `${[
    smtpd(port),
    smtpd(secondPort),
    ...further.map((option) => `  -o ${option}`),
    'pickup    unix  n - n 60    1 pickup',
    'cleanup   unix  n - n -     0 cleanup',
    'qmgr      unix  n - n 300   1 qmgr',
    'tlsmgr    unix  - - n 1000? 1 tlsmgr',
    'rewrite   unix  - - n -     - trivial-rewrite',
    'bounce    unix  - - n -     0 bounce',
    'defer     unix  - - n -     0 bounce',
    'trace     unix  - - n -     0 bounce',
    'verify    unix  - - n -     1 verify',
    'flush     unix  n - n 1000? 0 flush',
    'proxymap  unix  - - n -     - proxymap',
    'smtp      unix  - - n -     - smtp',
    'showq     unix  n - n -     - showq',
    'error     unix  - - n -     - error',
    'retry     unix  - - n -     - error',
    'discard   unix  - - n -     - discard',
    'local     unix  - n n -     - local',
    'virtual   unix  - n n -     - virtual',
    'lmtp      unix  - - n -     - lmtp',
    // X-Original-To on top says what the recipient was before aliases; that takes one recipient at a time.
    'lmtp-one  unix  - - n -     - lmtp',
    '  flags=O',
    'anvil     unix  - - n -     1 anvil',
    'scache    unix  - - n -     1 scache',
    'postlog   unix-dgram n - n - 1 postlogd',
    ...own,
  ].join('\n')}\n`;
}

/** Process group, of a process as it is called in /proc. */
function groupOf(pid: string): number | undefined {
  if (!/^\d+$/.test(pid)) return undefined;
  try {
    return Number(/^\d+ \(.*\) \S \d+ (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1]);
  } catch {
    return undefined; // gone meanwhile
  }
}
