import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frontReport, houseReport } from '../../test/support/houseReport.ts';
import { parseMetrics, samplesOf } from '../../test/support/prometheusText.ts';
import type { DomainSessions, HouseReport } from '../model/report.ts';
import { metricsText } from './metricsText.ts';
import { metricTable } from './metricTable.ts';

function withSessions(sessions: readonly DomainSessions[]): HouseReport {
  return { ...houseReport, fronts: [{ front: 0, pid: 1, retiring: false, report: { ...frontReport, sessions } }] };
}

async function domainsIn(report: HouseReport, domains: number): Promise<[string, number][]> {
  const samples = samplesOf(await metricsText(report, { domains }));
  return samples.flatMap(([name, value]) => {
    const [, domain] = /^postkasse_sessions\{domain="(.*)"\}$/.exec(name) ?? [];
    return domain === undefined ? [] : [[domain, value] as [string, number]];
  });
}

test('every figure of a house', async () => {
  assert.deepEqual(samplesOf(await metricsText(houseReport, { domains: 20 })), [
    ['postkasse_build_info{version="1.2.3"}', 1],
    ['postkasse_start_time_seconds', Date.UTC(2026, 10, 22, 12) / 1000 - 93_785],
    ['postkasse_settings_generation', 2],
    ['postkasse_processes{role="front",state="serving"}', 1],
    ['postkasse_processes{role="front",state="retiring"}', 1],
    ['postkasse_processes{role="front",state="silent"}', 1],
    ['postkasse_processes{role="worker",state="serving"}', 2],
    ['postkasse_processes{role="worker",state="silent"}', 1],
    ['postkasse_process_deaths_total{role="front"}', 1],
    ['postkasse_process_deaths_total{role="worker"}', 1],
    ['postkasse_workers_started_total', 5],
    ['postkasse_workers_ended_total', 2],
    ['postkasse_owners_refused_total', 3],
    ['postkasse_worker_requests_total', 240],
    ['postkasse_cpu_seconds_total{role="supervisor"}', 0.1],
    ['postkasse_cpu_seconds_total{role="front"}', 1.5],
    ['postkasse_cpu_seconds_total{role="worker"}', 0.5],
    ['postkasse_resident_memory_bytes{role="supervisor"}', 50 * 1024 ** 2],
    ['postkasse_resident_memory_bytes{role="front"}', 122 * 1024 ** 2],
    ['postkasse_resident_memory_bytes{role="worker"}', 96 * 1024 ** 2],
    ['postkasse_heap_bytes{role="supervisor"}', 10 * 1024 ** 2],
    ['postkasse_heap_bytes{role="front"}', 40 * 1024 ** 2],
    ['postkasse_heap_bytes{role="worker"}', 18 * 1024 ** 2],
    ['postkasse_event_loop_lag_seconds', 0.0124],
    ['postkasse_connections{protocol="lmtp",state="data"}', 1],
    ['postkasse_connections{protocol="pop3",state="AUTHORIZATION"}', 2],
    ['postkasse_connections{protocol="pop3s",state="TRANSACTION"}', 5],
    ['postkasse_connections_accepted_total{protocol="pop3"}', 40],
    ['postkasse_connections_accepted_total{protocol="pop3s"}', 60],
    ['postkasse_connections_accepted_total{protocol="lmtp"}', 7],
    ['postkasse_connections_accepted_total{protocol="smtp"}', 1],
    ['postkasse_connections_accepted_total{protocol="sasl"}', 2],
    ['postkasse_connections_accepted_total{protocol="socketmap"}', 5],
    ['postkasse_connections_accepted_total{protocol="tcp-table"}', 2],
    ['postkasse_connections_accepted_total{protocol="policy"}', 4],
    ['postkasse_connections_turned_away_total', 4],
    ['postkasse_sessions{domain="example.org"}', 2],
    ['postkasse_sessions{domain="kvt.dk"}', 2],
    ['postkasse_sessions{domain="(other)"}', 0],
    ['postkasse_sessions{domain="(host)"}', 1],
    ['postkasse_logins_total', 90],
    ['postkasse_login_failures_total{reason="auth"}', 5],
    ['postkasse_login_failures_total{reason="in-use"}', 4],
    ['postkasse_login_failures_total{reason="login-delay"}', 3],
    ['postkasse_login_failures_total{reason="throttled"}', 6],
    ['postkasse_login_failures_total{reason="temporary"}', 2],
    ['postkasse_login_failures_total{reason="permanent"}', 1],
    ['postkasse_smtp_auths_total', 21],
    ['postkasse_smtp_auth_failures_total{reason="auth"}', 10],
    ['postkasse_smtp_auth_failures_total{reason="throttled"}', 9],
    ['postkasse_smtp_auth_failures_total{reason="temporary"}', 8],
    ['postkasse_smtp_auth_failures_total{reason="permanent"}', 7],
    ['postkasse_throttled_sources', 2],
    ['postkasse_accounts_under_attack', 1],
    ['postkasse_messages_retrieved_total', 33],
    ['postkasse_retrieved_bytes_total', 4_000_000],
    ['postkasse_messages_deleted_total{cause="client"}', 30],
    ['postkasse_messages_deleted_total{cause="expired"}', 8],
    ['postkasse_pop3_bytes_total{direction="in"}', 20_000],
    ['postkasse_pop3_bytes_total{direction="out"}', 5_000_000],
    ['postkasse_messages_received_total', 12],
    ['postkasse_received_bytes_total', 70_000],
    ['postkasse_deliveries_total{outcome="delivered"}', 14],
    ['postkasse_deliveries_total{outcome="deferred"}', 2],
    ['postkasse_deliveries_total{outcome="failed"}', 1],
    ['postkasse_recipients_refused_total{outcome="deferred"}', 6],
    ['postkasse_recipients_refused_total{outcome="refused"}', 9],
    ['postkasse_over_quota_total', 4],
    ['postkasse_lookups_total{outcome="found"}', 50],
    ['postkasse_lookups_total{outcome="not-found"}', 25],
    ['postkasse_lookups_total{outcome="deferred"}', 3],
    ['postkasse_policy_requests_total{outcome="neutral"}', 20],
    ['postkasse_policy_requests_total{outcome="permitted"}', 2],
    ['postkasse_policy_requests_total{outcome="rejected"}', 7],
    ['postkasse_policy_requests_total{outcome="deferred"}', 1],
    ['postkasse_questions_unanswered_total{reason="late"}', 2],
    ['postkasse_questions_unanswered_total{reason="malformed"}', 1],
    ['postkasse_deliveries_under_way{stage="receiving"}', 1],
    ['postkasse_deliveries_under_way{stage="delivering"}', 2],
    ['postkasse_spooled_bytes', 3_000_000],
  ]);
});

test('each metric is there with its type and help, also where nobody has done anything', async () => {
  const families = parseMetrics(await metricsText({ ...houseReport, fronts: [], workers: [] }, { domains: 20 }));
  assert.deepEqual(
    [...families].map(([name, { type, help }]) => [name, type, help]),
    metricTable.map(({ name, type, help }) => [name, type, help]),
  );
});

test('names and units are as Prometheus asks for', () => {
  for (const { name, type, labels, help } of metricTable) {
    assert.match(name, /^postkasse_[a-z0-9]+(_[a-z0-9]+)*$/);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    assert.doesNotMatch(name, /octets|_ms|milliseconds|_count$|_sum$|_bucket$|gauge|counter/);
    assert.match(help, /^[A-Z].*\.$/, name);
    assert.deepEqual(
      labels.filter(
        (label) => !['version', 'role', 'state', 'protocol', 'domain', 'reason', 'cause', 'direction', 'outcome', 'stage'].includes(label),
      ),
      [],
    );
  }
  assert.equal(new Set(metricTable.map(({ name }) => name)).size, metricTable.length);
});

test('so many domains and no more have a value of their own', async () => {
  const report = withSessions([
    { domain: 'a.example', sessions: 5 },
    { domain: null, sessions: 4 },
    { domain: 'b.example', sessions: 3 },
    { domain: 'other', sessions: 2 },
    { domain: 'c.example', sessions: 1 },
  ]);
  assert.deepEqual(await domainsIn(report, 3), [
    ['a.example', 5],
    ['b.example', 3],
    ['other', 2],
    ['(other)', 1],
    ['(host)', 4],
  ]);
  assert.deepEqual(await domainsIn(report, 0), [
    ['(other)', 11],
    ['(host)', 4],
  ]);
});
