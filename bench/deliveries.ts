/** LMTP, 250 only when the message is on disc: fsync on both sides. */
import { median, peers, ratios, withPeer } from './arena.ts';
import { deliverAll } from './lmtpLoad.ts';
import { benchLogins, type Format } from './mailboxes.ts';
import { measure } from './processTree.ts';
import type { Table } from './table.ts';

const rounds = 5;
const messages = 2000;

export async function benchDeliveries(format: Format, connections: number): Promise<Table> {
  const logins = benchLogins(200);
  const measured: { name: string; perSecond: number; cpuMs: number }[] = [];
  for (const peer of peers()) {
    await withPeer(peer, { format, messages: 1, size: 3000, logins }, async ({ peer: { pid, lmtpPort } }) => {
      const recipients = logins.map(({ user }) => user);
      const load = { target: { host: '127.0.0.1', port: lmtpPort }, recipients, connections, messages, size: 4000 };
      await deliverAll({ ...load, messages: 400 });
      const results = [];
      for (let round = 0; round < rounds; round++) results.push(await measure(pid, () => deliverAll(load)));
      measured.push({
        name: peer.name,
        perSecond: median(results.map(({ seconds }) => messages / seconds)),
        cpuMs: median(results.map(({ cpuSeconds }) => (cpuSeconds * 1000) / messages)),
      });
    });
  }
  const speed = ratios(measured.map(({ perSecond }) => perSecond));
  return {
    title: `LMTP, ${format}: ${messages} messages × 4 kB into 200 mailboxes, ${connections} connections (median of ${rounds})`,
    columns: ['server', 'messages/s', 'speed, times ours', 'CPU ms per message'],
    rows: measured.map(({ name, perSecond, cpuMs }, index) => [name, perSecond, speed[index], cpuMs]),
  };
}
