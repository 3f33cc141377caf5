/**
 * From one address to all that it stands for: accounts of ours, and addresses elsewhere. Each address is looked at once, however many ways lead
 * to it; a way that comes back to where it has been is a loop, and ends there.
 */
import { type DomainName, parseDomainName, parseUserName } from '../model/address.ts';
import { type Account, type HostedDomain, noAccountRules, type Step } from '../model/directory.ts';
import { type EnvelopeAddress, parseEnvelopeAddress } from '../model/envelopeAddress.ts';
import { Fault } from '../model/fault.ts';
import { hostedDomain } from './hostedDomain.ts';
import type { Destination, ResolverOptions } from './resolver.ts';
import { type Found, type Question, rulesOf } from './rules.ts';
import { Undeliverable } from './undeliverable.ts';

/** Addresses on one way, and looked at in all: an owner's mistake must not keep us busy. */
const MOST_ON_THE_WAY = 10;
const MOST_ADDRESSES = 1000;

/** Why nothing came of an address; `undefined`: something did. */
type Nothing = Fault | undefined;

export class Expansion {
  readonly steps: Step[] = [];
  readonly #options: ResolverOptions;
  readonly #destinations = new Map<string, Destination>();
  readonly #done = new Map<string, Nothing>();
  readonly #way: string[] = [];

  constructor(options: ResolverOptions) {
    this.#options = { ...options, directory: askedOnce(options.directory) };
  }

  get destinations(): readonly Destination[] {
    return [...this.#destinations.values()];
  }

  /** @param by whose mail goes on to this address; `undefined`: it is the one that the mail came for. @throws Fault temporary */
  async visit(raw: string, by: HostedDomain | undefined): Promise<Nothing> {
    const recipient = this.#read(raw);
    this.steps.push({ rule: 'address', outcome: recipient ? `user ${recipient.local}, domain ${recipient.domain}` : 'no address' });
    if (recipient === undefined) return new Undeliverable('5.1.3', 'this is no mail address');
    const domain = await hostedDomain(recipient.domain, this.#options, this.steps);
    if (domain !== undefined) return this.#visitOnce({ recipient, domain });
    if (by === undefined) return new Undeliverable('5.7.1', 'we do not take mail for that domain');
    this.#add(`forward ${recipient.local}@${recipient.domain.toLowerCase()}`, { kind: 'forward', address: raw, by });
    return undefined;
  }

  /** RFC 5321 section 4.5.1: `postmaster` needs no domain. */
  #read(raw: string): EnvelopeAddress | undefined {
    const { defaultDomain } = this.#options;
    if (raw.toLowerCase() === 'postmaster' && defaultDomain !== undefined) return { local: raw, domain: defaultDomain };
    const address = parseEnvelopeAddress(raw);
    return address && this.#meantBy(address);
  }

  /** An owner's .forward file can name an address elsewhere, and nothing that says whose mail it is; the internal domain does. */
  #meantBy(address: EnvelopeAddress): EnvelopeAddress {
    const { internalDomain } = this.#options;
    const at = address.local.lastIndexOf('--');
    if (internalDomain === undefined || at < 1 || parseDomainName(address.domain) !== internalDomain) return address;
    return { local: address.local.slice(0, at), domain: address.local.slice(at + 2) };
  }

  async #visitOnce(question: Question): Promise<Nothing> {
    const { local } = question.recipient;
    const key = `${parseUserName(local) ?? local.toLowerCase()}@${question.domain.name}`;
    if (this.#way.includes(key) || this.#way.length >= MOST_ON_THE_WAY) return this.#loops();
    if (this.#done.has(key)) return this.#done.get(key);
    if (this.#done.size >= MOST_ADDRESSES) throw new Undeliverable('4.4.6', 'this address stands for too many others');
    this.#way.push(key);
    try {
      const nothing = await this.#tryRules(question);
      this.#done.set(key, nothing);
      return nothing;
    } finally {
      this.#way.pop();
    }
  }

  async #tryRules(question: Question): Promise<Nothing> {
    for (const rule of rulesOf(this.#options)) {
      const found = await rule.find(question, this.#options);
      this.steps.push({ rule: rule.name, outcome: found ? inWords(found) : 'does not apply' });
      if (found === undefined) continue;
      const nothing = await this.#follow(found, question);
      if (found.kind === 'domain' && nothing?.kind === 'not-found') continue;
      return nothing;
    }
    return new Undeliverable('5.1.1', 'no such user here');
  }

  #follow(found: Found, question: Question): Promise<Nothing> {
    if (found.kind === 'account') return this.#meet(found.account, question.domain);
    if (found.kind === 'addresses') return this.#goOn(found.targets, question.domain);
    return this.#inOtherDomain(question, found.name);
  }

  async #inOtherDomain({ recipient, domain }: Question, name: DomainName): Promise<Nothing> {
    if ((await this.#options.directory.domain(name)) !== undefined) return this.visit(sameUser(recipient, name), domain);
    return new Fault('temporary', 'internal error', {
      cause: new Error(`${domain.name} is an alias of ${name}, which is not a domain of ours`),
    });
  }

  async #meet(account: Account, domain: HostedDomain): Promise<Nothing> {
    const { name } = account.mailbox;
    if (!account.services.has('receive')) {
      // A mailbox may be closed for new mail and still be read.
      this.steps.push({ rule: 'services', outcome: 'takes no mail' });
      return new Undeliverable('5.2.1', 'this mailbox takes no mail');
    }
    const { forward, keepsCopy } = account.rules ?? noAccountRules;
    let keeps = true;
    if (forward.length > 0) {
      this.steps.push({ rule: 'forward', outcome: `${forward.join(', ')}${keepsCopy ? ', and a copy is kept' : ''}` });
      // Whatever its owner meant, mail that nobody else has stays here.
      keeps = (await this.#anyOf(forward, domain)) !== undefined || keepsCopy;
    }
    this.#add(`account ${name}`, { kind: 'account', account, keeps });
    return undefined;
  }

  async #goOn(targets: readonly string[], domain: HostedDomain): Promise<Nothing> {
    const nothing = await this.#anyOf(targets, domain);
    if (nothing === undefined || nothing.kind !== 'not-found') return nothing;
    // The host or owner meant mail to be taken: a slip of theirs must not bounce it.
    return new Fault('temporary', 'internal error', { cause: new Error(`none of ${targets.join(', ')} is there`) });
  }

  /** Why none of them came to anything; one that did is enough. */
  async #anyOf(targets: readonly string[], by: HostedDomain): Promise<Nothing> {
    let any = false;
    let nothing: Nothing;
    for (const target of targets) {
      const why = await this.visit(target, by);
      if (why === undefined) any = true;
      else {
        this.steps.push({ rule: 'left out', outcome: `${target}: ${why.message}` });
        nothing ??= why;
      }
    }
    return any ? undefined : nothing;
  }

  #loops(): Fault {
    this.steps.push({ rule: 'loop', outcome: [...this.#way, '…'].join(' → ') });
    return new Undeliverable('4.4.6', 'mail forwarding loop');
  }

  #add(key: string, destination: Destination): void {
    if (!this.#destinations.has(key)) this.#destinations.set(key, destination);
  }
}

/** Each domain is asked about once: most ways lead back to the one they come from, and to ask can take a message to its owner's worker. */
function askedOnce(directory: ResolverOptions['directory']): ResolverOptions['directory'] {
  const domains = new Map<DomainName, Promise<HostedDomain | undefined>>();
  return {
    domain(name) {
      const asked = domains.get(name) ?? directory.domain(name);
      domains.set(name, asked);
      return asked;
    },
    account: (address) => directory.account(address),
    alias: (address) => directory.alias(address),
    pattern: (address) => directory.pattern(address),
  };
}

function inWords(found: Found): string {
  if (found.kind === 'account') return found.account.mailbox.name;
  return found.kind === 'domain' ? found.name : `${found.name}: ${found.targets.join(', ')}`;
}

function sameUser({ local }: EnvelopeAddress, domain: DomainName): string {
  return /^[^"@\s\\<>]+$/.test(local) ? `${local}@${domain}` : `"${local.replace(/["\\]/g, '\\$&')}"@${domain}`;
}
