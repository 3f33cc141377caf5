/** What a connection costs that does nothing. */
import { peers, withPeer } from './arena.ts';
import { benchLogins } from './mailboxes.ts';
import { holdConnections } from './pop3Load.ts';
import { memoryOf } from './processTree.ts';
import type { Cell, Table } from './table.ts';

const kinds = [
  { name: 'before login', count: 2000 },
  { name: 'logged in', count: 1000 },
] as const;

export async function benchConnections(): Promise<Table> {
  const logins = benchLogins(1000);
  const rows: Cell[][] = [];
  for (const peer of peers()) {
    await withPeer(peer, { format: 'maildir', messages: 10, size: 300, logins }, async ({ peer: { pid, pop3Port } }) => {
      const target = { host: '127.0.0.1', port: pop3Port };
      for (const { name, count } of kinds) {
        const options = { target, count, ...(name === 'logged in' ? { logins } : {}) };
        // A few first, for the code they load; not as many as are measured, whose memory would be there already.
        await (await holdConnections({ ...options, count: 50 })).close();
        const before = memoryOf(pid);
        const held = await holdConnections(options);
        const during = memoryOf(pid);
        await held.close();
        rows.push([peer.name, name, count, (during.pssKb - before.pssKb) / count, during.pssKb / 1024, during.processes]);
      }
    });
  }
  return {
    title: 'Idle connections: memory of the process tree (PSS)',
    columns: ['server', 'state', 'connections', 'kB for each more', 'MB in all', 'processes'],
    rows,
  };
}
