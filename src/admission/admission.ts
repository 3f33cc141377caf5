/** Throttling in one front: its own tables, what the others tell it, and what it tells them. */
import { createHmac, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import type { ConnectionCounts } from '../model/connectionCounts.ts';
import type { Log } from '../model/log.ts';
import type { LoginGate } from '../model/loginGate.ts';
import { type Networks, networkOf, plainAddress, sourceOf } from '../model/networks.ts';
import type { RecentLogins } from '../model/recentLogins.ts';
import type { RelayUse } from '../model/report.ts';
import { Attacks } from './attacks.ts';
import type { ClaimRules } from './claimKey.ts';
import type { Clock } from './clock.ts';
import { Gate, mostFailures } from './gate.ts';
import { Gossip } from './gossip.ts';
import { Memory } from './memory.ts';
import { readNews } from './news.ts';
import { policy } from './policy.ts';
import { SharedCounts } from './sharedCounts.ts';
import { restoreInto, snapshotOf } from './snapshot.ts';

export interface AdmissionOptions {
  /** How login names are read, as the directory does it. */
  readonly rules: ClaimRules;
  /** Before -ERR on a wrong password, in ms; doubles up to 15 s. 0: nobody waits, neither before nor after. */
  readonly failureDelayMs: number;
  readonly maxConnectionsPerAccount: number;
  /** How long who fetched mail may send (POP before SMTP), in ms; 0: not at all. */
  readonly recentLoginMs: number;
  /** Clients from there are neither held back nor counted. */
  readonly exemptNetworks: Networks;
  /** How many fronts there are, this one included. */
  readonly fronts: number;
  /** Whether attacks are told to the log here: in one of the fronts. */
  readonly logs: boolean;
  /** What all fronts share, 32 octets. */
  readonly secret: Buffer;
  readonly log: Log;
  readonly clock: Clock;
  /** To the other fronts, whose `receive` takes it. May get lost. Never more than 61,500 octets, every 50 ms at most. */
  publish(octets: Buffer): void;
}

export interface AdmissionControl {
  readonly gate: LoginGate;
  readonly recentLogins: RecentLogins;
  /** Mail was fetched from there: who comes from there may send for a while. @param address a plain one */
  remember(address: string, account: string): void;
  /** Connections by source, in all fronts together; the same for the same `table`, a name of what is counted. `limit`: the one it is for. */
  connections(table: string, limit: number): ConnectionCounts;
  /** Tells the fronts of the next settings what happened since they read the file: who fetched mail a moment ago is to send on. */
  handOver(): void;
  /** What another front published, or anything else: what can't be understood is passed over. */
  receive(octets: Buffer): void;
  /** All that should outlive a restart. */
  snapshot(): Buffer;
  /** @returns false for octets that are no snapshot; nothing is taken from them */
  restore(octets: Buffer): boolean;
  /** Grows with each change that a new snapshot would hold. */
  readonly changes: number;
  /** For reports: accounts that sent by having fetched mail, within a month; the latest first. */
  relays(): readonly RelayUse[];
  /** For reports: sources that failed lately, and accounts that somebody is guessing at (known where attacks are logged). */
  figures(): { readonly sources: number; readonly accounts: number };
  /** Tells what was to be told, and starts nothing more. */
  stop(): void;
}

export function createAdmission(options: AdmissionOptions): AdmissionControl {
  const { clock, fronts, log, logs } = options;
  const front = randomBytes(4).readUInt32BE();
  const memory = new Memory(mostFailures(options.failureDelayMs), options.recentLoginMs);
  const attacks = new Attacks({ accounts: memory.accounts, networks: memory.networks, log, clock });
  const gossip = new Gossip({ ...policy.gossip, clock, publish: options.publish });
  const tables = new Map<string, SharedCounts>();

  function tell(...news: Parameters<Gossip['tell']>): void {
    if (fronts > 1) gossip.tell(...news);
  }

  function countsOf(table: string, limit: number): SharedCounts {
    const made = tables.get(table);
    if (made !== undefined) return made;
    const { untoldShare, heartbeatMs, forgottenMs, fronts: mostFronts, heard: mostHeard } = policy.counts;
    const counts = new SharedCounts({
      limit,
      fronts,
      untoldShare,
      heartbeatMs,
      forgottenMs,
      mostFronts,
      mostHeard,
      clock,
      tell: (key, connections) => tell({ kind: 'count', front, table, key, connections }),
    });
    tables.set(table, counts);
    return counts;
  }

  function noteAttacks(account: string | undefined, network: string): void {
    if (!logs) return;
    if (account !== undefined) attacks.noteAccount(account);
    attacks.noteNetwork(network);
  }

  const gate = new Gate({
    memory,
    rules: options.rules,
    failureDelayMs: options.failureDelayMs,
    maxConnectionsPerAccount: options.maxConnectionsPerAccount,
    connections: countsOf('account', options.maxConnectionsPerAccount),
    exemptNetworks: options.exemptNetworks,
    fronts,
    key: createHmac('sha256', options.secret).update('wrong passwords').digest(),
    clock,
    onGuess({ account, approach: { source, network, device }, password }) {
      tell({ kind: 'failure', account, source, device, password });
      noteAttacks(account, network);
    },
    onWay: (account, { source, device }) => tell({ kind: 'way', account, source, device }),
  });

  return {
    gate,
    recentLogins: {
      has(address) {
        const nowMs = clock.now();
        const plain = plainAddress(address);
        if (isIP(plain) === 0) return false;
        const source = sourceOf(plain);
        const account = memory.recent.find(source, nowMs);
        if (account === undefined) return false;
        if (memory.relayed(account, source, nowMs)) {
          // At once, as it is rare: else two fronts could both say it.
          tell({ kind: 'relayed', account, source }, true);
          log.info('relay.recent-login', { account, remote: plain });
        }
        return true;
      },
    },
    remember(address, account) {
      const source = sourceOf(address);
      const atMs = clock.now();
      // Who waited for it sends in the next moment.
      if (memory.fetched(source, account, atMs)) tell({ kind: 'fetched', account, source, atMs }, true);
    },
    relays: () => [...memory.relays.entries(clock.now())].sort((a, b) => b.atMs - a.atMs).slice(0, policy.relays.shown),
    handOver() {
      const nowMs = clock.now();
      for (const login of memory.recent.entries(nowMs)) {
        if (nowMs - login.atMs <= policy.recent.handedOverMs) gossip.tell({ kind: 'fetched', ...login });
      }
      gossip.flush();
    },
    connections: countsOf,
    receive(octets) {
      const nowMs = clock.now();
      for (const news of readNews(octets)) {
        if (news.kind === 'count') {
          if (news.front !== front) tables.get(news.table)?.heard(news.front, news.key, news.connections);
          continue;
        }
        if (news.kind === 'fetched' || news.kind === 'relayed') {
          const { account, source } = news;
          if (news.kind === 'fetched') memory.recent.put({ account, source, atMs: Math.min(news.atMs, nowMs) });
          else memory.relays.put({ account, source, atMs: nowMs });
          memory.changes++;
          continue;
        }
        const { account, source, device } = news;
        const approach = { source, network: networkOf(source), device };
        if (news.kind === 'way') memory.succeeded(news.account, approach, nowMs);
        else if (memory.failed({ account, approach, password: news.password }, nowMs)) noteAttacks(account, approach.network);
      }
    },
    snapshot: () => snapshotOf(memory, clock.now()),
    restore: (octets) => restoreInto(memory, octets, clock.now()),
    get changes() {
      return memory.changes;
    },
    figures() {
      let sources = 0;
      for (const _ of memory.sources.entries(clock.now())) sources++;
      return { sources, accounts: attacks.size };
    },
    stop() {
      for (const counts of tables.values()) counts.stop();
      attacks.stop();
      gossip.flush();
    },
  };
}
