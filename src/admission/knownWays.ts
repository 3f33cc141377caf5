/**
 * Ways by which accounts were logged in to: who comes the same way again is taken for the owner, however many strangers guess. POP3 has no
 * cookie to give; a source and the habits of a mail program stand in for one.
 */
import { RecentMap } from './recentMap.ts';

export interface WaysOptions {
  readonly rememberedMs: number;
  /** How old a way may grow before its use is written down again. */
  readonly refreshMs: number;
  readonly perAccount: number;
  /** Ways in all; beyond that those of the accounts are forgotten that had no news for longest. */
  readonly capacity: number;
  /** Failures by a known way that are nobody's affair but its own. */
  readonly allowance: number;
  readonly most: number;
  readonly forgetMs: number;
}

/** `near`: the same source with another device, or the same device elsewhere in the source's network. */
export type Familiarity = 'known' | 'near' | 'stranger';

/** Who comes, and how. */
export interface Approach {
  readonly source: string;
  readonly network: string;
  readonly device: number;
}

interface Way extends Approach {
  usedMs: number;
  failures: number;
  failedMs: number;
}

export interface WayEntry {
  readonly account: string;
  readonly source: string;
  readonly device: number;
  readonly usedMs: number;
}

export class KnownWays {
  readonly #options: WaysOptions;
  readonly #accounts: RecentMap<string, readonly Way[]>;

  constructor(options: WaysOptions) {
    this.#options = options;
    this.#accounts = new RecentMap(options.capacity, (ways) => ways.length);
  }

  get size(): number {
    return this.#accounts.size;
  }

  /** A way that fails again and again may have a guesser on it: it is only near then. */
  familiarity(account: string, approach: Approach, nowMs: number): Familiarity {
    let found: Familiarity = 'stranger';
    for (const way of this.#accounts.get(account) ?? []) {
      if (nowMs - way.usedMs > this.#options.rememberedMs) continue;
      const isSource = way.source === approach.source;
      const isDevice = way.device === approach.device;
      if (isSource && isDevice && this.#failures(way, nowMs) < this.#options.allowance) return 'known';
      if (isSource || (isDevice && way.network === approach.network)) found = 'near';
    }
    return found;
  }

  /** @returns whether that is news, which it is not for a way used within a day */
  succeeded(account: string, approach: Approach, nowMs: number): boolean {
    const way = this.#find(account, approach);
    if (way !== undefined && nowMs >= way.usedMs && nowMs - way.usedMs < this.#options.refreshMs) return false;
    this.#write(account, approach, nowMs, way);
    return true;
  }

  /** @returns whether the failure is the known way's own affair, rather than a stranger's */
  failed(account: string, approach: Approach, nowMs: number): boolean {
    const way = this.#find(account, approach);
    if (way === undefined || nowMs - way.usedMs > this.#options.rememberedMs) return false;
    const before = this.#failures(way, nowMs);
    way.failures = Math.min(this.#options.most, before + 1);
    way.failedMs = nowMs;
    return before < this.#options.allowance;
  }

  /** As if it had been used then. */
  put(account: string, approach: Approach, usedMs: number): void {
    const way = this.#find(account, approach);
    if (way === undefined || way.usedMs < usedMs) this.#write(account, approach, usedMs, way);
  }

  /** What is too old to count is left out. */
  *entries(nowMs: number): Generator<WayEntry> {
    for (const [account, ways] of this.#accounts) {
      for (const { source, device, usedMs } of ways) {
        if (nowMs - usedMs <= this.#options.rememberedMs) yield { account, source, device, usedMs };
      }
    }
  }

  #find(account: string, { source, device }: Approach): Way | undefined {
    return this.#accounts.get(account)?.find((way) => way.device === device && way.source === source);
  }

  #write(account: string, { source, network, device }: Approach, usedMs: number, known: Way | undefined): void {
    const ways = this.#accounts.get(account) ?? [];
    if (known !== undefined) {
      known.usedMs = usedMs;
      this.#accounts.set(account, ways);
      return;
    }
    const kept = ways.length < this.#options.perAccount ? ways : withoutOldest(ways);
    this.#accounts.set(account, [...kept, { source, network, device, usedMs, failures: 0, failedMs: 0 }]);
  }

  #failures(way: Way, nowMs: number): number {
    if (nowMs < way.failedMs) way.failedMs = nowMs;
    return Math.max(0, way.failures - (nowMs - way.failedMs) / this.#options.forgetMs);
  }
}

function withoutOldest(ways: readonly Way[]): readonly Way[] {
  const oldest = ways.reduce((found, way) => (way.usedMs < found.usedMs ? way : found));
  return ways.filter((way) => way !== oldest);
}
