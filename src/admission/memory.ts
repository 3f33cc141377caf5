/** What is remembered of failures and successes, whichever front saw them. */
import { type Approach, KnownWays } from './knownWays.ts';
import { policy } from './policy.ts';
import { Pressure } from './pressure.ts';
import { RecentTable } from './recentTable.ts';
import { RelayUses } from './relayUses.ts';
import { type PasswordMark, Repeats } from './repeats.ts';
import { Tally } from './tally.ts';

/** A failed attempt, as far as it is counted. */
export interface Guess {
  /** `undefined`: of nobody who could exist. */
  readonly account: string | undefined;
  readonly approach: Approach;
  /** `undefined`: the proof was none that can be told apart from others. */
  readonly password: PasswordMark | undefined;
}

export class Memory {
  readonly sources: Tally;
  readonly guessers = new Tally(policy.guessers);
  readonly accounts = new Pressure(policy.accounts);
  readonly networks = new Pressure(policy.networks);
  readonly ways = new KnownWays(policy.ways);
  readonly repeats = new Repeats(policy.repeats);
  readonly recent: RecentTable;
  readonly relays = new RelayUses(policy.relays);
  /** Grows with each change that would be worth keeping over a restart. */
  changes = 0;

  /**
   * @param most level at which the delay of failed replies is as long as it gets
   * @param recentMs how long who fetched mail may send; 0: not at all
   */
  constructor(most: number, recentMs: number) {
    this.sources = new Tally({ ...policy.sources, most });
    const { capacity, refreshMs } = policy.recent;
    this.recent = new RecentTable({ lastsMs: recentMs, capacity, refreshMs: Math.min(refreshMs, recentMs / 10) });
  }

  /** @returns false for the same wrong password once more, which is not counted */
  failed({ account, approach, password }: Guess, nowMs: number): boolean {
    if (password !== undefined && this.repeats.tried(password, nowMs)) return false;
    const { source, network } = approach;
    this.sources.add(source, nowMs);
    this.guessers.add(source, nowMs);
    // The host's own addresses are no network of strangers.
    if (!isLoopback(source)) this.networks.failed(network, nowMs);
    if (account !== undefined && !this.ways.failed(account, approach, nowMs)) this.accounts.failed(account, nowMs);
    this.changes++;
    return true;
  }

  /** @returns whether the others should know */
  succeeded(account: string, approach: Approach, nowMs: number): boolean {
    const isNews = this.ways.succeeded(account, approach, nowMs);
    if (isNews) this.changes++;
    return isNews;
  }

  /** Mail was fetched. @returns whether the others should know */
  fetched(source: string, account: string, nowMs: number): boolean {
    const isNews = this.recent.note(source, account, nowMs);
    if (isNews) this.changes++;
    return isNews;
  }

  /** @returns whether it is the account's first of this day */
  relayed(account: string, source: string, nowMs: number): boolean {
    const isFirst = this.relays.note(account, source, nowMs);
    if (isFirst) this.changes++;
    return isFirst;
  }
}

function isLoopback(source: string): boolean {
  return source.startsWith('127.') || source === '0:0:0:0::/64';
}
