/** A house with two fronts, one of which is silent, an old one that retires, and two workers. */
import { added, type FrontCounts, type FrontReport, type HouseReport, noFrontCounts, type WorkerReport } from '../../src/model/report.ts';

const MiB = 1024 * 1024;

export const frontCounts: FrontCounts = {
  cpuMs: 1500,
  accepted: { pop3: 40, pop3s: 60, lmtp: 7, smtp: 1, sasl: 2, socketmap: 5, 'tcp-table': 2, policy: 4 },
  turnedAway: 3,
  octetsReceived: 20_000,
  octetsSent: 5_000_000,
  sessions: {
    logins: 90,
    loginFailures: { auth: 5, 'in-use': 4, 'login-delay': 3, throttled: 6, temporary: 2, permanent: 1 },
    retrieved: 33,
    retrievedOctets: 4_000_000,
    deleted: 30,
    expired: 8,
  },
  smtpAuth: { logins: 21, failures: { auth: 10, throttled: 9, temporary: 8, permanent: 7 } },
  deliveries: {
    messages: 12,
    octets: 70_000,
    delivered: 14,
    failedTemporarily: 2,
    failedPermanently: 1,
    deferred: 6,
    refused: 9,
    overQuota: 4,
  },
  questions: {
    lookups: { found: 50, notFound: 25, deferred: 3 },
    policy: { neutral: 20, permitted: 2, rejected: 7, deferred: 1 },
    late: 2,
    malformed: 1,
  },
};

export const frontReport: FrontReport = {
  uptimeS: 93_784,
  rss: 61 * MiB,
  heapUsed: 20 * MiB,
  connections: [
    { protocol: 'lmtp', state: 'data', connections: 1 },
    { protocol: 'pop3', state: 'AUTHORIZATION', connections: 2 },
    { protocol: 'pop3s', state: 'TRANSACTION', connections: 4 },
  ],
  sessions: [
    { domain: 'kvt.dk', sessions: 2 },
    { domain: 'example.org', sessions: 1 },
    { domain: null, sessions: 1 },
  ],
  deliveries: { receiving: 1, delivering: 2, spooledOctets: 3_000_000 },
  throttle: { sources: 2, accounts: 1 },
  relays: [
    { account: 'abc@kvt.dk', source: '198.51.100.7', atMs: Date.UTC(2026, 10, 28) },
    { account: 'kvt@kvt.dk', source: '2001:db8:0:1::/64', atMs: Date.UTC(2026, 10, 1) },
  ],
  lagMs: 12.4,
  counts: frontCounts,
};

const retiring: FrontReport = {
  ...frontReport,
  uptimeS: 90_000,
  connections: [{ protocol: 'pop3s', state: 'TRANSACTION', connections: 1 }],
  sessions: [{ domain: 'example.org', sessions: 1 }],
  deliveries: { receiving: 0, delivering: 0, spooledOctets: 0 },
  throttle: { sources: 1, accounts: 0 },
  relays: [{ account: 'kvt@kvt.dk', source: '198.51.100.9', atMs: Date.UTC(2026, 10, 27) }],
  lagMs: 0,
  counts: noFrontCounts(),
};

const worker: WorkerReport = {
  uptimeS: 600,
  rss: 48 * MiB,
  heapUsed: 9 * MiB,
  sessions: [{ domain: 'kvt.dk', sessions: 2 }],
  idleSinceMs: null,
  counts: { cpuMs: 250, requests: 120, deliveries: 9 },
};

export const atMs = Date.UTC(2026, 10, 22, 12);

export const houseReport: HouseReport = {
  version: '1.2.3',
  atMs,
  supervisor: {
    uptimeS: 93_785,
    rss: 50 * MiB,
    heapUsed: 10 * MiB,
    pid: 4711,
    generation: 2,
    listeners: ['127.0.0.1:110', '[::1]:995', 'unix:/run/postkasse/lmtp'],
    stopping: false,
    counts: { cpuMs: 100, frontsDied: 1, workersStarted: 5, workersEnded: 2, workersDied: 1, ownersRefused: 3 },
  },
  fronts: [
    { front: 0, pid: 4712, retiring: false, report: frontReport },
    { front: 1, pid: 4713, retiring: false, report: null },
    { front: 0, pid: 4700, retiring: true, report: retiring },
  ],
  workers: [
    { owner: '601:100', user: 'kvt_dk', pid: 4720, report: worker },
    { owner: '602:100', user: null, pid: 4721, report: { ...worker, sessions: [], idleSinceMs: atMs - 42_000 } },
    { owner: '603:100 system', user: 'ada', pid: 4722, report: null },
  ],
  counts: { fronts: added(frontCounts, { ...noFrontCounts(), turnedAway: 1 }), workers: { cpuMs: 500, requests: 240, deliveries: 18 } },
};
