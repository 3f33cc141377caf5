/** The load that Postfix brings along: smtp-source(1) speaks LMTP, each message over a connection that stays, and every one is looked for in its mailbox afterwards. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { peers, ratios, withPeer } from './arena.ts';
import { benchLogins, domain, type Format, localPart } from './mailboxes.ts';
import { measure } from './processTree.ts';
import type { Table } from './table.ts';

const messages = 20_000;
const mailboxes = 100;
const sessions = 20;
const program = '/usr/sbin/smtp-source';

export async function benchSmtpSource(format: Format): Promise<Table> {
  const title = `smtp-source, ${format}: ${messages} messages × 4 kB through LMTP into ${mailboxes} mailboxes, ${sessions} sessions`;
  const columns = ['server', 'messages/s', 'speed, times ours', 'CPU ms per message', 'messages in the mailboxes'];
  if (!existsSync(program)) return { title: `${title}: not measured, Postfix is not installed`, columns, rows: [] };
  const logins = benchLogins(mailboxes);
  const measured: { name: string; perSecond: number; cpuMs: number; found: number }[] = [];
  for (const peer of peers()) {
    await withPeer(peer, { format, messages: 1, size: 3000, logins }, async ({ peer: { pid, lmtpPort }, spool }) => {
      const users = logins.map(({ user }) => user);
      const { seconds, cpuSeconds } = await measure(pid, () => pourInto(users, lmtpPort));
      const found = users.reduce((sum, user) => sum + messagesIn(join(spool, domain, localPart(user)), format), 0) - mailboxes;
      measured.push({ name: peer.name, perSecond: messages / seconds, cpuMs: (cpuSeconds * 1000) / messages, found });
    });
  }
  const speed = ratios(measured.map(({ perSecond }) => perSecond));
  return {
    title,
    columns,
    rows: measured.map(({ name, perSecond, cpuMs, found }, index) => [name, perSecond, speed[index], cpuMs, found]),
  };
}

/** So many programs at a time, each for one mailbox after the other: -N and -r would make up names of their own. */
async function pourInto(users: readonly string[], port: number): Promise<void> {
  const waiting = [...users];
  const one = async () => {
    for (let user = waiting.shift(); user !== undefined; user = waiting.shift()) await pour(user, port);
  };
  await Promise.all(Array.from({ length: sessions }, one));
}

/** @throws where a message wasn't taken */
async function pour(user: string, port: number): Promise<void> {
  const options = [
    '-L',
    '-d',
    '-s',
    '1',
    '-m',
    String(messages / mailboxes),
    '-l',
    '4000',
    '-f',
    'sender@example.org',
    '-M',
    'bench.example.org',
  ];
  const child = spawn(program, [...options, '-t', user, `inet:127.0.0.1:${port}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [status] = (await once(child, 'exit')) as [number | null];
  if (status !== 0) throw new Error(`smtp-source for ${user}: status ${status}`);
}

function messagesIn(path: string, format: Format): number {
  if (format === 'maildir') return ['new', 'cur'].reduce((sum, folder) => sum + readdirSync(join(path, folder)).length, 0);
  if (!statSync(path).isFile()) return 0;
  return readFileSync(path, 'latin1').match(/(?:^|\n\n)From /g)?.length ?? 0;
}
