/** Tells the log when guessing at an account or in a network begins to make strangers wait, and when it is over: two lines, however many guesses. */
import type { Log } from '../model/log.ts';
import type { Clock } from './clock.ts';
import type { Pressure } from './pressure.ts';

export interface AttacksOptions {
  readonly accounts: Pressure;
  readonly networks: Pressure;
  readonly log: Log;
  readonly clock: Clock;
}

interface Attack {
  readonly sinceMs: number;
  failures: number;
}

/** Attacks watched at a time, of either kind; of more nothing is told. */
const MOST_WATCHED = 1000;
const LOOK_AGAIN_MS = 10_000;

export class Attacks {
  readonly #options: AttacksOptions;
  readonly #accounts = new Map<string, Attack>();
  readonly #networks = new Map<string, Attack>();
  #cancel: (() => void) | undefined;

  constructor(options: AttacksOptions) {
    this.#options = options;
  }

  /** Accounts that somebody is guessing at. */
  get size(): number {
    return this.#accounts.size;
  }

  /** Called after each failure that counts. */
  noteAccount(account: string): void {
    const { accounts, log } = this.#options;
    if (this.#note(this.#accounts, accounts, account)) log.warn('throttle.account-attacked', { account });
  }

  noteNetwork(network: string): void {
    const { networks, log } = this.#options;
    if (this.#note(this.#networks, networks, network)) log.warn('throttle.network-attacked', { network });
  }

  stop(): void {
    this.#cancel?.();
  }

  /** @returns whether it begins */
  #note(watched: Map<string, Attack>, pressure: Pressure, key: string): boolean {
    const attack = watched.get(key);
    if (attack !== undefined) {
      attack.failures++;
      return false;
    }
    const { clock } = this.#options;
    if (watched.size >= MOST_WATCHED || !pressure.isAttacked(key, clock.now())) return false;
    watched.set(key, { sinceMs: clock.now(), failures: 1 });
    this.#lookAgain();
    return true;
  }

  #lookAgain(): void {
    const { accounts, networks, clock, log } = this.#options;
    this.#cancel ??= clock.after(LOOK_AGAIN_MS, () => {
      this.#cancel = undefined;
      const nowMs = clock.now();
      for (const [account, { sinceMs, failures }] of this.#accounts) {
        if (!accounts.isCalm(account, nowMs)) continue;
        this.#accounts.delete(account);
        log.info('throttle.account-calm', { account, failures, forS: Math.round((nowMs - sinceMs) / 1000) });
      }
      for (const [network, { sinceMs, failures }] of this.#networks) {
        if (!networks.isCalm(network, nowMs)) continue;
        this.#networks.delete(network);
        log.info('throttle.network-calm', { network, failures, forS: Math.round((nowMs - sinceMs) / 1000) });
      }
      if (this.#accounts.size + this.#networks.size > 0) this.#lookAgain();
    });
  }
}
