/**
 * Which ways to log in can be announced before anybody has said who they are: those that every account can honour which could be
 * meant. A client takes the strongest that is on offer and doesn't ask twice, so one account that can't is one that is locked out.
 *
 * Where the way a client came in decides the domain (its local address, or a TLS name that is a domain of ours), the accounts of that
 * domain count, although another domain may be typed; else those of the whole house. Accounts that can't log in at all don't count.
 * Nor do verifiers in accounts/<user>.toml: looking for them would be a read for each account.
 */
import type { DomainName } from '../../model/address.ts';
import type { Arrival, ProofKind } from '../../model/directory.ts';
import { provedBy } from '../schemes/index.ts';
import { everyProof, passwordOnly } from '../schemes/scheme.ts';
import type { Domain, Domains } from './domains.ts';
import type { FieldForms } from './lines.ts';
import type { PasswordRule } from './storedPassword.ts';

/** How long the house's answer may lag behind a domain that nobody has logged in to. */
const SURVEY_LASTS_MS = 5000;
/** Domains looked at before other work gets its turn. */
const SLICE = 64;

export interface AnnouncedOptions {
  readonly domains: Domains;
  readonly ruleOf: (domain: Domain) => PasswordRule;
  /** What a house without accounts can honour. */
  readonly whenEmpty: ReadonlySet<ProofKind>;
  /** `auto`, or names of SASL mechanisms that the host wants announced in any case. */
  readonly mechanisms: 'auto' | readonly string[];
  /** System users log in with passwords only. */
  readonly hasSystemUsers: boolean;
  readonly domainOfAddress: (arrival: Arrival) => DomainName | undefined;
  readonly hostedName: (name: string) => DomainName | undefined;
  readonly now: () => number;
}

export interface Announced {
  proofKinds(arrival: Arrival): ReadonlySet<ProofKind>;
  /** A domain was read anew: what was found out about the house may be wrong by now. */
  outdated(): void;
}

export function createAnnounced(options: AnnouncedOptions): Announced {
  const { domains, now } = options;
  const { mechanisms } = options;
  const wanted = wantedKinds(mechanisms);
  let house: ReadonlySet<ProofKind> | undefined;
  let surveyedAtMs = Number.NEGATIVE_INFINITY;
  let underWay = false;
  let stale = false;

  /** `undefined`: nobody can log in there, so it doesn't matter. */
  function kindsOf(domain: Domain | 'loading' | undefined): ReadonlySet<ProofKind> | undefined {
    // What every account has; the truth is known in a moment.
    if (domain === 'loading') return passwordOnly;
    return domain && kindsByForm(domain.passwd.forms, options.ruleOf(domain));
  }

  /** Goes through the house, `pause` by `pause`, and ends at the first domain after which nothing is left to find out. */
  function* survey(): Generator<void, ReadonlySet<ProofKind>> {
    let kinds: ReadonlySet<ProofKind> | undefined;
    for (const [index, name] of domains.names().entries()) {
      if (index % SLICE === SLICE - 1) yield;
      const domain = domains.peek(name);
      const ofDomain = kindsOf(domain);
      if (ofDomain === undefined) continue;
      kinds = kinds?.intersection(ofDomain) ?? ofDomain;
      if (kinds.size === passwordOnly.size) return kinds;
    }
    return kinds ?? options.whenEmpty;
  }

  function surveyAtOnce(): ReadonlySet<ProofKind> {
    for (const steps = survey(); ; ) {
      const step = steps.next();
      if (step.done) return step.value;
    }
  }

  function surveyInSlices(): void {
    underWay = true;
    stale = false;
    const steps = survey();
    const slice = () => {
      const step = steps.next();
      if (!step.done) {
        setImmediate(slice);
        return;
      }
      house = step.value;
      surveyedAtMs = now();
      underWay = false;
    };
    setImmediate(slice);
  }

  function kindsOfHouse(): ReadonlySet<ProofKind> {
    if (options.hasSystemUsers) return passwordOnly;
    if (house === undefined) {
      house = surveyAtOnce();
      surveyedAtMs = now();
      stale = false;
    } else if (!underWay && (stale || Math.abs(now() - surveyedAtMs) >= SURVEY_LASTS_MS)) surveyInSlices();
    return house;
  }

  function honoured(arrival: Arrival): ReadonlySet<ProofKind> {
    const { serverName } = arrival;
    const name = options.domainOfAddress(arrival) ?? (serverName === undefined ? undefined : options.hostedName(serverName));
    return name === undefined ? kindsOfHouse() : (kindsOf(domains.peek(name)) ?? options.whenEmpty);
  }

  return {
    proofKinds(arrival) {
      const kinds = honoured(arrival);
      return wanted === undefined ? kinds : kinds.intersection(apop).union(wanted);
    },
    outdated() {
      stale = true;
    },
  };
}

function kindsByForm(forms: FieldForms, rule: PasswordRule): ReadonlySet<ProofKind> | undefined {
  const { dollar, desInTwoFields, other, schemes } = forms;
  const clearDes = rule.kind === 'plain' && rule.ofDomain;
  const sets: ReadonlySet<ProofKind>[] = [];
  if (dollar || (desInTwoFields && !clearDes) || (other && rule.kind === 'crypt')) sets.push(passwordOnly);
  if ((other && rule.kind === 'plain') || (desInTwoFields && clearDes)) sets.push(everyProof);
  for (const scheme of schemes) {
    const proves = provedBy(scheme);
    if (proves.size > 0) sets.push(proves);
  }
  return sets.length === 0 ? undefined : sets.reduce((all, some) => all.intersection(some));
}

const apop: ReadonlySet<ProofKind> = new Set(['apop']);

/** What the host wants announced whatever the accounts can honour; `undefined`: nothing. */
export function wantedKinds(mechanisms: 'auto' | readonly string[]): ReadonlySet<ProofKind> | undefined {
  return mechanisms === 'auto' ? undefined : new Set<ProofKind>(['password', ...mechanisms.flatMap(kindOfMechanism)]);
}

function kindOfMechanism(name: string): ProofKind[] {
  const base = name.toLowerCase().replace(/-plus$/, '');
  return [...everyProof].filter((kind) => kind === base);
}
