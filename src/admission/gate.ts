/** Lets attempts to log in pass, makes them wait, or sends them away. Delays only, never a lockout: docs/throttling.md. */

import type { ConnectionCounts } from '../model/connectionCounts.ts';
import type { Account } from '../model/directory.ts';
import { type Attempt, type Failure, type LoginGate, type Passage, Throttled, type Visitor, type Waiting } from '../model/loginGate.ts';
import { type Networks, networkOf, sourceOf } from '../model/networks.ts';
import { type ClaimRules, claimKey, deviceMark } from './claimKey.ts';
import type { Clock } from './clock.ts';
import type { Approach } from './knownWays.ts';
import type { Guess, Memory } from './memory.ts';
import { type Place, Places } from './places.ts';
import { LONGEST_MS, policy } from './policy.ts';
import { passwordMark } from './repeats.ts';

export interface GateOptions {
  readonly memory: Memory;
  readonly rules: ClaimRules;
  /** Delay of a first failed reply, in ms, and of the shortest wait; 0 switches both off. */
  readonly failureDelayMs: number;
  readonly maxConnectionsPerAccount: number;
  /** By account. */
  readonly connections: ConnectionCounts;
  readonly exemptNetworks: Networks;
  /** Among whom the places to wait in are dealt out. */
  readonly fronts: number;
  /** Of wrong passwords. */
  readonly key: Buffer;
  readonly clock: Clock;
  /** Each failure that counts. */
  onGuess(guess: Guess): void;
  /** Each way that is new. */
  onWay(account: string, approach: Approach): void;
}

type Origin = Pick<Approach, 'source' | 'network'>;
/** About 200 octets of memory each. */
const MOST_ORIGINS = 4096;

/** What is known of an attempt from the outside. */
interface Visit {
  readonly attempt: Attempt;
  /** `undefined`: of nobody who could exist. */
  readonly account: string | undefined;
  readonly approach: Approach;
}

export class Gate implements LoginGate {
  readonly #options: GateOptions;
  readonly #places = new Places();
  readonly #refusals = new Map<number, Throttled>();
  /** By address: the same clients come again and again. */
  readonly #origins = new Map<string, Origin>();

  constructor(options: GateOptions) {
    this.#options = options;
  }

  enter(attempt: Attempt): Passage | Waiting {
    const { failureDelayMs, memory, clock } = this.#options;
    if (this.#isExempt(attempt)) return this.#pass(undefined, []);
    const visit = this.#visit(attempt);
    if (failureDelayMs === 0) return this.#pass(visit, []);
    const { account, approach } = visit;
    const nowMs = clock.now();
    const ofAccount = account === undefined ? -1 : memory.accounts.excess(account, nowMs);
    const ofNetwork = memory.networks.excess(approach.network, nowMs);
    if (ofAccount < 0 && ofNetwork < 0) return this.#pass(visit, []);

    const familiarity = account === undefined ? 'stranger' : memory.ways.familiarity(account, approach, nowMs);
    if (familiarity === 'known') return this.#pass(visit, []);
    const isGuesser = memory.guessers.level(approach.source, nowMs) > policy.guessers.allowance;
    const who = familiarity === 'near' ? 'near' : isGuesser ? 'guesser' : 'stranger';
    const places = [...(ofAccount < 0 ? [] : this.#placesAtAccount(visit, who)), ...(ofNetwork < 0 ? [] : this.#placesInNetwork(visit))];
    if (!this.#places.take(places)) throw this.#refusal(this.#heldBackMs(approach.source, nowMs));
    const longMs = waitMs(failureDelayMs, Math.max(ofAccount, ofNetwork));
    return this.#wait(visit, places, who === 'near' ? longMs * policy.nearShare : longMs);
  }

  turnedAway(visitor: Visitor): Failure {
    if (this.#isExempt(visitor)) return this.#exemptFailure();
    return this.#failed({ account: undefined, approach: this.#approach(visitor, 0), password: undefined });
  }

  #isExempt({ isProxy, remoteAddress }: Visitor): boolean {
    return isProxy || this.#options.exemptNetworks.has(remoteAddress);
  }

  #visit(attempt: Attempt): Visit {
    const { claim, method, tls } = attempt;
    return { attempt, account: claimKey(claim, this.#options.rules), approach: this.#approach(attempt, deviceMark(claim, method, tls)) };
  }

  #approach({ remoteAddress }: Visitor, device: number): Approach {
    let origin = this.#origins.get(remoteAddress);
    if (origin === undefined) {
      const source = sourceOf(remoteAddress);
      origin = { source, network: networkOf(source) };
      if (this.#origins.size === MOST_ORIGINS) this.#origins.clear();
      this.#origins.set(remoteAddress, origin);
    }
    return { source: origin.source, network: origin.network, device };
  }

  #placesAtAccount({ account = '', approach: { source, network } }: Visit, who: 'near' | 'stranger' | 'guesser'): Place[] {
    const { account: most } = policy.places;
    return [
      { kind: `${account} ${who}`, most: this.#share(most[who]) },
      { kind: `${account} ${source}`, most: this.#share(most.ofSource) },
      { kind: `${account} ${network}`, most: this.#share(most.ofNetwork) },
    ];
  }

  #placesInNetwork({ approach: { source, network } }: Visit): Place[] {
    const { network: most } = policy.places;
    return [
      { kind: network, most: this.#share(most.all) },
      { kind: source, most: this.#share(most.ofSource) },
    ];
  }

  /** The kernel deals out connections evenly. */
  #share(places: number): number {
    return Math.ceil(places / this.#options.fronts);
  }

  /** One for each of the few delays there are: to make a new one, with its stack, takes longer than all the rest of a refusal. */
  #refusal(heldBackMs: number): Throttled {
    const made = this.#refusals.get(heldBackMs) ?? new Throttled('too many attempts, try again later', heldBackMs);
    this.#refusals.set(heldBackMs, made);
    return made;
  }

  /**
   * The places are kept until the outcome is known: so few proofs at a time are looked at. Who asks with less patience than that is let through
   * sooner, and keeps the places for the whole time: guessing gets no faster by it.
   */
  #wait(visit: Visit, places: readonly Place[], ms: number): Waiting {
    const { promise, resolve, reject } = Promise.withResolvers<Passage>();
    let isOver = false;
    const shortMs = Math.min(ms, visit.attempt.patienceMs ?? ms);
    const cancel = this.#options.clock.after(shortMs, () => {
      isOver = true;
      resolve(this.#pass(visit, places, ms - shortMs));
    });
    return {
      passage: promise,
      giveUp: () => {
        if (isOver) return;
        isOver = true;
        cancel();
        this.#places.give(places);
        reject(this.#refusal(0));
      },
    };
  }

  #pass(visit: Visit | undefined, places: readonly Place[], restMs = 0): Passage {
    const { memory, connections, maxConnectionsPerAccount, clock } = this.#options;
    let holders = 1;
    const letGo = () => {
      holders--;
      if (holders === 0) this.#places.give(places);
    };
    if (restMs > 0) {
      holders++;
      clock.after(restMs, letGo);
    }
    let isUnderWay = true;
    let session: string | undefined;
    if (visit?.account !== undefined) memory.accounts.begin(visit.account);

    const isOver = () => {
      if (!isUnderWay) return;
      isUnderWay = false;
      if (visit?.account !== undefined) memory.accounts.end(visit.account);
      letGo();
    };
    return {
      failed: () => {
        isOver();
        return visit === undefined ? this.#exemptFailure() : this.#failed(this.#guess(visit));
      },
      succeeded: ({ mailbox: { name } }: Account, begins = 'session') => {
        isOver();
        if (visit?.account !== undefined) this.#succeeded(visit.account, visit.approach);
        if (begins === 'nothing') return;
        if (connections.enter(name) > maxConnectionsPerAccount) {
          connections.leave(name);
          throw new Throttled('too many connections for this account, try again later', 0);
        }
        session = name;
      },
      ended: () => {
        isOver();
        if (session !== undefined) connections.leave(session);
        session = undefined;
      },
    };
  }

  #guess({ attempt: { proof }, account, approach }: Visit): Guess {
    const isPassword = proof.kind === 'password' && account !== undefined;
    return {
      account,
      approach,
      password: isPassword ? passwordMark(this.#options.key, approach.source, account, proof.password) : undefined,
    };
  }

  #failed(guess: Guess): Failure {
    const { memory, clock, onGuess } = this.#options;
    const nowMs = clock.now();
    const { source } = guess.approach;
    const before = this.#heldBackMs(source, nowMs);
    if (memory.failed(guess, nowMs)) {
      onGuess(guess);
      return { heldBackMs: before, isRepeated: false };
    }
    return { heldBackMs: this.#delayMs(memory.sources.level(source, nowMs) - 1), isRepeated: true };
  }

  /** One user of a webmail who mistypes a password is not to slow the next. */
  #exemptFailure(): Failure {
    return { heldBackMs: this.#options.failureDelayMs, isRepeated: false };
  }

  #succeeded(account: string, approach: Approach): void {
    const { memory, clock, onWay } = this.#options;
    if (memory.succeeded(account, approach, clock.now())) onWay(account, approach);
  }

  #heldBackMs(source: string, nowMs: number): number {
    return this.#delayMs(this.#options.memory.sources.level(source, nowMs));
  }

  /** Each failure of a source doubles the delay of its next one. */
  #delayMs(level: number): number {
    const { failureDelayMs } = this.#options;
    return Math.min(failureDelayMs * 2 ** Math.max(0, Math.ceil(level)), Math.max(LONGEST_MS, failureDelayMs));
  }
}

/** The level of a source at which its delay is as long as it gets. */
export function mostFailures(failureDelayMs: number): number {
  return failureDelayMs === 0 ? 0 : Math.max(0, Math.ceil(Math.log2(LONGEST_MS / failureDelayMs)));
}

/** Twice as long with every second failure beyond the allowance. */
function waitMs(shortestMs: number, excess: number): number {
  return Math.min(LONGEST_MS, shortestMs * 2 ** (excess / 2));
}
