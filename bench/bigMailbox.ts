/** One mbox of 500 MB with 50,000 messages. */
import { join } from 'node:path';
import { median, peers, ratios, withPeer } from './arena.ts';
import { appendToMbox, benchLogins, domain } from './mailboxes.ts';
import { type BigMailboxTimes, bigMailbox } from './pop3Load.ts';
import type { Table } from './table.ts';

const messages = 50_000;
const size = 10_000;

export async function benchBigMailbox(): Promise<Table> {
  const logins = benchLogins(1);
  const [login] = logins;
  if (login === undefined) throw new Error('no login');
  const measured: { name: string; times: number[] }[] = [];
  for (const peer of peers()) {
    const stage = { format: 'mbox', messages, size, logins } as const;
    await withPeer(peer, stage, async ({ peer: { pop3Port }, spool }) => {
      const target = { host: '127.0.0.1', port: pop3Port };
      const path = join(spool, domain, 'user0');
      const cold = await bigMailbox({ target, login, messages });
      const warm: BigMailboxTimes[] = [];
      const appended: BigMailboxTimes[] = [];
      for (let n = 0; n < 3; n++) warm.push(await bigMailbox({ target, login, messages }));
      for (let n = 0; n < 3; n++) {
        appendToMbox(path, messages + n, size);
        appended.push(await bigMailbox({ target, login, messages }));
      }
      const halved = await bigMailbox({ target, login, messages: messages + appended.length, deleteEverySecond: true });
      measured.push({ name: peer.name, times: [listed(cold), median(warm.map(listed)), median(appended.map(listed)), halved.quitMs] });
    });
  }
  const steps = ['cold', 'warm', 'after one append', 'QUIT, every second one deleted'];
  return {
    title: 'mbox of 500 MB with 50,000 messages: ms to open it and list it (PASS, UIDL, LIST), and to leave it',
    columns: ['step', ...measured.map(({ name }) => `${name}, ms`), ...measured.slice(1).map(({ name }) => `${name}, times ours`)],
    rows: steps.map((step, index) => {
      const times = measured.map((each) => each.times[index] ?? Number.NaN);
      return [step, ...times, ...ratios(times).slice(1)];
    }),
  };
}

function listed({ openMs, uidlMs, listMs }: BigMailboxTimes): number {
  return openMs + uidlMs + listMs;
}
