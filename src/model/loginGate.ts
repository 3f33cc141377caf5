/**
 * What slows down guessing. It is asked before a proof is looked at and told the outcome after it, so that under attack a right password
 * waits as long as a wrong one and nobody learns anything from the wait.
 */
import type { Text } from '../texts/index.ts';
import type { Account, Claim, Proof } from './directory.ts';
import { Fault } from './fault.ts';

/** Who is at the door. */
export interface Visitor {
  /** Of the client, also behind PROXY protocol. */
  readonly remoteAddress: string;
  /** A proxy of the host that speaks for itself: neither held back nor counted. */
  readonly isProxy: boolean;
}

/** Somebody who says who they are, and how they mean to show it. */
export interface Attempt extends Visitor {
  readonly claim: Claim;
  readonly proof: Proof;
  /** `USER`, `APOP` or the SASL mechanism: one mail program always comes with the same. */
  readonly method: string;
  readonly tls: boolean;
  /** Who asks for it waits no longer than this for an answer, in ms; left out: as long as it takes. */
  readonly patienceMs?: number;
}

export interface LoginGate {
  /** To be called before the proof is looked at. A passage at once where nothing has to be waited for. @throws Throttled */
  enter(attempt: Attempt): Passage | Waiting;
  /** Counts a login that failed before there was a proof to look at. */
  turnedAway(visitor: Visitor): Failure;
}

export interface Waiting {
  /** Rejects with Throttled once it was given up. */
  readonly passage: Promise<Passage>;
  /** The client is gone: its place is free for others. */
  giveUp(): void;
}

/** One attempt whose proof may be looked at. One of the three outcomes must be told; `ended` may also follow `succeeded`. */
export interface Passage {
  /** The proof doesn't hold, or the account may not come in. */
  failed(): Failure;
  /**
   * It holds, and a session begins that lasts until `ended`; or nothing does that would have to be counted.
   * @throws Throttled when the account has as many sessions as it may have
   */
  succeeded(account: Account, begins?: 'session' | 'nothing'): void;
  /** The session is over, or nothing was found out about the proof. To be called any number of times. */
  ended(): void;
}

export interface Failure {
  /** So long after the command the -ERR may go out. */
  readonly heldBackMs: number;
  /** The same wrong password as before from the same source: a program that nobody has told the new one yet, rather than a guess. */
  readonly isRepeated: boolean;
}

/** A login that failed, and what the gate says about it. */
export class FailedLogin extends Fault {
  readonly failure: Failure;
  /** As typed; `undefined` where the client didn't get as far as a name. */
  readonly login: string | undefined;

  constructor({ kind, text, values, cause }: Fault, failure: Failure, login: string | undefined) {
    super(kind, text, { values, cause });
    this.failure = failure;
    this.login = login;
  }
}

/** Refused without a look at the proof, or at once after it: trying again later helps. */
export class Throttled extends Fault {
  /** So long after the command the -ERR may go out. */
  readonly heldBackMs: number;

  constructor(text: Text, heldBackMs: number) {
    super('temporary', text);
    this.heldBackMs = heldBackMs;
  }
}

const free: Passage = { failed: () => atOnce, succeeded() {}, ended() {} };
const atOnce: Failure = { heldBackMs: 0, isRepeated: false };

/** Lets everybody in at once: for tests, and for tools that no stranger can reach. */
export const openGate: LoginGate = { enter: () => free, turnedAway: () => atOnce };
