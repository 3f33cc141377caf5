/** What most sessions are: look whether there is mail, and go. */
import { median, peers, ratios, withPeer } from './arena.ts';
import { benchLogins, type Format } from './mailboxes.ts';
import { mailChecks } from './pop3Load.ts';
import { measure } from './processTree.ts';
import type { Table } from './table.ts';

const rounds = 5;

export async function benchMailChecks(format: Format): Promise<Table> {
  const logins = benchLogins(200);
  const measured: { name: string; perSecond: number; cpuMs: number }[] = [];
  for (const peer of peers({ asInstalled: true })) {
    const count = peer.name === 'dovecot as installed' ? 400 : 4000;
    const stage = { format, messages: 10, size: 3000, logins };
    await withPeer(peer, stage, async ({ peer: { pid, pop3Port } }) => {
      const load = { target: { host: '127.0.0.1', port: pop3Port }, logins, connections: 32 };
      await mailChecks({ ...load, count: 400 });
      const results = [];
      for (let round = 0; round < rounds; round++) results.push(await measure(pid, () => mailChecks({ ...load, count })));
      measured.push({
        name: peer.name,
        perSecond: median(results.map(({ seconds }) => count / seconds)),
        cpuMs: median(results.map(({ cpuSeconds }) => (cpuSeconds * 1000) / count)),
      });
    });
  }
  const cpu = ratios(measured.map(({ cpuMs }) => cpuMs));
  return {
    title: `Mail checks, ${format}: USER PASS STAT UIDL LIST QUIT, 200 mailboxes × 10 messages, 32 connections (median of ${rounds})`,
    columns: ['server', 'checks/s', 'CPU ms per check', 'CPU, times ours'],
    rows: measured.map(({ name, perSecond, cpuMs }, index) => [name, perSecond, cpuMs, cpu[index]]),
  };
}
