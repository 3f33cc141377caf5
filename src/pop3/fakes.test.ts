/** What the tests of this room hand to a session instead of a house. */
import { parseUserName } from '../model/address.ts';
import type { Admission, Directory } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import type { LogFields } from '../model/log.ts';
import { openGate } from '../model/loginGate.ts';
import type { Maildrop, MaildropMessage, MaildropStore } from '../model/maildrop.ts';
import { noSessionCounts } from '../model/report.ts';
import { createSpeaker } from '../texts/speaker.ts';
import type { ConnectionFacts, Pop3Host } from './host.ts';

export interface LoggedEvent {
  readonly level: string;
  readonly event: string;
  readonly fields: LogFields;
}

export interface Fakes {
  readonly host: Pop3Host;
  readonly maildrop: Maildrop;
  readonly events: LoggedEvent[];
  /** What was done to the maildrop, in order. */
  readonly acts: string[];
}

/** `ada` with the password `lovelace` and two messages of 24 octets; each part can be put in place of the good one. */
export function fakes(parts: { store?: Partial<MaildropStore>; maildrop?: Partial<Maildrop>; host?: Partial<Pop3Host> } = {}): Fakes {
  const events: LoggedEvent[] = [];
  const acts: string[] = [];
  const note =
    (level: string) =>
    (event: string, fields: LogFields = {}) =>
      void events.push({ level, event, fields });
  const messages: MaildropMessage[] = [1, 2].map((number) => ({ uniqueId: `id${number}`, octets: 24, receivedAtMs: 1 }));
  const maildrop: Maildrop = {
    messages,
    retrieve: () => [Buffer.from('Subject: test\n\n.hidden\n')],
    async update(deleted, retrieved) {
      acts.push(`update, ${deleted.size} deleted, ${retrieved.size} retrieved`);
    },
    async [Symbol.asyncDispose]() {
      acts.push('release');
    },
    ...parts.maildrop,
  };
  const store: MaildropStore = {
    open: async () => maildrop,
    deliver: async () => {},
    usage: async () => ({ octets: 0, messages: 0 }),
    locate: async () => ({ path: '', format: 'fake', exists: true, tried: [] }),
    ...parts.store,
  };
  const host: Pop3Host = {
    directory,
    gate: openGate,
    store,
    speaker: createSpeaker(),
    log: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
    now: () => 1_790_000_000_000,
    random: (octets) => Buffer.alloc(octets, 1),
    hostname: 'pop.example.org',
    implementation: 'Postkasse',
    language: 'en',
    limits: { expireDays: 'never', loginDelayS: 0 },
    lastLogins: { tooSoon: () => false, note: () => {} },
    counts: noSessionCounts(),
    ...parts.host,
  };
  return { host, maildrop, events, acts };
}

const directory: Directory = {
  async authenticate(claim, proof): Promise<Admission> {
    const known = /^(s-)?ada$/.test(claim.login) && proof.kind === 'password' && proof.password.equals(Buffer.from('lovelace'));
    if (!known) throw new Fault('auth', 'authentication failed', { cause: new Error('no such account') });
    const user = parseUserName('ada');
    if (user === undefined) throw new Error('ada is a user name');
    const mailbox = { name: 'ada', user, domain: undefined, home: undefined, owner: undefined };
    return { account: { mailbox, services: new Set(['pop3']), language: undefined }, noStatus: claim.login.startsWith('s-') };
  },
  scramParameters: async () => ({ salt: Buffer.from('salt'), iterations: 1 }),
  proofKinds: () => new Set(['password', 'apop', 'cram-md5', 'scram-sha-1', 'scram-sha-256']),
  account: async () => undefined,
  domain: async () => undefined,
  alias: async () => undefined,
  pattern: async () => undefined,
  explain: async () => ({ steps: [], account: undefined }),
};

export const facts: ConnectionFacts = {
  arrival: { localAddress: '192.0.2.1', serverName: undefined },
  remoteAddress: '192.0.2.7',
  secure: true,
  tls: true,
  canStartTls: false,
  channelBinding: { data: () => Buffer.alloc(32) },
  id: 's1',
};
