/** Sources that mail was fetched from lately, each with the account it was last fetched for. */
import { RecentMap } from './recentMap.ts';

export interface RecentTableOptions {
  /** 0: nothing is remembered. */
  readonly lastsMs: number;
  /** Sources; beyond that those are forgotten that fetched nothing for longest. */
  readonly capacity: number;
  /** A login is no news to the others before the last one they know of is so old. */
  readonly refreshMs: number;
}

export interface RecentLogin {
  readonly source: string;
  readonly account: string;
  /** ms since 1970. */
  readonly atMs: number;
}

interface Entry extends RecentLogin {
  readonly toldMs: number;
}

export class RecentTable {
  readonly #options: RecentTableOptions;
  readonly #entries: RecentMap<string, Entry>;

  constructor(options: RecentTableOptions) {
    this.#options = options;
    this.#entries = new RecentMap(options.capacity);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** @returns whether the others should know */
  note(source: string, account: string, nowMs: number): boolean {
    const { lastsMs, refreshMs } = this.#options;
    if (lastsMs === 0) return false;
    const known = this.#entries.get(source);
    const isNews = known?.account !== account || nowMs < known.toldMs || nowMs - known.toldMs >= refreshMs;
    this.#entries.set(source, { source, account, atMs: nowMs, toldMs: isNews ? nowMs : known.toldMs });
    return isNews;
  }

  /** The account that mail was fetched for from there, unless that was too long ago. */
  find(source: string, nowMs: number): string | undefined {
    const entry = this.#entries.get(source);
    return entry !== undefined && this.#isRecent(entry, nowMs) ? entry.account : undefined;
  }

  /** As if it had been noted then; an older one than what is known changes nothing. */
  put({ source, account, atMs }: RecentLogin): void {
    const known = this.#entries.get(source);
    if (this.#options.lastsMs === 0 || (known !== undefined && known.atMs >= atMs)) return;
    this.#entries.set(source, { source, account, atMs, toldMs: atMs });
  }

  *entries(nowMs: number): Generator<RecentLogin> {
    for (const [, { toldMs: _, ...entry }] of this.#entries) if (this.#isRecent(entry, nowMs)) yield entry;
  }

  /** A clock that was set back makes nobody's time longer than it is. */
  #isRecent({ atMs }: RecentLogin, nowMs: number): boolean {
    return Math.abs(nowMs - atMs) < this.#options.lastsMs;
  }
}
