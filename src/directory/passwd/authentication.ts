/** Who may come in: the proof first, then the rules, so that each refusal takes as long as a wrong password. */
import type { DomainName } from '../../model/address.ts';
import type { Account, Admission, Claim, Proof, ScramHash, Service } from '../../model/directory.ts';
import { Fault } from '../../model/fault.ts';
import { checkProof, type Outcome, storedKeys } from '../proofs.ts';
import type { Resolution, Resolver } from '../resolve.ts';
import type { Verifier } from '../schemes/scheme.ts';
import { SCRAM_ITERATIONS } from '../schemes/scram.ts';
import { ScramKeyring } from '../scramKeyring.ts';
import type { Accounts, Found, System, Virtual } from './accounts.ts';
import { createDecoys } from './decoy.ts';
import type { Domain, Domains } from './domains.ts';
import type { HostUsers } from './hostUsers.ts';
import { unfitFile } from './ownFiles.ts';
import type { RememberedPasswords } from './remembered.ts';
import type { AccountSettings } from './settings.ts';

export interface AuthenticationOptions {
  readonly resolver: Resolver<Found>;
  readonly domains: Domains;
  readonly accounts: Accounts;
  readonly hostUsers: HostUsers | undefined;
  /** Whose names may be system users' names. */
  readonly defaultDomain: DomainName | undefined;
  readonly remembered: RememberedPasswords;
  readonly secret: Buffer;
}

export interface Authentication {
  /** @throws Fault auth, its cause the reason in a few words; temporary */
  authenticate(claim: Claim, proof: Proof, service: Service): Promise<Admission>;
  /** @throws Fault temporary */
  scramParameters(claim: Claim, hash: ScramHash): Promise<{ salt: Buffer; iterations: number }>;
}

type Unknown = Extract<Resolution<Found>, { found: undefined }>;
type Admitted = { readonly account: Account; readonly outcome: Outcome };

export function createAuthentication(options: AuthenticationOptions): Authentication {
  const { resolver, domains, accounts, hostUsers, defaultDomain, remembered } = options;
  const decoys = createDecoys();
  const keyring = new ScramKeyring(options.secret, 10_000);
  // Apart from the other: names that somebody makes up must not drive out keys that are needed.
  const decoyKeyring = new ScramKeyring(options.secret, 1000);

  function usualVerifier(domain: Domain | undefined): Verifier {
    return decoys.usual(domain?.passwd, accounts.ruleOf(domain));
  }

  /** The work of a wrong proof, for an account that isn't there or can't log in. */
  async function pretend(name: string, domain: Domain | undefined, proof: Proof): Promise<void> {
    const keysOf = (password: Buffer, hash: ScramHash) => decoyKeyring.keys(name, password, hash);
    await checkProof([usualVerifier(domain)], proof, keysOf).catch(() => undefined);
  }

  async function refuseUnknown({ name, user, domain }: Unknown, proof: Proof): Promise<never> {
    const hosted = domain && (await domains.find(domain));
    const maybeSystem = user !== undefined && (domain === undefined || domain === defaultDomain);
    if (hostUsers !== undefined && maybeSystem && proof.kind === 'password') {
      await hostUsers.check(user, proof.password).catch(() => false);
    } else await pretend(name, hosted, proof);
    throw refused(domain !== undefined && hosted === undefined ? 'no such domain' : 'no such user');
  }

  async function provesVirtual(found: Virtual, settings: AccountSettings, proof: Proof): Promise<Outcome> {
    const { domain, line, mailbox } = found;
    const { kind, ofDomain } = accounts.ruleOf(domain);
    // The rule belongs to it: with another kind of password the same line means something else.
    const memory = `${mailbox.name} ${kind} ${ofDomain}`;
    if (proof.kind === 'password' && remembered.knows(memory, line.octets, proof.password)) return { holds: true };

    const stored = accounts.passwordOf(found);
    if (stored.verifier === undefined) {
      await pretend(mailbox.name, domain, proof);
      throw refused(`password ${stored.reason}`);
    }
    const keysOf = (password: Buffer, hash: ScramHash) => keyring.keys(mailbox.name, password, hash);
    const outcome = await checkProof([stored.verifier, ...settings.verifiers], proof, keysOf);
    if (outcome.holds && proof.kind === 'password' && stored.verifier.costly) remembered.add(memory, line.octets, proof.password);
    return outcome;
  }

  async function admitVirtual(found: Virtual, claim: Claim, proof: Proof, service: Service): Promise<Admitted> {
    const settings = await found.domain.accountSettings(found.user);
    const outcome = await provesVirtual(found, settings, proof);
    if (!outcome.holds) throw refused(`wrong ${proof.kind}`);
    const account = accounts.accountOf(found, settings);
    const reason = accounts.refusedUid(found);
    if (reason !== undefined) {
      accounts.logRefusedUid(found, reason);
      throw refused('uid not allowed');
    }
    if (settings.disabled) throw refused('disabled');
    if (!account.services.has(service)) throw refused(`not for ${service}`);
    const networks = settings.networks ?? found.domain.settings.networks;
    const { remoteAddress } = claim.arrival;
    if (networks !== undefined && remoteAddress !== undefined && !networks.has(remoteAddress)) throw refused('not from this network');
    return { account, outcome };
  }

  async function admitSystem(found: System, proof: Proof): Promise<Admitted> {
    if (proof.kind !== 'password') {
      await pretend(found.user, undefined, proof);
      throw refused(`no ${proof.kind} for system users`);
    }
    const holds = proof.password.length > 0 && (await hostUsers?.check(found.user, proof.password)) === true;
    if (!holds) throw refused('wrong password');
    return { account: accounts.accountOf(found, undefined), outcome: { holds } };
  }

  /** Keys that this account has stored for this hash, or whether they come from clear text; neither where it can't do SCRAM. */
  async function scramOf(found: Virtual, hash: ScramHash) {
    const { verifier } = accounts.passwordOf(found);
    const { verifiers } = await found.domain.accountSettings(found.user);
    if (verifier === undefined) return {};
    return { keys: storedKeys([verifier, ...verifiers], hash), derived: verifier.clearText !== undefined };
  }

  async function admit(claim: Claim, proof: Proof, service: Service): Promise<Admission> {
    const resolution = await resolver.resolve(claim);
    if (resolution.found === undefined) return refuseUnknown(resolution, proof);
    const { found, noStatus } = resolution;
    const { account, outcome } = await (found.domain === undefined
      ? admitSystem(found, proof)
      : admitVirtual(found, claim, proof, service));
    const { serverSignature } = outcome;
    return serverSignature === undefined ? { account, noStatus } : { account, noStatus, serverSignature };
  }

  async function scramOfClaim(claim: Claim, hash: ScramHash): Promise<{ salt: Buffer; iterations: number }> {
    const resolution = await resolver.resolve(claim);
    const { found } = resolution;
    const { keys, derived = false } = found?.domain === undefined ? {} : await scramOf(found, hash);
    if (keys !== undefined) return { salt: keys.salt, iterations: keys.iterations };
    const name = resolution.found === undefined ? resolution.name : resolution.found.mailbox.name;
    if (derived) return { salt: keyring.salt(name, hash), iterations: SCRAM_ITERATIONS };
    const domain = resolution.found === undefined ? resolution.domain && (await domains.find(resolution.domain)) : resolution.found.domain;
    const usual = storedKeys([usualVerifier(domain)], hash);
    return { salt: keyring.salt(name, hash, usual?.salt.length), iterations: usual?.iterations ?? SCRAM_ITERATIONS };
  }

  return {
    async authenticate(claim, proof, service) {
      try {
        return await admit(claim, proof, service);
      } catch (error) {
        const unfit = unfitFile(error);
        if (unfit === undefined) throw error;
        // Who is let in by nobody's file isn't let in, and nothing shows that there would be one.
        await pretend(claim.login, undefined, proof);
        throw refused(unfit);
      }
    },

    async scramParameters(claim, hash) {
      try {
        return await scramOfClaim(claim, hash);
      } catch (error) {
        if (unfitFile(error) === undefined) throw error;
        return { salt: keyring.salt(claim.login, hash), iterations: SCRAM_ITERATIONS };
      }
    },
  };
}

/** The one answer to every login that fails; why is for the log. */
function refused(reason: string): Fault {
  return new Fault('auth', 'authentication failed', { cause: reason });
}
