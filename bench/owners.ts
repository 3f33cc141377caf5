/** Domains that belong to different Unix users, beside one owner of all mail. Everything runs at the same time and is measured in turn. */
import { median, type Peer, peers, ratios, release, type Setting, type Stage, withPeer } from './arena.ts';
import { deliverAll } from './lmtpLoad.ts';
import { benchLogins, loginsInTurn, ownedDomains } from './mailboxes.ts';
import { mailChecks, retrieveAll } from './pop3Load.ts';
import { measure } from './processTree.ts';
import type { Table } from './table.ts';

const rounds = 7;
const owners = 50;
const mailboxes = 200;

interface Entrant {
  readonly name: string;
  readonly peer: Peer;
  readonly stage: Stage;
  /** Part of the work that it does, where it takes too long otherwise. */
  readonly share: number;
  /** Rounds that don't count: fifty workers have to compile what they do, each for itself. */
  readonly warmUps: number;
}

interface Results {
  readonly name: string;
  /** Medians of the rounds: units of work a second, and CPU seconds for one. */
  readonly perSecond: number;
  readonly cpu: number;
  /** CPU of each round. */
  readonly rounds: readonly number[];
}

/** @param beside folder of another release, which is measured with one owner in its fronts. So are those below. */
export async function benchOwnersChecks(beside?: string): Promise<Table> {
  const results = await compete(
    entrants({ messages: 10, size: 3000, users: mailboxes, asInstalled: true, beside }),
    async ({ peer, logins }, share) => {
      const count = Math.round(3000 * share);
      await mailChecks({ target: { host: '127.0.0.1', port: peer.pop3Port }, logins, connections: 32, count });
      return count;
    },
  );
  return table(
    `Mail checks with owners, maildir: ${mailboxes} mailboxes × 10 messages, 32 connections`,
    'checks/s',
    'CPU ms per check',
    1000,
    results,
  );
}

export async function benchOwnersRetrieval(beside?: string): Promise<Table> {
  const results = await compete(entrants({ messages: 100, size: 50_000, users: owners, beside }), async ({ peer, logins }) => {
    const octets = await retrieveAll({ target: { host: '127.0.0.1', port: peer.pop3Port }, logins, connections: 4, messages: 100 });
    return octets / 1e6;
  });
  return table(
    `RETR with owners, maildir: ${owners} mailboxes × 100 messages × 50 kB, 4 connections`,
    'MB/s',
    'CPU s per GB',
    1000,
    results,
  );
}

export async function benchOwnersDeliveries(beside?: string): Promise<Table> {
  const results = await compete(entrants({ messages: 1, size: 3000, users: mailboxes, beside }), async ({ peer, logins }) => {
    const recipients = logins.map(({ user }) => user);
    await deliverAll({ target: { host: '127.0.0.1', port: peer.lmtpPort }, recipients, connections: 20, messages: 1000, size: 4000 });
    return 1000;
  });
  return table(
    `LMTP with owners, maildir: 1000 messages × 4 kB into ${mailboxes} mailboxes, 20 connections`,
    'messages/s',
    'CPU ms per message',
    1000,
    results,
  );
}

/** The first is what the others are compared with. */
function entrants(of: { messages: number; size: number; users: number; asInstalled?: boolean; beside: string | undefined }): Entrant[] {
  const { messages, size, users, asInstalled = false, beside } = of;
  const [postkasse, ...others] = peers({ asInstalled });
  if (postkasse === undefined) return [];
  const common = { format: 'maildir', messages, size } as const;
  const among = (count: number): Stage => {
    const domains = ownedDomains(count, users);
    return { ...common, domains, logins: loginsInTurn(domains) };
  };
  const one: Stage = { ...common, logins: benchLogins(users) };
  return [
    { name: 'postkasse, one owner in the fronts', peer: postkasse, stage: one, share: 1, warmUps: 4 },
    ...(beside === undefined ? [] : [{ name: 'the same of the other release', peer: release(beside), stage: one, share: 1, warmUps: 4 }]),
    { name: 'postkasse, a worker for 1 owner', peer: postkasse, stage: among(1), share: 1, warmUps: 4 },
    { name: `postkasse, workers for ${owners} owners`, peer: postkasse, stage: among(owners), share: 1, warmUps: 4 },
    ...others.map((peer) => ({
      name: `${peer.name}, ${owners} owners`,
      peer,
      stage: among(owners),
      share: peer.name === 'dovecot as installed' ? 0.1 : 1,
      warmUps: 1,
    })),
  ];
}

/** @param work resolves with how many units it did */
async function compete(all: readonly Entrant[], work: (setting: Setting, share: number) => Promise<number>): Promise<Results[]> {
  const [first, ...rest] = all;
  if (first === undefined) return [];
  const results = new Map(all.map(({ name }) => [name, { perSecond: [] as number[], cpu: [] as number[] }]));
  const settings: [Entrant, Setting][] = [];

  async function enter({ peer, stage }: Entrant, next: readonly Entrant[]): Promise<void> {
    await withPeer(peer, stage, async (setting) => {
      settings.push([all[settings.length] as Entrant, setting]);
      const [following, ...others] = next;
      if (following !== undefined) await enter(following, others);
      else await run();
    });
  }

  async function run(): Promise<void> {
    for (const [{ share, warmUps }, setting] of settings) for (let n = 0; n < warmUps; n++) await work(setting, share);
    for (let round = 0; round < rounds; round++) {
      for (const [{ name, share }, setting] of round % 2 === 0 ? settings : settings.toReversed()) {
        const { result, seconds, cpuSeconds } = await measure(setting.peer.pid, () => work(setting, share));
        results.get(name)?.perSecond.push(result / seconds);
        results.get(name)?.cpu.push(cpuSeconds / result);
      }
    }
  }

  await enter(first, rest);
  return [...results].map(([name, { perSecond, cpu }]) => ({ name, perSecond: median(perSecond), cpu: median(cpu), rounds: cpu }));
}

function table(title: string, speed: string, cost: string, scale: number, results: readonly Results[]): Table {
  const cpu = ratios(results.map((each) => each.cpu));
  return {
    title: `${title} (median of ${rounds})`,
    columns: ['server', speed, cost, 'CPU, times the first', 'in half of the rounds'],
    rows: results.map((each, index) => [each.name, each.perSecond, each.cpu * scale, cpu[index], spread(each, results[0])]),
  };
}

/** What lies between the quartiles, each round compared with the same round of the first: how much of a ratio is noise. */
function spread({ rounds: cpu }: Results, first: Results | undefined): string | undefined {
  if (first === undefined || cpu === first.rounds) return undefined;
  const each = cpu.map((seconds, round) => seconds / (first.rounds[round] ?? Number.NaN)).sort((a, b) => a - b);
  const quarter = Math.floor(each.length / 4);
  return [each[quarter], each[each.length - 1 - quarter]].map((ratio) => ratio?.toPrecision(3)).join(' to ');
}
