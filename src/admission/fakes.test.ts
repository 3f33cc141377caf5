/** Time that a test moves, and fronts that hear each other. */
import type { UserName } from '../model/address.ts';
import { parseDomainName } from '../model/address.ts';
import type { Account, Proof } from '../model/directory.ts';
import type { Log, LogFields } from '../model/log.ts';
import { type Attempt, type Failure, type Passage, Throttled, type Waiting } from '../model/loginGate.ts';
import { Networks } from '../model/networks.ts';
import { type AdmissionControl, type AdmissionOptions, createAdmission } from './admission.ts';
import type { Clock } from './clock.ts';

interface Timer {
  readonly dueAt: number;
  readonly id: number;
  act: (() => void) | undefined;
}

export class FakeClock implements Clock {
  ms: number;
  /** Of timers: goes on whatever is done to `ms`. */
  #elapsed = 0;
  #next = 0;
  /** A heap: the one that is due first is on top. */
  readonly #heap: Timer[] = [];

  constructor(ms = Date.UTC(2026, 0, 1)) {
    this.ms = ms;
  }

  get timers(): number {
    return this.#heap.filter(({ act }) => act !== undefined).length;
  }

  now(): number {
    return this.ms;
  }

  after(ms: number, act: () => void): () => void {
    const timer: Timer = { dueAt: this.#elapsed + ms, id: this.#next++, act };
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    for (let parent = (at - 1) >> 1; at > 0 && isBefore(timer, heap[parent]); at = parent, parent = (at - 1) >> 1) {
      heap[at] = heap[parent] as Timer;
      heap[parent] = timer;
    }
    return () => {
      timer.act = undefined;
    };
  }

  /** Timers that come due act in their order, each at its moment. */
  pass(ms: number): void {
    const end = this.#elapsed + ms;
    for (let first = this.#heap[0]; first !== undefined && first.dueAt <= end; first = this.#heap[0]) {
      this.#removeFirst();
      this.#moveTo(first.dueAt);
      first.act?.();
    }
    this.#moveTo(end);
  }

  #moveTo(elapsed: number): void {
    this.ms += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Timer, heap[child])) child++;
      if (child >= heap.length || isBefore(last, heap[child])) break;
      heap[at] = heap[child] as Timer;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(one: Timer, other: Timer | undefined): boolean {
  return other !== undefined && (one.dueAt < other.dueAt || (one.dueAt === other.dueAt && one.id < other.id));
}

export interface Front {
  readonly admission: AdmissionControl;
  readonly events: [string, LogFields][];
}

export interface Fronts {
  readonly clock: FakeClock;
  readonly fronts: readonly Front[];
  /** Messages from front to fronts so far. */
  readonly published: Buffer[];
}

/** As many as wanted; each hears what the others publish. */
export function makeFronts(count: number, options: Partial<AdmissionOptions> = {}, clock = new FakeClock()): Fronts {
  const published: Buffer[] = [];
  const fronts: Front[] = [];
  for (let n = 0; n < count; n++) {
    const events: [string, LogFields][] = [];
    const add = (event: string, fields: LogFields = {}) => void events.push([event, fields]);
    const log: Log = { debug: add, info: add, warn: add, error: add };
    const admission = createAdmission({
      rules: { delimiters: '@%', options: true, defaultDomain: parseDomainName('example.org'), addresses: new Map() },
      failureDelayMs: 2000,
      maxConnectionsPerAccount: 20,
      exemptNetworks: new Networks(),
      recentLoginMs: 30 * 60_000,
      fronts: count,
      logs: n === 0,
      secret: Buffer.alloc(32, 7),
      log,
      clock,
      publish(octets) {
        published.push(octets);
        for (const other of fronts) if (other.admission !== admission) other.admission.receive(Buffer.from(octets));
      },
      ...options,
    });
    fronts.push({ admission, events });
  }
  return { clock, fronts, published };
}

export function oneFront(options: Partial<AdmissionOptions> = {}): Front & { readonly clock: FakeClock } {
  const { clock, fronts } = makeFronts(1, options);
  const [front] = fronts;
  if (front === undefined) throw new Error('no front');
  return { ...front, clock };
}

export interface Try {
  readonly from: string;
  readonly login?: string;
  readonly password?: string;
  readonly proof?: Proof;
  readonly method?: string;
  readonly tls?: boolean;
  readonly serverName?: string;
  readonly localAddress?: string;
  readonly isProxy?: boolean;
}

export function attempt({ from, login = 'ada@example.org', password = 'guess', method = 'USER', tls = true, ...more }: Try): Attempt {
  const { proof = { kind: 'password', password: Buffer.from(password) }, serverName, localAddress, isProxy = false } = more;
  return { claim: { login, arrival: { localAddress, serverName, remoteAddress: from } }, method, proof, tls, remoteAddress: from, isProxy };
}

export function accountOf(name = 'ada@example.org'): Account {
  const mailbox = { name, user: name as UserName, domain: undefined, home: undefined, owner: undefined };
  return { mailbox, services: new Set(['pop3']), language: undefined };
}

/** What the gate says to an attempt at once. */
export type Entry = { readonly passage: Passage } | { readonly waiting: Waiting } | { readonly refused: Throttled };

export function enter({ admission }: Pick<Front, 'admission'>, given: Try): Entry {
  try {
    const entered = admission.gate.enter(attempt(given));
    return 'passage' in entered ? { waiting: entered } : { passage: entered };
  } catch (thrown) {
    if (thrown instanceof Throttled) return { refused: thrown };
    throw thrown;
  }
}

/** A wrong password by somebody who needn't wait. */
export function fail(front: Pick<Front, 'admission'>, given: Try): Failure {
  const entry = enter(front, given);
  if (!('passage' in entry)) throw new Error(`${given.from} has to wait`);
  return entry.passage.failed();
}

/** The right password by somebody who needn't wait; the session is over at once. */
export function logIn(front: Pick<Front, 'admission'>, given: Try): void {
  const entry = enter(front, given);
  if (!('passage' in entry)) throw new Error(`${given.from} has to wait`);
  entry.passage.succeeded(accountOf(given.login));
  entry.passage.ended();
}

/** Lets time pass until the gate lets somebody through, and says how many ms that took, in steps of 250; who comes through fails. */
export async function waitOf(front: Front & { readonly clock: FakeClock }, given: Try): Promise<number | 'refused'> {
  const entry = enter(front, given);
  if ('refused' in entry) return 'refused';
  let passage = 'passage' in entry ? entry.passage : undefined;
  if ('waiting' in entry) {
    entry.waiting.passage.then((opened) => {
      passage = opened;
    });
  }
  for (let ms = 0; ; ms += 250) {
    if (passage !== undefined) {
      passage.failed();
      return ms;
    }
    front.clock.pass(250);
    await null;
  }
}
