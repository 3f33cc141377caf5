/** Collects news for a moment, so that a flood of them is few messages. */
import type { Clock } from './clock.ts';
import { beginNews, type News, writeNews } from './news.ts';
import type { RecordWriter } from './octetRecords.ts';

export interface GossipOptions {
  readonly batchMs: number;
  /** Of a message. What doesn't fit is not told: the others know less, and nothing else. */
  readonly octets: number;
  readonly clock: Clock;
  publish(octets: Buffer): void;
}

export class Gossip {
  readonly #options: GossipOptions;
  #writer: RecordWriter | undefined;
  #cancel: (() => void) | undefined;

  constructor(options: GossipOptions) {
    this.#options = options;
  }

  /** @param isUrgent whether it is told at once, where nothing was told for a while */
  tell(news: News, isUrgent = false): void {
    const { batchMs, clock, octets } = this.#options;
    this.#writer ??= beginNews();
    if (this.#writer.length >= octets) return;
    writeNews(this.#writer, news);
    if (isUrgent && this.#cancel === undefined) this.#send();
    this.#cancel ??= clock.after(batchMs, () => this.#send());
  }

  /** What was collected is told at once. */
  flush(): void {
    this.#cancel?.();
    this.#send();
  }

  #send(): void {
    this.#cancel = undefined;
    const octets = this.#writer?.take();
    this.#writer = undefined;
    if (octets !== undefined) this.#options.publish(octets);
  }
}
