/** What the processes tell about themselves. Plain data: it crosses from process to process, and becomes JSON as it stands. */
import type { FaultKind } from './fault.ts';

/** Numbers that only grow while a process lives, by names that the code gives: never by one from outside. */
export interface Tally {
  readonly [name: string]: number | Tally;
}

/** Why a login came to nothing: a kind of Fault, or `throttled` where the proof wasn't looked at. */
export const loginFailures = ['auth', 'in-use', 'login-delay', 'throttled', 'temporary', 'permanent'] as const;
export type LoginFailure = (typeof loginFailures)[number];

/** False for what was no attempt: a line that can't be understood, a client that went away. */
export function isLoginFailure(kind: FaultKind | 'throttled'): kind is LoginFailure {
  return (loginFailures as readonly string[]).includes(kind);
}

/** Over which Postfix asks us something. */
export const questionProtocols = ['socketmap', 'tcp-table', 'policy'] as const;
export type QuestionProtocol = (typeof questionProtocols)[number];

export const carriedProtocols = ['pop3', 'pop3s', 'lmtp', 'smtp', 'sasl', ...questionProtocols] as const;
export type CarriedProtocol = (typeof carriedProtocols)[number];

/** What came of POP3 sessions. Written to as they go on. */
export type SessionCounts = {
  logins: number;
  readonly loginFailures: Record<LoginFailure, number>;
  /** Messages sent whole by RETR, and their octets on the wire without byte-stuffing. */
  retrieved: number;
  retrievedOctets: number;
  /** Messages removed at QUIT: marked by DELE, and expired. */
  deleted: number;
  expired: number;
};

/** Why an SMTP client was not let in. */
export type AuthFailure = Exclude<LoginFailure, 'in-use' | 'login-delay'>;

/** What came of SMTP AUTH. Written to as it goes on. */
export type AuthCounts = {
  logins: number;
  readonly failures: Record<AuthFailure, number>;
};

/** What came of mail handed to us. Written to as deliveries go on. */
export type DeliveryCounts = {
  /** Messages received to their end, and their octets. */
  messages: number;
  octets: number;
  /** Recipients who have the message. */
  delivered: number;
  /** Recipients who were promised to and didn't get it: to be tried again, or for good. */
  failedTemporarily: number;
  failedPermanently: number;
  /** RCPT answered with 4xx or 5xx. */
  deferred: number;
  refused: number;
  /** Of all these, those for whom there was no room by rule. */
  overQuota: number;
};

/** What our tables told Postfix. Written to as it asks. */
export type LookupCounts = {
  found: number;
  notFound: number;
  /** Not known at the moment: Postfix asks again. */
  deferred: number;
};

/** What the policy service told Postfix. Written to as it asks. */
export type PolicyCounts = {
  /** The next restriction decides. */
  neutral: number;
  permitted: number;
  rejected: number;
  deferred: number;
};

/** Of everything that Postfix asks. */
export type QuestionCounts = {
  readonly lookups: Readonly<LookupCounts>;
  readonly policy: Readonly<PolicyCounts>;
  /** Questions for which the answer was not there in time; it is counted above when it comes. */
  readonly late: number;
  /** Requests that made no sense. */
  readonly malformed: number;
};

/** Of one front since it began. */
export type FrontCounts = {
  readonly cpuMs: number;
  readonly accepted: Readonly<Record<CarriedProtocol, number>>;
  /** Connections sent away for want of room. */
  readonly turnedAway: number;
  /** POP3 octets, inside of TLS where there is any. */
  readonly octetsReceived: number;
  readonly octetsSent: number;
  readonly sessions: Readonly<SessionCounts>;
  readonly smtpAuth: Readonly<AuthCounts>;
  readonly deliveries: Readonly<DeliveryCounts>;
  readonly questions: QuestionCounts;
};

/** Of one owner's worker since it began. */
export type WorkerCounts = {
  readonly cpuMs: number;
  readonly requests: number;
  readonly deliveries: number;
};

export interface ConnectionCount {
  readonly protocol: CarriedProtocol;
  /** AUTHORIZATION, TRANSACTION …; for LMTP and SMTP `idle`, `transaction` (after MAIL) and `data`; for questions of Postfix `idle` and `asked`. */
  readonly state: string;
  readonly connections: number;
}

export interface DomainSessions {
  /** `null`: users of the host itself. */
  readonly domain: string | null;
  readonly sessions: number;
}

/** Of mail on its way in, now. */
export interface DeliveriesUnderWay {
  /** Messages of which only a part is here. */
  readonly receiving: number;
  /** Recipients whose mailbox is being written to, or waited for. */
  readonly delivering: number;
  /** Octets of these messages, in memory and on the disc. */
  readonly spooledOctets: number;
}

export interface ThrottleFigures {
  /** Sources that failed to log in lately and wait for longer therefore. */
  readonly sources: number;
  /** Accounts that somebody is guessing at. */
  readonly accounts: number;
}

/** Of the process itself. Memory in octets. */
export interface ProcessFigures {
  readonly uptimeS: number;
  readonly rss: number;
  readonly heapUsed: number;
}

/** An account that could send because mail was fetched for it: POP before SMTP. */
export interface RelayUse {
  readonly account: string;
  /** Address, or IPv6 /64, that it sent from. */
  readonly source: string;
  /** On the latest day that is known, in ms since 1970. */
  readonly atMs: number;
}

export interface FrontReport extends ProcessFigures {
  readonly connections: readonly ConnectionCount[];
  readonly sessions: readonly DomainSessions[];
  readonly deliveries: DeliveriesUnderWay;
  readonly throttle: ThrottleFigures;
  /** Within a month, the latest first. */
  readonly relays: readonly RelayUse[];
  /** The longest that an event waited for its turn within the last minute, in ms. */
  readonly lagMs: number;
  readonly counts: FrontCounts;
}

export interface WorkerReport extends ProcessFigures {
  readonly sessions: readonly DomainSessions[];
  /** Since when nobody was served, in ms since 1970; `null`: somebody is. */
  readonly idleSinceMs: number | null;
  readonly counts: WorkerCounts;
}

export interface SupervisorReport extends ProcessFigures {
  readonly pid: number;
  /** How often settings were put in force: 1 after the start. */
  readonly generation: number;
  readonly listeners: readonly string[];
  readonly stopping: boolean;
  readonly counts: SupervisorCounts;
}

/** What became of the processes. Written to as they come and go. */
export type ProcessEvents = {
  /** Fronts that ended by themselves, and were started again. */
  frontsDied: number;
  workersStarted: number;
  /** Workers that ended when they were idle, and those that died. */
  workersEnded: number;
  workersDied: number;
  /** Requests for an owner for whom no worker may or can act. */
  ownersRefused: number;
};

export type SupervisorCounts = Readonly<ProcessEvents> & { readonly cpuMs: number };

export interface FrontState {
  readonly front: number;
  readonly pid: number;
  /** Of earlier settings: it takes no new connections and ends with its last session. */
  readonly retiring: boolean;
  /** `null`: it didn't answer in time. */
  readonly report: FrontReport | null;
}

export interface WorkerState {
  /** `601:100`, or `601:100 system`. */
  readonly owner: string;
  /** Name of that Unix user; `null`: it has none. */
  readonly user: string | null;
  readonly pid: number;
  readonly report: WorkerReport | null;
}

/** Everybody's. */
export interface HouseReport {
  readonly version: string;
  /** When it was put together, in ms since 1970. */
  readonly atMs: number;
  readonly supervisor: SupervisorReport;
  readonly fronts: readonly FrontState[];
  readonly workers: readonly WorkerState[];
  /** Of all processes since the supervisor began, those that have ended included; they never go back. */
  readonly counts: { readonly fronts: FrontCounts; readonly workers: WorkerCounts };
}

export function noSessionCounts(): SessionCounts {
  return {
    logins: 0,
    loginFailures: { auth: 0, 'in-use': 0, 'login-delay': 0, throttled: 0, temporary: 0, permanent: 0 },
    retrieved: 0,
    retrievedOctets: 0,
    deleted: 0,
    expired: 0,
  };
}

export function noAuthCounts(): AuthCounts {
  return { logins: 0, failures: { auth: 0, throttled: 0, temporary: 0, permanent: 0 } };
}

export function noDeliveryCounts(): DeliveryCounts {
  return { messages: 0, octets: 0, delivered: 0, failedTemporarily: 0, failedPermanently: 0, deferred: 0, refused: 0, overQuota: 0 };
}

export function noLookupCounts(): LookupCounts {
  return { found: 0, notFound: 0, deferred: 0 };
}

export function noPolicyCounts(): PolicyCounts {
  return { neutral: 0, permitted: 0, rejected: 0, deferred: 0 };
}

export function acceptedBy(count: (protocol: CarriedProtocol) => number): FrontCounts['accepted'] {
  const entries = carriedProtocols.map((protocol) => [protocol, count(protocol)] as const);
  return Object.fromEntries(entries) as Record<CarriedProtocol, number>;
}

export function noFrontCounts(): FrontCounts {
  return {
    cpuMs: 0,
    accepted: acceptedBy(() => 0),
    turnedAway: 0,
    octetsReceived: 0,
    octetsSent: 0,
    sessions: noSessionCounts(),
    smtpAuth: noAuthCounts(),
    deliveries: noDeliveryCounts(),
    questions: { lookups: noLookupCounts(), policy: noPolicyCounts(), late: 0, malformed: 0 },
  };
}

export function noProcessEvents(): ProcessEvents {
  return { frontsDied: 0, workersStarted: 0, workersEnded: 0, workersDied: 0, ownersRefused: 0 };
}

export function noWorkerCounts(): WorkerCounts {
  return { cpuMs: 0, requests: 0, deliveries: 0 };
}

/** Number by number, of two tallies of one kind. */
export function added<T extends Tally>(one: T, other: T): T {
  const sum = (a: Tally, b: Tally): Tally => {
    const entries = Object.entries(a).map(([name, left]) => {
      const right = b[name];
      if (typeof left === 'number') return [name, left + (typeof right === 'number' ? right : 0)] as const;
      return [name, typeof right === 'object' ? sum(left, right) : left] as const;
    });
    return Object.fromEntries(entries);
  };
  return sum(one, other) as T;
}

/** Of those that answered. */
export function frontReports({ fronts }: Pick<HouseReport, 'fronts'>): FrontReport[] {
  return fronts.flatMap(({ report }) => report ?? []);
}

/** Taken together, for each account its latest; the latest first. */
export function relaysOf(reports: Iterable<Pick<FrontReport, 'relays'>>): RelayUse[] {
  const latest = new Map<string, RelayUse>();
  for (const { relays } of reports)
    for (const use of relays) if ((latest.get(use.account)?.atMs ?? -1) < use.atMs) latest.set(use.account, use);
  return [...latest.values()].sort((a, b) => b.atMs - a.atMs);
}

/** Taken together; the domain with most sessions first. */
export function sessionsOf(reports: Iterable<Pick<FrontReport, 'sessions'>>): DomainSessions[] {
  const byDomain = new Map<string | null, number>();
  for (const report of reports)
    for (const { domain, sessions } of report.sessions) byDomain.set(domain, (byDomain.get(domain) ?? 0) + sessions);
  return sessionsFrom(byDomain);
}

/** Most sessions first, then by name. */
export function sessionsFrom(byDomain: ReadonlyMap<string | null, number>): DomainSessions[] {
  const all = Array.from(byDomain, ([domain, sessions]) => ({ domain, sessions }));
  return all.sort((a, b) => b.sessions - a.sessions || ((a.domain ?? '') < (b.domain ?? '') ? -1 : 1));
}

/** Taken together: one row for each protocol and state, in the order of their names. */
export function connectionsOf(reports: Iterable<Pick<FrontReport, 'connections'>>): ConnectionCount[] {
  const rows = new Map<string, ConnectionCount>();
  for (const report of reports) {
    for (const { protocol, state, connections } of report.connections) {
      const key = `${protocol} ${state}`;
      rows.set(key, { protocol, state, connections: (rows.get(key)?.connections ?? 0) + connections });
    }
  }
  return [...rows.keys()].sort().flatMap((key) => rows.get(key) ?? []);
}
