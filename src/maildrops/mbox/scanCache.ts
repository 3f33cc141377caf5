/** Scans by path, as many as fit; the one that wasn't asked for longest goes first. */
import type { Scan } from './scan.ts';

export class ScanCache {
  readonly #limit: number;
  readonly #scans = new Map<string, Scan>();
  #octets = 0;

  /** `limit`: octets of memory. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get(path: string): Scan | undefined {
    const scan = this.#scans.get(path);
    if (scan === undefined) return undefined;
    this.#scans.delete(path);
    this.#scans.set(path, scan);
    return scan;
  }

  set(path: string, scan: Scan): void {
    this.delete(path);
    this.#scans.set(path, scan);
    this.#octets += scan.weight;
    for (const [oldest, dropped] of this.#scans) {
      if (this.#octets <= this.#limit) return;
      this.#scans.delete(oldest);
      this.#octets -= dropped.weight;
    }
  }

  delete(path: string): void {
    const scan = this.#scans.get(path);
    if (scan === undefined) return;
    this.#scans.delete(path);
    this.#octets -= scan.weight;
  }
}
