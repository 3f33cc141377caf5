/** RETR of everything. */
import { median, peers, ratios, withPeer } from './arena.ts';
import { benchLogins, type Format } from './mailboxes.ts';
import { retrieveAll } from './pop3Load.ts';
import { measure } from './processTree.ts';
import type { Table } from './table.ts';

const rounds = 5;
const messages = 2000;

export async function benchRetrieval(format: Format): Promise<Table> {
  const logins = benchLogins(1);
  const measured: { name: string; megabytes: number; cpu: number }[] = [];
  for (const peer of peers()) {
    await withPeer(peer, { format, messages, size: 50_000, logins }, async ({ peer: { pid, pop3Port } }) => {
      const load = { target: { host: '127.0.0.1', port: pop3Port }, logins, connections: 1, messages };
      await retrieveAll(load);
      const results = [];
      for (let round = 0; round < rounds; round++) results.push(await measure(pid, () => retrieveAll(load)));
      measured.push({
        name: peer.name,
        megabytes: median(results.map(({ result, seconds }) => result / 1e6 / seconds)),
        cpu: median(results.map(({ result, cpuSeconds }) => cpuSeconds / (result / 1e9))),
      });
    });
  }
  const cpu = ratios(measured.map((each) => each.cpu));
  return {
    title: `RETR, ${format}: ${messages} messages × 50 kB, one connection (median of ${rounds})`,
    columns: ['server', 'MB/s', 'CPU s per GB', 'CPU, times ours'],
    rows: measured.map(({ name, megabytes, cpu: seconds }, index) => [name, megabytes, seconds, cpu[index]]),
  };
}
