/** What Postfix may ask this house, and the server that carries it. */
import type { ListenSettings, Settings } from '../config/index.ts';
import type { QuotaPolicy, ResolverOptions } from '../delivery/index.ts';
import type { Log } from '../model/log.ts';
import type { RecentLogins } from '../model/recentLogins.ts';
import { type LookupCounts, noLookupCounts, noPolicyCounts, type PolicyCounts, type QuestionProtocol } from '../model/report.ts';
import type { Overload } from '../net/overload.ts';
import { createAddresses } from '../postfix/addresses.ts';
import { createLookups } from '../postfix/lookups.ts';
import { createMaps } from '../postfix/maps.ts';
import { policyDialogue } from '../postfix/policy.ts';
import { QuestionServer } from '../postfix/questionServer.ts';
import type { QuestionDialogue } from '../postfix/questions.ts';
import { socketmapDialogue } from '../postfix/socketmap.ts';
import { tcpTableDialogue } from '../postfix/tcpTable.ts';
import { lmtpTransport } from '../postfix/transport.ts';
import type { Speaker } from '../texts/speaker.ts';

export interface QuestionParts {
  readonly settings: Settings;
  /** As the one of deliveries is made. */
  readonly resolverOptions: ResolverOptions;
  readonly limits: QuotaPolicy;
  readonly speaker: Speaker;
  readonly log: Log;
  readonly overload: Overload;
  readonly maxConnections: number;
  readonly recentLogins: RecentLogins;
}

export interface Questions {
  readonly server: QuestionServer;
  readonly lookups: Readonly<LookupCounts>;
  readonly policy: Readonly<PolicyCounts>;
  /** Resolves when questions are taken from there. @throws Error with `code` */
  listen(door: ListenSettings & { readonly protocol: QuestionProtocol }, fd: number): Promise<void>;
}

export function createQuestions(parts: QuestionParts): Questions {
  const { settings, resolverOptions, limits, speaker, log, overload, maxConnections, recentLogins } = parts;
  const clock = () => performance.now();
  const counts = { lookups: noLookupCounts(), policy: noPolicyCounts() };
  const addresses = createAddresses(resolverOptions);
  const transport = lmtpTransport(settings.listen.find(({ protocol }) => protocol === 'lmtp')?.address);
  const maps = createMaps({ addresses, recentLogins, transport });
  const lookups = createLookups({ maps, counts: counts.lookups, log, clock });
  const rules = { permitsRecentLogins: settings.policy.permitRecentLogins, checksSenders: settings.policy.checkSenders };
  const server = new QuestionServer({
    idleTimeoutMs: settings.lookups.idleTimeoutS * 1000,
    answerMs: settings.lookups.answerS * 1000,
    maxConnections,
    log,
    clock,
    overload,
  });

  function dialogueOf({ protocol, map }: ListenSettings & { readonly protocol: QuestionProtocol }): QuestionDialogue {
    if (protocol === 'policy') return policyDialogue({ rules, addresses, recentLogins, limits, speaker, counts: counts.policy, log });
    if (protocol === 'socketmap' || map === undefined) return socketmapDialogue(lookups, speaker);
    return tcpTableDialogue(map, lookups, speaker);
  }

  return {
    server,
    ...counts,
    async listen(door, fd) {
      await server.listen({ protocol: door.protocol, dialogue: dialogueOf(door), listen: { fd } });
    },
  };
}
