/** A directory of one domain in memory, and the shortest way to play an exchange. Its passwords stand here in clear text. */
import { createHash, createHmac } from 'node:crypto';
import { parseUserName } from '../model/address.ts';
import type { Admission, Claim, Directory, Proof, ScramHash } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import { mechanisms, type SaslContext } from './index.ts';
import { preparedPassword } from './saslprep.ts';
import { proofHolds, saltedPassword, scramVerifier, serverSignature } from './scram/arithmetic.ts';

export interface FakeDirectory extends Directory {
  /** What `authenticate` was asked, in order. */
  readonly asked: { claim: Claim; proof: Proof }[];
}

export interface ScramSettings {
  readonly salt: Buffer;
  readonly iterations: number;
}

export function fakeDirectory(
  passwords: ReadonlyMap<string, string>,
  { salt, iterations }: ScramSettings = { salt: Buffer.from('salt of test'), iterations: 2 },
): FakeDirectory {
  const asked: { claim: Claim; proof: Proof }[] = [];
  return {
    asked,
    async authenticate(claim, proof) {
      asked.push({ claim, proof });
      const password = passwords.get(claim.login);
      if (password === undefined) throw new Fault('auth', 'authentication failed');
      const admission = admissionOf(claim.login);
      if (proof.kind !== 'scram') {
        if (!digestHolds(proof, password)) throw new Fault('auth', 'authentication failed');
        return admission;
      }
      const { hash, authMessage, clientProof } = proof;
      const keys = scramVerifier(hash, await saltedPassword(hash, preparedPassword(Buffer.from(password)), salt, iterations));
      if (!proofHolds(hash, keys.storedKey, authMessage, clientProof)) throw new Fault('auth', 'authentication failed');
      return { ...admission, serverSignature: serverSignature(hash, keys.serverKey, authMessage) };
    },
    scramParameters: async (_claim: Claim, _hash: ScramHash) => ({ salt, iterations }),
    proofKinds: () => new Set(['password', 'cram-md5', 'scram-sha-1', 'scram-sha-256'] as const),
    account: async () => undefined,
    domain: async () => undefined,
    alias: async () => undefined,
    pattern: async () => undefined,
    explain: async () => ({ steps: [], account: undefined }),
  };
}

function digestHolds(proof: Exclude<Proof, { kind: 'scram' }>, password: string): boolean {
  if (proof.kind === 'password') return proof.password.equals(Buffer.from(password));
  if (proof.kind === 'cram-md5') return createHmac('md5', password).update(proof.challenge).digest('hex') === proof.digest;
  return (
    createHash('md5')
      .update(proof.timestamp + password)
      .digest('hex') === proof.digest
  );
}

function admissionOf(login: string): Admission {
  const user = parseUserName(login.replaceAll(/[^a-z]/g, '') || 'x');
  if (user === undefined) throw new Error(`no user name in a test: ${login}`);
  const mailbox = { name: login, user, domain: undefined, home: undefined, owner: undefined };
  return { account: { mailbox, services: new Set(['pop3']), language: undefined }, noStatus: false };
}

/** `random` gives the octets that a test wants, whatever number is asked for. */
export function contextOf(directory: Directory, more: Partial<SaslContext> = {}): SaslContext {
  return {
    directory,
    arrival: { localAddress: undefined, serverName: undefined },
    service: 'pop3',
    channelBinding: undefined,
    hostname: 'pop.example.org',
    random: () => Buffer.from('server-nonce-of-a-test'),
    now: () => 0,
    ...more,
  };
}

/** What the server says to each response; a fault as its kind. Ends at the first fault or success. */
export async function play(name: string, context: SaslContext, responses: readonly (Buffer | string)[]): Promise<string[]> {
  const mechanism = mechanisms.get(name);
  if (mechanism === undefined) throw new Error(`no mechanism ${name}`);
  const exchange = mechanism.start(context);
  const said: string[] = [];
  for (const response of responses) {
    try {
      const step = await exchange.next(Buffer.from(response));
      if (step.kind === 'challenge') said.push(step.octets.toString());
      else {
        const last = step.octets === undefined ? '' : ` ${step.octets}`;
        said.push(`success ${step.admission.account.mailbox.name}${last}`);
        break;
      }
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      said.push(`fault ${thrown.kind}`);
      break;
    }
  }
  return said;
}
