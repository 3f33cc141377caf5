/** Accounts that live as long as the process, every proof working: for dialogues, tests and a look around. */
import { type Address, type DomainName, formatAddress, type UserName } from '../../model/address.ts';
import { dayAt } from '../../model/day.ts';
import type {
  Account,
  AccountRules,
  Alias,
  Directory,
  HostedDomain,
  ProofKind,
  Service,
  Step,
  UnknownUsers,
} from '../../model/directory.ts';
import { Fault } from '../../model/fault.ts';
import type { Mailbox } from '../../model/mailbox.ts';
import type { Inhabitants } from '../../model/quota.ts';
import { type AliasLine, aliasOf, parseAliases } from '../passwd/aliases.ts';
import { checkProof } from '../proofs.ts';
import { createResolver } from '../resolve.ts';
import { clearText } from '../schemes/plain.ts';
import { everyProof, passwordOnly, type Verifier } from '../schemes/scheme.ts';
import { SCRAM_ITERATIONS } from '../schemes/scram.ts';
import { ScramKeyring } from '../scramKeyring.ts';

export interface MemoryAccount {
  readonly mailbox: Mailbox;
  readonly password: string;
  /** Default: all of them. */
  readonly services?: ReadonlySet<Service>;
  readonly language?: string;
  readonly rules?: AccountRules;
}

export interface MemoryDirectoryOptions {
  /** As if only hashes were kept: nothing but a password proves who somebody is. Default: no. */
  readonly hashedPasswords?: boolean;
  /** Default: `@%`. */
  readonly loginDelimiters?: string;
  readonly defaultDomain?: DomainName;
  readonly addresses?: ReadonlyMap<string, DomainName>;
  /** Domains without an account in them; those of the accounts are hosted anyway. */
  readonly domains?: readonly DomainName[];
  /** Default: bounce. */
  readonly unknownUsers?: UnknownUsers;
  /** What is known of domains beyond their names. */
  readonly rules?: ReadonlyMap<DomainName, Partial<HostedDomain>>;
  /** By domain, as they stand in a file of aliases. */
  readonly aliases?: ReadonlyMap<DomainName, string>;
}

const everyService: ReadonlySet<Service> = new Set(['pop3', 'smtp-auth', 'receive', 'web']);

/** @param accounts by the name of their mailbox; read at each login, so whoever made the map may change it */
export function createMemoryDirectory(
  accounts: ReadonlyMap<string, MemoryAccount>,
  options: MemoryDirectoryOptions = {},
): Directory & Inhabitants {
  const { defaultDomain, hashedPasswords = false } = options;
  const keyring = new ScramKeyring(Buffer.from('a secret of nobody who is real'), 1000);
  const kinds: ReadonlySet<ProofKind> = hashedPasswords ? passwordOnly : everyProof;
  const resolver = createResolver<MemoryAccount>(
    { delimiters: options.loginDelimiters ?? '@%', options: true, defaultDomain, addresses: options.addresses ?? new Map() },
    { hosted: async (domain) => isHosted(domain), account: async (address) => accounts.get(formatAddress(address)), systemUser },
  );

  const aliases = new Map(Array.from(options.aliases ?? [], ([name, text]) => [name, parseAliases(Buffer.from(text))]));

  function standsFor(line: AliasLine | undefined, domain: DomainName): Alias | undefined {
    return line && aliasOf(line, domain, () => dayAt(Date.now(), undefined));
  }

  function isHosted(name: DomainName): boolean {
    if (options.domains?.includes(name)) return true;
    for (const { mailbox } of accounts.values()) if (mailbox.domain === name) return true;
    return name === defaultDomain && [...accounts.values()].some(({ mailbox }) => mailbox.domain === undefined);
  }

  function systemUser(user: UserName): MemoryAccount | undefined {
    const found = accounts.get(user);
    return found?.mailbox.domain === undefined ? found : undefined;
  }

  function accountOf({ mailbox, services = everyService, language, rules }: MemoryAccount): Account {
    return { mailbox, services, language, ...(rules && { rules }) };
  }

  function exactly(address: Address): MemoryAccount | undefined {
    return (address.domain === defaultDomain ? systemUser(address.user) : undefined) ?? accounts.get(formatAddress(address));
  }

  return {
    async authenticate(claim, proof, service) {
      const resolution = await resolver.resolve(claim);
      const { found } = resolution;
      const name = found?.mailbox.name ?? ('name' in resolution ? resolution.name : '');
      const kept = clearText(Buffer.from(found?.password ?? 'nobody'));
      const verifiers: readonly Verifier[] =
        kept === undefined ? [] : [hashedPasswords ? { costly: false, password: kept.password } : kept];
      const outcome = await checkProof(verifiers, proof, (password, hash) => keyring.keys(name, password, hash));
      if (found === undefined) throw refused('no such user');
      if (!outcome.holds) throw refused(`wrong ${proof.kind}`);
      const account = accountOf(found);
      if (!account.services.has(service)) throw refused(`not for ${service}`);
      const noStatus = 'noStatus' in resolution && resolution.noStatus;
      return outcome.serverSignature === undefined
        ? { account, noStatus }
        : { account, noStatus, serverSignature: outcome.serverSignature };
    },

    async scramParameters(claim, hash) {
      const resolution = await resolver.resolve(claim);
      const name = resolution.found === undefined ? resolution.name : resolution.found.mailbox.name;
      return { salt: keyring.salt(name, hash), iterations: SCRAM_ITERATIONS };
    },

    proofKinds: () => kinds,

    async account(address) {
      const found = exactly(address);
      return found && accountOf(found);
    },

    async mailboxes(name) {
      return [...accounts.values()].flatMap(({ mailbox }) => (mailbox.domain === name ? [mailbox] : []));
    },

    async domain(name) {
      if (!isHosted(name)) return undefined;
      return { name, unknownUsers: options.unknownUsers ?? { kind: 'bounce' }, ...options.rules?.get(name) };
    },

    alias: async ({ user, domain }) => standsFor(aliases.get(domain)?.find(user), domain),

    async pattern({ user, domain }) {
      for (const line of aliases.get(domain)?.matching(user) ?? []) {
        const found = standsFor(line, domain);
        if (found !== undefined) return found;
      }
      return undefined;
    },

    async explain(claim) {
      const steps: Step[] = [];
      const { found } = await resolver.resolve(claim, steps);
      steps.push({ rule: 'account', outcome: found?.mailbox.name ?? 'none' });
      return { steps, account: found && accountOf(found) };
    },
  };
}

function refused(reason: string): Fault {
  return new Fault('auth', 'authentication failed', { cause: reason });
}
