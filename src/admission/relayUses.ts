/** Accounts for which having fetched mail was enough to send, so that the host can see who still needs that. */
import type { RelayUse } from '../model/report.ts';
import { RecentMap } from './recentMap.ts';

export interface RelayUsesOptions {
  readonly capacity: number;
  readonly rememberedMs: number;
}

const DAY_MS = 86_400_000;

export class RelayUses {
  readonly #options: RelayUsesOptions;
  readonly #uses: RecentMap<string, RelayUse>;

  constructor(options: RelayUsesOptions) {
    this.#options = options;
    this.#uses = new RecentMap(options.capacity);
  }

  /** @returns whether it is the account's first of this day (UTC) */
  note(account: string, source: string, nowMs: number): boolean {
    const known = this.#uses.get(account);
    if (known !== undefined && dayOf(known.atMs) === dayOf(nowMs)) return false;
    this.#uses.set(account, { account, source, atMs: nowMs });
    return true;
  }

  put(use: RelayUse): void {
    const known = this.#uses.get(use.account);
    if (known === undefined || known.atMs < use.atMs) this.#uses.set(use.account, use);
  }

  *entries(nowMs: number): Generator<RelayUse> {
    for (const [, use] of this.#uses) if (nowMs - use.atMs <= this.#options.rememberedMs) yield use;
  }
}

function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}
