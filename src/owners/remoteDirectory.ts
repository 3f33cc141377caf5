/** Who exists and may log in, as the owners' workers say. Only for domains that nobody here owns a front answers by itself. */
import { createDecoys } from '../directory/passwd/decoy.ts';
import { checkProof } from '../directory/proofs.ts';
import { SCRAM_ITERATIONS } from '../directory/schemes/scram.ts';
import { ScramKeyring } from '../directory/scramKeyring.ts';
import type { Address, DomainName } from '../model/address.ts';
import type { Account, Alias, Claim, Directory, Proof, ScramHash, Step } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import type { Payload } from './codec.ts';
import { ask, Malformed, tell } from './frames.ts';
import { KnownKinds } from './knownKinds.ts';
import { put } from './line.ts';
import type { Lines } from './lines.ts';
import { createPlaces, type Place } from './places.ts';
import type { RemoteOptions } from './remote.ts';
import { type DomainReply, readAccountReply, readAliasReply, readDomainReply, readExplained, readScramReply } from './replies.ts';
import { writeAccountRequest, writeAliasRequest, writeDomainRequest, writeExplain, writeScramParameters } from './requests.ts';
import type { Sessions } from './sessions.ts';

/**
 * Nothing that is looked up takes so long. It is waited for in the middle of a transaction of LMTP, which has recipients of other owners, too, and
 * ends for all of them when the client has waited too long: five minutes after RCPT, RFC 5321 section 4.5.3.2.3.
 */
const LOOK_UP_MS = 30_000;

export function createRemoteDirectory(options: RemoteOptions, lines: Lines, sessions: Sessions): Directory {
  const { whereabouts, rules, systemUsers, mechanisms, now } = options;
  const places = createPlaces({
    whereabouts,
    rules,
    systemUsers,
    exists: async (place, address) => (await accountAt(place, address)) !== undefined,
  });
  const kinds = new KnownKinds({
    mechanisms,
    domainOfAddress: places.domainOfAddress,
    askAbout: (name) =>
      domainAt(name).then(
        () => {},
        () => {},
      ),
    now,
  });
  const nobody = createNobody(options);

  /** A question that takes no proof. @throws Fault as the worker answers, or temporary */
  function asked<T>({ worker, again }: Place, request: Buffer, type: number, read: (payload: Payload) => T): Promise<T> {
    return lines.use(worker, {
      again,
      otherwise: 'accounts can not be looked up just now',
      repeatable: true,
      async work(line) {
        const limit = setTimeout(() => line.cut('the worker does not answer'), LOOK_UP_MS);
        try {
          return await put(line, request, type, read);
        } finally {
          clearTimeout(limit);
          lines.giveBack(line);
        }
      },
    });
  }

  function accountAt(place: Place, address: Address): Promise<Account | undefined> {
    const system = place.systemUser !== undefined;
    return asked(place, writeAccountRequest({ address, system }), tell.account, (payload) => {
      const account = readAccountReply(payload);
      // A worker has no say in the accounts of others.
      if (account !== undefined && !isAt(account, address, system)) throw new Malformed('an account that was not asked for');
      return account;
    });
  }

  async function aliasAt(type: typeof ask.alias | typeof ask.pattern, address: Address): Promise<Alias | undefined> {
    const place = await places.ofDomain(address.domain);
    return place && asked(place, writeAliasRequest(type, address), tell.alias, readAliasReply);
  }

  async function domainAt(name: DomainName): Promise<DomainReply | undefined> {
    const place = await places.ofDomain(name);
    const reply =
      place &&
      (await asked(place, writeDomainRequest(name), tell.domain, (payload) => {
        const answer = readDomainReply(payload);
        if (answer.domain !== undefined && answer.domain.name !== name) throw new Malformed('a domain that was not asked for');
        return answer;
      }));
    if (reply !== undefined) kinds.learnt(name, reply.kinds);
    return reply;
  }

  return {
    async authenticate(claim, proof, service) {
      const placed = await places.of(claim);
      if (placed.place !== undefined) {
        const { place, noStatus } = placed;
        return sessions.authenticate(place, { claim: claimAt(place, claim), proof, service, noStatus });
      }
      await nobody.pretend(placed.name, proof);
      throw new Fault('auth', 'authentication failed', { cause: placed.reason });
    },

    async scramParameters(claim, hash) {
      const placed = await places.of(claim);
      if (placed.place === undefined) return nobody.scramParameters(placed.name, hash);
      return asked(placed.place, writeScramParameters(claimAt(placed.place, claim), hash), tell.scramParameters, readScramReply);
    },

    ready: (arrival) => kinds.ready(arrival),
    proofKinds: (arrival) => kinds.of(arrival),

    async account(address) {
      const system = address.domain === rules.defaultDomain ? await places.ofSystemUser(address.user) : undefined;
      const found = system && (await accountAt(system, address));
      if (found !== undefined) return found;
      const place = await places.ofDomain(address.domain);
      return place && accountAt(place, address);
    },

    async domain(name) {
      const reply = await domainAt(name);
      if (reply?.domain !== undefined) return reply.domain;
      return systemUsers && name === rules.defaultDomain ? { name, unknownUsers: { kind: 'bounce' } } : undefined;
    },

    alias: (address) => aliasAt(ask.alias, address),
    pattern: (address) => aliasAt(ask.pattern, address),

    async explain(claim) {
      const steps: Step[] = [];
      const { place } = await places.of(claim, steps);
      if (place === undefined) return { steps: [...steps, { rule: 'account', outcome: 'none' }], account: undefined };
      // The last step so far takes for granted that the account is there.
      steps.pop();
      const inside = await asked(place, writeExplain(claimAt(place, claim)), tell.explained, readExplained);
      return { steps: [...steps, { rule: 'owner', outcome: place.worker.owner }, ...inside.steps], account: inside.account };
    },
  };
}

/** As the worker needs it: the way the client came in has said its word, and is the domain that was found by it. */
function claimAt({ domain, systemUser }: Place, { login, arrival: { remoteAddress } }: Claim): Claim {
  return { login: systemUser ?? login, arrival: { localAddress: undefined, serverName: domain, remoteAddress } };
}

function isAt({ mailbox }: Account, { user, domain }: Address, system: boolean): boolean {
  return mailbox.user === user && mailbox.domain === (system ? undefined : domain);
}

/** Answers for domains that aren't ours: the work and the words of a wrong password. */
function createNobody({ passwordKind, secret }: RemoteOptions) {
  const decoys = createDecoys();
  const keyring = new ScramKeyring(secret, 1000);
  return {
    async pretend(name: string, proof: Proof): Promise<void> {
      const verifier = decoys.usual(undefined, { kind: passwordKind, ofDomain: false });
      await checkProof([verifier], proof, (password, hash) => keyring.keys(name, password, hash)).catch(() => undefined);
    },
    scramParameters: (name: string, hash: ScramHash) => ({ salt: keyring.salt(name, hash), iterations: SCRAM_ITERATIONS }),
  };
}
