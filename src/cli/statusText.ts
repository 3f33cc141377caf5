/** The state of the house, for people. */
import { connectionsOf, type FrontReport, frontReports, type HouseReport, relaysOf, sessionsOf } from '../model/report.ts';
import type { Text, Values } from '../texts/index.ts';

type Say = (text: Text, values?: Values) => string;

/** Domains with a line of their own. */
const MOST_DOMAINS = 20;

/** Lines, without line ends. */
export function statusText(report: HouseReport, say: Say): string[] {
  const { supervisor, version } = report;
  const head = say('Postkasse {version}, process {pid}, running for {time}', {
    version,
    pid: supervisor.pid,
    time: duration(supervisor.uptimeS, say),
  });
  const sections = [
    supervisor.stopping ? [head, say('it is stopping')] : [head],
    fronts(report, say),
    workers(report, say),
    domains(report, say),
    connections(report, say),
    underWay(report, say),
    relays(report, say),
    counters(report, say),
  ];
  return sections.filter((lines) => lines.length > 0).flatMap((lines, n) => (n === 0 ? lines : ['', ...lines]));
}

function fronts({ fronts: all }: HouseReport, say: Say): string[] {
  const rows = all.map(({ front, pid, retiring, report }): Row => {
    const name = retiring ? say('{front} (retiring)', { front }) : String(front);
    if (report === null) return { cells: [name, String(pid)], note: say('does not answer') };
    const { rss, lagMs, uptimeS } = report;
    const figures = [pid, sumOf(report.sessions), sumOf(report.connections)].map(String);
    return { cells: [name, ...figures, size(rss), say('{ms} ms', { ms: Math.round(lagMs) }), duration(uptimeS, say)] };
  });
  const titles = (['front', 'process', 'sessions', 'connections', 'memory', 'lag', 'running for'] as const).map((text) => say(text));
  return table([{ cells: titles }, ...rows]);
}

function workers({ workers: all, atMs }: HouseReport, say: Say): string[] {
  if (all.length === 0) return [];
  const rows = all.map(({ owner, user, pid, report }): Row => {
    const name = user === null ? owner : `${user} (${owner})`;
    if (report === null) return { cells: [name, String(pid)], note: say('does not answer') };
    const { rss, idleSinceMs, counts } = report;
    const figures = [pid, sumOf(report.sessions), counts.requests, counts.deliveries].map(String);
    const idle = idleSinceMs === null ? '-' : duration((atMs - idleSinceMs) / 1000, say);
    return { cells: [name, ...figures, size(rss), idle] };
  });
  const titles = (["owner's worker", 'process', 'sessions', 'requests', 'deliveries', 'memory', 'idle for'] as const).map((text) =>
    say(text),
  );
  return table([{ cells: titles }, ...rows]);
}

function domains(report: HouseReport, say: Say): string[] {
  const all = sessionsOf(frontReports(report));
  const rows = all.slice(0, MOST_DOMAINS).map(
    ({ domain, sessions }): Row => ({
      cells: [domain ?? say('(users of the host)'), String(sessions)],
    }),
  );
  const rest = all.slice(MOST_DOMAINS);
  if (rest.length > 0) rows.push({ cells: [say('({count} further domains)', { count: rest.length }), String(sumOf(rest))] });
  if (rows.length === 0) rows.push({ cells: [say('(nobody is logged in)'), '0'] });
  return table([{ cells: [say('domain'), say('sessions')] }, ...rows]);
}

function connections(report: HouseReport, say: Say): string[] {
  const all = connectionsOf(frontReports(report));
  if (all.length === 0) return [];
  const rows = all.map(({ protocol, state, connections: open }): Row => ({ cells: [protocol, state, String(open)] }));
  return table([{ cells: [say('protocol'), say('state'), say('connections')] }, ...rows], 2);
}

function underWay(report: HouseReport, say: Say): string[] {
  const all = frontReports(report);
  const sum = (figure: (front: FrontReport) => number) => all.reduce((total, front) => total + figure(front), 0);
  const most = (figure: (front: FrontReport) => number) => Math.max(0, ...all.map(figure));
  return [
    say('mail on its way in'),
    ...figures(say, [
      ['messages being received', sum(({ deliveries }) => deliveries.receiving)],
      ['recipients being delivered to', sum(({ deliveries }) => deliveries.delivering)],
      ['spooled', size(sum(({ deliveries }) => deliveries.spooledOctets))],
    ]),
    say('throttling'),
    // The fronts tell each other: what one knows, all of them know.
    ...figures(say, [
      ['sources held back', most(({ throttle }) => throttle.sources)],
      ['accounts under attack', most(({ throttle }) => throttle.accounts)],
    ]),
  ];
}

function relays(report: HouseReport, say: Say): string[] {
  const rows = relaysOf(frontReports(report)).map(
    ({ account, source, atMs }): Row => ({ cells: [account, source, new Date(atMs).toISOString().slice(0, 10)] }),
  );
  if (rows.length === 0) return [];
  return table([{ cells: [say('sends after fetching (POP before SMTP)'), say('from'), say('last day')] }, ...rows], 3);
}

function counters({ counts, supervisor, workers: all }: HouseReport, say: Say): string[] {
  const { sessions, smtpAuth, deliveries, questions, accepted, turnedAway, octetsReceived, octetsSent } = counts.fronts;
  const { lookups, policy } = questions;
  const answered = lookups.found + lookups.notFound + policy.neutral + policy.permitted + policy.rejected;
  const { loginFailures } = sessions;
  const { workersStarted, workersDied, ownersRefused, frontsDied } = supervisor.counts;
  const hasWorkers = all.length + workersStarted + ownersRefused > 0;
  return [
    say('since the start'),
    ...figures(say, [
      ['logins', sessions.logins],
      ['failed: wrong name or password', loginFailures.auth],
      ['failed: maildrop in use', loginFailures['in-use']],
      ['failed: too soon after the last', loginFailures['login-delay']],
      ['failed: too many tries lately', loginFailures.throttled],
      ['failed: trouble here', loginFailures.temporary + loginFailures.permanent],
      ['SMTP logins', smtpAuth.logins],
      ['SMTP logins that failed', added(smtpAuth.failures)],
      ['messages retrieved', sessions.retrieved],
      ['messages deleted', sessions.deleted],
      ['messages expired', sessions.expired],
      ['received over POP3', size(octetsReceived)],
      ['sent over POP3', size(octetsSent)],
      ['messages received', deliveries.messages],
      ['recipients delivered to', deliveries.delivered],
      ['recipients to be tried again', deliveries.failedTemporarily + deliveries.deferred],
      ['recipients failed', deliveries.failedPermanently],
      ['recipients refused', deliveries.refused],
      ['recipients without room', deliveries.overQuota],
      ['questions of Postfix answered', answered],
      ['questions of Postfix put off', questions.lookups.deferred + questions.policy.deferred + questions.late],
      ['connections accepted', added(accepted)],
      ['connections turned away', turnedAway],
      ['fronts that died', frontsDied],
      ...(hasWorkers
        ? ([
            ['workers started', workersStarted],
            ['workers that died', workersDied],
            ['owners refused', ownersRefused],
          ] as const)
        : []),
    ]),
  ];
}

function added(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function figures(say: Say, rows: readonly (readonly [Text, number | string])[]): string[] {
  return table(rows.map(([label, figure]) => ({ cells: [`  ${say(label)}`, String(figure)] })));
}

interface Row {
  readonly cells: readonly string[];
  /** Stands where further cells would. */
  readonly note?: string;
}

/** The first `left` columns begin where they are written, the others end there. */
function table(rows: readonly Row[], left = 1): string[] {
  const widths: number[] = [];
  for (const { cells } of rows) for (const [n, cell] of cells.entries()) widths[n] = Math.max(widths[n] ?? 0, cell.length);
  return rows.map(({ cells, note }) => {
    const padded = cells.map((cell, n) => (n < left ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0)));
    return [...padded, ...(note === undefined ? [] : [note])].join('  ').trimEnd();
  });
}

function sumOf(rows: readonly ({ readonly sessions: number } | { readonly connections: number })[]): number {
  return rows.reduce((sum, row) => sum + ('sessions' in row ? row.sessions : row.connections), 0);
}

function duration(seconds: number, say: Say): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [minutes, hours, days] = [Math.floor(whole / 60), Math.floor(whole / 3600), Math.floor(whole / 86_400)];
  if (days > 0) return say('{days} d {hours} h', { days, hours: hours % 24 });
  if (hours > 0) return say('{hours} h {minutes} min', { hours, minutes: minutes % 60 });
  return minutes > 0 ? say('{minutes} min {seconds} s', { minutes, seconds: whole % 60 }) : say('{seconds} s', { seconds: whole });
}

/** In the largest unit that has two digits, so that none stand behind a point. */
function size(octets: number): string {
  let value = octets;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 10_240 || unit === 'GiB') return `${Math.round(value)} ${unit}`;
    value /= 1024;
  }
  return `${Math.round(value)} GiB`;
}
