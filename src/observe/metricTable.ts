/**
 * Every metric: name, type, labels and what it says. Names and units as Prometheus asks for; no label has an account or an address, and
 * each has a number of values that is known beforehand. docs/observation.md lists them, and a test holds the two together.
 */
import { connectionsOf, type DomainSessions, type FrontReport, frontReports, type HouseReport, sessionsOf } from '../model/report.ts';

export interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly labels: readonly string[];
  readonly help: string;
  samples(report: HouseReport, rules: MetricRules): Iterable<Sample>;
}

export interface MetricRules {
  /** So many domains, those with most sessions, have a value of their own. */
  readonly domains: number;
}

/** Values of the labels, in their order. */
export type Sample = readonly [value: number, ...labels: string[]];

/** Names that no domain can have. */
const HOST_USERS = '(host)';
const OTHER_DOMAINS = '(other)';

export const metricTable: readonly Metric[] = [
  gauge('postkasse_build_info', ['version'], 'Always 1; the label tells the version that runs.', ({ version }) => [[1, version]]),
  gauge('postkasse_start_time_seconds', [], 'When the supervisor started, in seconds since 1970.', ({ atMs, supervisor }) => [
    [Math.round(atMs / 1000) - Math.round(supervisor.uptimeS)],
  ]),
  gauge('postkasse_settings_generation', [], 'How often settings were put in force since then: 1 after the start.', ({ supervisor }) => [
    [supervisor.generation],
  ]),
  gauge(
    'postkasse_processes',
    ['role', 'state'],
    'Processes that are there. State silent: it did not answer in time. Retiring: it serves what is left of earlier settings.',
    ({ fronts, workers }) => [
      [fronts.filter(({ report, retiring }) => report !== null && !retiring).length, 'front', 'serving'],
      [fronts.filter(({ report, retiring }) => report !== null && retiring).length, 'front', 'retiring'],
      [fronts.filter(({ report }) => report === null).length, 'front', 'silent'],
      [workers.filter(({ report }) => report !== null).length, 'worker', 'serving'],
      [workers.filter(({ report }) => report === null).length, 'worker', 'silent'],
    ],
  ),
  counter('postkasse_process_deaths_total', ['role'], 'Processes that ended without being told to.', ({ supervisor: { counts } }) => [
    [counts.frontsDied, 'front'],
    [counts.workersDied, 'worker'],
  ]),
  counter('postkasse_workers_started_total', [], "Owners' workers that were started.", ({ supervisor }) => [
    [supervisor.counts.workersStarted],
  ]),
  counter('postkasse_workers_ended_total', [], "Owners' workers that ended because nobody needed them.", ({ supervisor }) => [
    [supervisor.counts.workersEnded],
  ]),
  counter('postkasse_owners_refused_total', [], 'Requests for an owner for whom no worker may act, or could be had.', ({ supervisor }) => [
    [supervisor.counts.ownersRefused],
  ]),
  counter('postkasse_worker_requests_total', [], "Requests of the fronts to owners' workers.", ({ counts }) => [[counts.workers.requests]]),
  counter('postkasse_cpu_seconds_total', ['role'], 'Processor time used, of user and kernel together.', ({ supervisor, counts }) => [
    [supervisor.counts.cpuMs / 1000, 'supervisor'],
    [counts.fronts.cpuMs / 1000, 'front'],
    [counts.workers.cpuMs / 1000, 'worker'],
  ]),
  gauge('postkasse_resident_memory_bytes', ['role'], 'Memory that processes have; what they share is counted for each.', (report) =>
    byRole(report, ({ rss }) => rss),
  ),
  gauge('postkasse_heap_bytes', ['role'], 'Memory in use for JavaScript values.', (report) => byRole(report, ({ heapUsed }) => heapUsed)),
  gauge(
    'postkasse_event_loop_lag_seconds',
    [],
    'The longest that an event of any front waited for its turn within the last minute.',
    (report) => [[Math.max(0, ...frontReports(report).map(({ lagMs }) => lagMs)) / 1000]],
  ),
  gauge(
    'postkasse_connections',
    ['protocol', 'state'],
    'Connections that are open. POP3 states are those of RFC 1939, before and after them proxy header, handshake and closing.',
    connections,
  ),
  counter('postkasse_connections_accepted_total', ['protocol'], 'Connections that came.', ({ counts }) =>
    Object.entries(counts.fronts.accepted).map(([protocol, value]) => [value, protocol]),
  ),
  counter('postkasse_connections_turned_away_total', [], 'Connections sent away for want of room.', ({ counts }) => [
    [counts.fronts.turnedAway],
  ]),
  gauge(
    'postkasse_sessions',
    ['domain'],
    'POP3 sessions that are logged in. Domains beyond metrics.domains are (other), users of the host itself (host).',
    (report, { domains }) => sessions(report, domains),
  ),
  counter('postkasse_logins_total', [], 'POP3 logins that succeeded.', ({ counts }) => [[counts.fronts.sessions.logins]]),
  counter(
    'postkasse_login_failures_total',
    ['reason'],
    'POP3 logins that did not. Reason auth: wrong name or password; throttled: too many tries lately; temporary, permanent: trouble on our side.',
    ({ counts }) => Object.entries(counts.fronts.sessions.loginFailures).map(([reason, value]) => [value, reason]),
  ),
  counter('postkasse_smtp_auths_total', [], 'SMTP clients of Postfix that logged in.', ({ counts }) => [[counts.fronts.smtpAuth.logins]]),
  counter(
    'postkasse_smtp_auth_failures_total',
    ['reason'],
    'SMTP clients of Postfix that were not let in. Reasons as for POP3.',
    ({ counts }) => Object.entries(counts.fronts.smtpAuth.failures).map(([reason, value]) => [value, reason]),
  ),
  gauge('postkasse_throttled_sources', [], 'Networks that failed to log in lately and wait for longer therefore.', (report) => [
    [Math.max(0, ...frontReports(report).map(({ throttle }) => throttle.sources))],
  ]),
  gauge('postkasse_accounts_under_attack', [], 'Accounts that somebody is guessing at.', (report) => [
    [Math.max(0, ...frontReports(report).map(({ throttle }) => throttle.accounts))],
  ]),
  counter('postkasse_messages_retrieved_total', [], 'Messages sent whole to POP3 clients.', ({ counts }) => [
    [counts.fronts.sessions.retrieved],
  ]),
  counter('postkasse_retrieved_bytes_total', [], 'Octets of these messages.', ({ counts }) => [[counts.fronts.sessions.retrievedOctets]]),
  counter('postkasse_messages_deleted_total', ['cause'], 'Messages removed at QUIT: marked by the client, or expired.', ({ counts }) => [
    [counts.fronts.sessions.deleted, 'client'],
    [counts.fronts.sessions.expired, 'expired'],
  ]),
  counter('postkasse_pop3_bytes_total', ['direction'], 'Octets of POP3, inside of TLS where there is any.', ({ counts }) => [
    [counts.fronts.octetsReceived, 'in'],
    [counts.fronts.octetsSent, 'out'],
  ]),
  counter('postkasse_messages_received_total', [], 'Messages that came whole over LMTP and SMTP.', ({ counts }) => [
    [counts.fronts.deliveries.messages],
  ]),
  counter('postkasse_received_bytes_total', [], 'Octets of these messages.', ({ counts }) => [[counts.fronts.deliveries.octets]]),
  counter(
    'postkasse_deliveries_total',
    ['outcome'],
    'Recipients, by what became of the message for them. Outcome deferred and failed: answered with 4xx and 5xx after DATA.',
    ({ counts: { fronts } }) => [
      [fronts.deliveries.delivered, 'delivered'],
      [fronts.deliveries.failedTemporarily, 'deferred'],
      [fronts.deliveries.failedPermanently, 'failed'],
    ],
  ),
  counter(
    'postkasse_recipients_refused_total',
    ['outcome'],
    'RCPT commands answered with 4xx (deferred) and 5xx (refused).',
    ({ counts }) => [
      [counts.fronts.deliveries.deferred, 'deferred'],
      [counts.fronts.deliveries.refused, 'refused'],
    ],
  ),
  counter(
    'postkasse_over_quota_total',
    [],
    'Recipients of all these for whom a mailbox or its domain had no room, at RCPT and after DATA.',
    ({ counts }) => [[counts.fronts.deliveries.overQuota]],
  ),
  counter(
    'postkasse_lookups_total',
    ['outcome'],
    'Questions of Postfix to a table. Outcome deferred: not known at the moment, Postfix asks again.',
    ({ counts: { fronts } }) => [
      [fronts.questions.lookups.found, 'found'],
      [fronts.questions.lookups.notFound, 'not-found'],
      [fronts.questions.lookups.deferred, 'deferred'],
    ],
  ),
  counter(
    'postkasse_policy_requests_total',
    ['outcome'],
    'Questions of Postfix to the policy service. Outcome neutral: DUNNO, the next restriction decides.',
    ({ counts: { fronts } }) => [
      [fronts.questions.policy.neutral, 'neutral'],
      [fronts.questions.policy.permitted, 'permitted'],
      [fronts.questions.policy.rejected, 'rejected'],
      [fronts.questions.policy.deferred, 'deferred'],
    ],
  ),
  counter(
    'postkasse_questions_unanswered_total',
    ['reason'],
    'Questions of Postfix without their answer. Reason late: it was not there in time, and "try again" was said; malformed: they made no sense.',
    ({ counts: { fronts } }) => [
      [fronts.questions.late, 'late'],
      [fronts.questions.malformed, 'malformed'],
    ],
  ),
  gauge(
    'postkasse_deliveries_under_way',
    ['stage'],
    'Stage receiving: messages of which a part is here. Stage delivering: recipients whose mailbox is written to or waited for.',
    (report) => [
      [summed(report, ({ deliveries }) => deliveries.receiving), 'receiving'],
      [summed(report, ({ deliveries }) => deliveries.delivering), 'delivering'],
    ],
  ),
  gauge('postkasse_spooled_bytes', [], 'Octets of messages under way, in memory and on the disc.', (report) => [
    [summed(report, ({ deliveries }) => deliveries.spooledOctets)],
  ]),
];

type Samples = Metric['samples'];

function gauge(name: string, labels: readonly string[], help: string, samples: Samples): Metric {
  return { name, type: 'gauge', labels, help, samples };
}

function counter(name: string, labels: readonly string[], help: string, samples: Samples): Metric {
  return { name, type: 'counter', labels, help, samples };
}

function summed(report: HouseReport, figure: (front: FrontReport) => number): number {
  return frontReports(report).reduce((sum, front) => sum + figure(front), 0);
}

function byRole(report: HouseReport, figure: (process: { readonly rss: number; readonly heapUsed: number }) => number): Sample[] {
  const workers = report.workers.flatMap((worker) => worker.report ?? []);
  return [
    [figure(report.supervisor), 'supervisor'],
    [summed(report, figure), 'front'],
    [workers.reduce((sum, worker) => sum + figure(worker), 0), 'worker'],
  ];
}

function connections(report: HouseReport): Sample[] {
  return connectionsOf(frontReports(report)).map(({ protocol, state, connections: open }) => [open, protocol, state]);
}

function sessions(report: HouseReport, domains: number): Sample[] {
  const all = sessionsOf(frontReports(report));
  const shown = all.filter(({ domain }) => domain !== null).slice(0, domains);
  const rest = all.filter((row) => row.domain !== null && !shown.includes(row));
  const sum = (rows: readonly DomainSessions[]) => rows.reduce((total, row) => total + row.sessions, 0);
  return [
    ...shown.map((row): Sample => [row.sessions, row.domain ?? '']),
    [sum(rest), OTHER_DOMAINS],
    [sum(all.filter(({ domain }) => domain === null)), HOST_USERS],
  ];
}
