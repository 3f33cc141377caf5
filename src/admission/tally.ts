/** How often something happened lately, by key: each time adds one, and time takes one back every `forgetMs`. */
import { RecentMap } from './recentMap.ts';

export interface TallyOptions {
  readonly forgetMs: number;
  /** A level never grows beyond it, or it would stay high for hours after. */
  readonly most: number;
  /** Keys; beyond that those to which nothing happened for longest are forgotten. */
  readonly capacity: number;
}

interface Mark {
  level: number;
  atMs: number;
}

/** A level as it was at a moment. */
export interface TallyEntry {
  readonly key: string;
  readonly level: number;
  readonly atMs: number;
}

export class Tally {
  readonly #options: TallyOptions;
  readonly #marks: RecentMap<string, Mark>;

  constructor(options: TallyOptions) {
    this.#options = options;
    this.#marks = new RecentMap(options.capacity);
  }

  get size(): number {
    return this.#marks.size;
  }

  /** From 0 to `most`, with fractions. */
  level(key: string, nowMs: number): number {
    const mark = this.#marks.get(key);
    return mark === undefined ? 0 : this.#faded(mark, nowMs);
  }

  /** @returns the level from now on */
  add(key: string, nowMs: number): number {
    const mark = this.#marks.get(key);
    const level = Math.min(this.#options.most, (mark === undefined ? 0 : this.#faded(mark, nowMs)) + 1);
    this.put({ key, level, atMs: nowMs });
    return level;
  }

  /** As if it had come to this. */
  put({ key, level, atMs }: TallyEntry): void {
    this.#marks.set(key, { level: Math.min(level, this.#options.most), atMs });
  }

  /** Those that have faded away are left out. */
  *entries(nowMs: number): Generator<TallyEntry> {
    for (const [key, mark] of this.#marks) {
      const level = this.#faded(mark, nowMs);
      if (level > 0) yield { key, level, atMs: nowMs };
    }
  }

  #faded(mark: Mark, nowMs: number): number {
    // The clock was set back: time is counted from there on.
    if (nowMs < mark.atMs) mark.atMs = nowMs;
    return Math.max(0, mark.level - (nowMs - mark.atMs) / this.#options.forgetMs);
  }
}
