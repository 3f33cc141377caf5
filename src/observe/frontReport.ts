/** What a front tells about itself, gathered from where things happen. Nothing is counted for it that isn't at hand. */
import type { LogFields } from '../model/log.ts';
import {
  type AuthCounts,
  acceptedBy,
  added,
  type CarriedProtocol,
  type ConnectionCount,
  connectionsOf,
  type DeliveriesUnderWay,
  type DeliveryCounts,
  type DomainSessions,
  type FrontReport,
  type LookupCounts,
  noDeliveryCounts,
  type PolicyCounts,
  type RelayUse,
  type SessionCounts,
  type ThrottleFigures,
} from '../model/report.ts';
import { cpuMs, processFigures } from './processFigures.ts';

export interface FrontParts {
  /** Of the POP3 listeners, taken together. */
  readonly pop3: {
    readonly states: readonly ConnectionCount[];
    readonly sessions: readonly DomainSessions[];
    readonly accepted: ReadonlyMap<CarriedProtocol, number>;
    readonly turnedAway: number;
    readonly bytesReceived: number;
    readonly bytesSent: number;
  };
  readonly sessions: Readonly<SessionCounts>;
  /** Of each listener for mail. */
  readonly mail: readonly {
    readonly protocol: 'lmtp' | 'smtp';
    readonly states: readonly ConnectionCount[];
    readonly accepted: number;
    readonly turnedAway: number;
    readonly underWay: DeliveriesUnderWay;
    readonly deliveries: Readonly<DeliveryCounts>;
  }[];
  /** Of SMTP AUTH. */
  readonly auth: {
    readonly states: readonly ConnectionCount[];
    readonly accepted: number;
    readonly turnedAway: number;
    readonly counts: Readonly<AuthCounts>;
  };
  /** Of what Postfix asks. */
  readonly questions: {
    readonly states: readonly ConnectionCount[];
    readonly accepted: ReadonlyMap<CarriedProtocol, number>;
    readonly turnedAway: number;
    readonly late: number;
    readonly malformed: number;
  };
  readonly lookups: Readonly<LookupCounts>;
  readonly policy: Readonly<PolicyCounts>;
  readonly throttle: ThrottleFigures;
  readonly relays: readonly RelayUse[];
  readonly lagMs: number;
}

export function frontReport(parts: FrontParts): FrontReport {
  const { pop3, sessions, mail, auth, questions, lookups, policy, throttle, relays, lagMs } = parts;
  const acceptedFor = (protocol: CarriedProtocol) =>
    mail.reduce((sum, listener) => (listener.protocol === protocol ? sum + listener.accepted : sum), 0);
  const underWay = { receiving: 0, delivering: 0, spooledOctets: 0 };
  for (const listener of mail) {
    underWay.receiving += listener.underWay.receiving;
    underWay.delivering += listener.underWay.delivering;
    underWay.spooledOctets += listener.underWay.spooledOctets;
  }
  return {
    ...processFigures(),
    lagMs,
    connections: connectionsOf([pop3, auth, questions, ...mail].map(({ states }) => ({ connections: states }))),
    sessions: pop3.sessions,
    deliveries: underWay,
    throttle,
    relays,
    counts: {
      cpuMs: cpuMs(),
      accepted: acceptedBy((protocol) => {
        if (protocol === 'sasl') return auth.accepted;
        return pop3.accepted.get(protocol) ?? questions.accepted.get(protocol) ?? acceptedFor(protocol);
      }),
      turnedAway: mail.reduce((sum, listener) => sum + listener.turnedAway, pop3.turnedAway + auth.turnedAway + questions.turnedAway),
      octetsReceived: pop3.bytesReceived,
      octetsSent: pop3.bytesSent,
      sessions: { ...sessions, loginFailures: { ...sessions.loginFailures } },
      smtpAuth: { logins: auth.counts.logins, failures: { ...auth.counts.failures } },
      deliveries: mail.reduce((sum, listener) => added(sum, listener.deliveries), noDeliveryCounts()),
      questions: { lookups: { ...lookups }, policy: { ...policy }, late: questions.late, malformed: questions.malformed },
    },
  };
}

/** The same as an event of the log has it: as few fields within fields as can be. */
export function stateFields({ counts, deliveries, throttle, relays, ...figures }: FrontReport): LogFields {
  const { sessions, smtpAuth, deliveries: delivered, ...rest } = counts;
  return {
    ...figures,
    ...deliveries,
    throttledSources: throttle.sources,
    accountsUnderAttack: throttle.accounts,
    accountsRelaying: relays.length,
    ...rest,
    ...sessions,
    smtpAuths: smtpAuth.logins,
    smtpAuthFailures: smtpAuth.failures,
    ...delivered,
  };
}
