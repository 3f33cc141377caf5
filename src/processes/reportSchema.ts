/** Reports as they come from another process: whoever has taken over a front, or the place of our socket, may say anything. */
import { z } from 'zod';
import { parseDomainName } from '../model/address.ts';
import { carriedProtocols, type FrontReport, type HouseReport, type WorkerReport } from '../model/report.ts';

const figure = z.number().nonnegative().max(Number.MAX_SAFE_INTEGER);
const count = figure.int();
const pid = count.max(2 ** 31);

const domain = z
  .string()
  .refine((name) => parseDomainName(name) === name)
  .nullable();
/** Far more domains than a host has, and few enough to hold. */
const sessions = z.array(z.strictObject({ domain, sessions: count })).max(100_000);

/** Shown to people. */
const line = z.string().regex(/^\P{Cc}{0,400}$/u);

const own = { uptimeS: figure, rss: count, heapUsed: count };

const frontCounts = z.strictObject({
  cpuMs: figure,
  accepted: z.record(z.enum(carriedProtocols), count),
  turnedAway: count,
  octetsReceived: count,
  octetsSent: count,
  sessions: z.strictObject({
    logins: count,
    loginFailures: z.strictObject({
      auth: count,
      'in-use': count,
      'login-delay': count,
      throttled: count,
      temporary: count,
      permanent: count,
    }),
    retrieved: count,
    retrievedOctets: count,
    deleted: count,
    expired: count,
  }),
  smtpAuth: z.strictObject({
    logins: count,
    failures: z.strictObject({ auth: count, throttled: count, temporary: count, permanent: count }),
  }),
  deliveries: z.strictObject({
    messages: count,
    octets: count,
    delivered: count,
    failedTemporarily: count,
    failedPermanently: count,
    deferred: count,
    refused: count,
    overQuota: count,
  }),
  questions: z.strictObject({
    lookups: z.strictObject({ found: count, notFound: count, deferred: count }),
    policy: z.strictObject({ neutral: count, permitted: count, rejected: count, deferred: count }),
    late: count,
    malformed: count,
  }),
});

const workerCounts = z.strictObject({ cpuMs: figure, requests: count, deliveries: count });

export const frontReport: z.ZodType<FrontReport> = z.strictObject({
  ...own,
  connections: z
    .array(z.strictObject({ protocol: z.enum(carriedProtocols), state: z.string().regex(/^[A-Za-z ]{1,32}$/), connections: count }))
    .max(100),
  sessions,
  deliveries: z.strictObject({ receiving: count, delivering: count, spooledOctets: count }),
  throttle: z.strictObject({ sources: count, accounts: count }),
  relays: z.array(z.strictObject({ account: line, source: z.string().regex(/^[0-9a-f.:/]{2,64}$/), atMs: figure })).max(1000),
  lagMs: figure,
  counts: frontCounts,
});

export const workerReport: z.ZodType<WorkerReport> = z.strictObject({
  ...own,
  sessions,
  idleSinceMs: figure.nullable(),
  counts: workerCounts,
});

export const houseReport: z.ZodType<HouseReport> = z.strictObject({
  version: line,
  atMs: figure,
  supervisor: z.strictObject({
    ...own,
    pid,
    generation: count,
    listeners: z.array(line).max(10_000),
    stopping: z.boolean(),
    counts: z.strictObject({
      cpuMs: figure,
      frontsDied: count,
      workersStarted: count,
      workersEnded: count,
      workersDied: count,
      ownersRefused: count,
    }),
  }),
  fronts: z.array(z.strictObject({ front: count, pid, retiring: z.boolean(), report: frontReport.nullable() })).max(10_000),
  workers: z.array(z.strictObject({ owner: line, user: line.nullable(), pid, report: workerReport.nullable() })).max(100_000),
  counts: z.strictObject({ fronts: frontCounts, workers: workerCounts }),
});
