/**
 * What can be announced to who came in some way, before anybody is asked. Of a domain that is decided by the way a client came, what its worker
 * said last; of the house what every account has, since nobody here may look at all of them.
 */

import { wantedKinds } from '../directory/passwd/announced.ts';
import { passwordOnly } from '../directory/schemes/scheme.ts';
import { type DomainName, parseDomainName } from '../model/address.ts';
import type { Arrival, ProofKind } from '../model/directory.ts';

/** How long the answer may lag behind a domain's files. */
const LASTS_MS = 5000;
/** How long who is the first to come waits for the answer. */
const PATIENCE_MS = 5000;
/** Anybody can ask for names. */
const MOST_KNOWN = 10_000;

export interface KnownKindsOptions {
  readonly mechanisms: 'auto' | readonly string[];
  readonly domainOfAddress: (arrival: Arrival) => DomainName | undefined;
  /** Asks the domain's worker, which answers by `learnt`. Never rejects: what goes wrong is of no interest. */
  readonly askAbout: (name: DomainName) => Promise<void>;
  readonly now: () => number;
}

export class KnownKinds {
  readonly #options: KnownKindsOptions;
  readonly #wanted: ReadonlySet<ProofKind> | undefined;
  readonly #known = new Map<DomainName, { kinds: ReadonlySet<ProofKind>; askedAtMs: number }>();
  /** First questions about a domain, until they are answered. */
  readonly #asking = new Map<DomainName, Promise<void>>();

  constructor(options: KnownKindsOptions) {
    this.#options = options;
    this.#wanted = wantedKinds(options.mechanisms);
  }

  /** Resolves when the domain of this arrival was asked about, or doesn't answer; `undefined`: there is nothing to wait for. */
  ready(arrival: Arrival): Promise<void> | undefined {
    const name = this.#nameOf(arrival);
    if (name === undefined) return undefined;
    if (!this.#known.has(name)) this.#kindsOf(name);
    return this.#asking.get(name);
  }

  of(arrival: Arrival): ReadonlySet<ProofKind> {
    const name = this.#nameOf(arrival);
    const kinds = name === undefined ? passwordOnly : this.#kindsOf(name);
    return this.#wanted === undefined ? kinds : kinds.intersection(apop).union(this.#wanted);
  }

  learnt(name: DomainName, kinds: ReadonlySet<ProofKind>): void {
    this.#keep(name, kinds);
  }

  #nameOf(arrival: Arrival): DomainName | undefined {
    const { serverName } = arrival;
    return this.#options.domainOfAddress(arrival) ?? (serverName === undefined ? undefined : parseDomainName(serverName));
  }

  #kindsOf(name: DomainName): ReadonlySet<ProofKind> {
    const known = this.#known.get(name);
    const isFresh = known !== undefined && Math.abs(this.#options.now() - known.askedAtMs) < LASTS_MS;
    if (isFresh) return known.kinds;
    const kinds = known?.kinds ?? passwordOnly;
    // Noted at once: one question at a time.
    this.#keep(name, kinds);
    const answered = this.#options.askAbout(name);
    if (known === undefined) this.#asking.set(name, this.#within(name, answered));
    return kinds;
  }

  async #within(name: DomainName, answered: Promise<void>): Promise<void> {
    let limit: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      limit = setTimeout(resolve, PATIENCE_MS);
    });
    await Promise.race([answered, patience]);
    clearTimeout(limit);
    this.#asking.delete(name);
  }

  #keep(name: DomainName, kinds: ReadonlySet<ProofKind>): void {
    this.#known.delete(name);
    this.#known.set(name, { kinds, askedAtMs: this.#options.now() });
    if (this.#known.size <= MOST_KNOWN) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}

const apop: ReadonlySet<ProofKind> = new Set(['apop']);
