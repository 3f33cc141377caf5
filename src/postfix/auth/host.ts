/** What SMTP AUTH is given by the house it runs in. */
import type { Clock } from '../../admission/clock.ts';
import type { Directory } from '../../model/directory.ts';
import type { Log } from '../../model/log.ts';
import type { LoginGate } from '../../model/loginGate.ts';
import type { Networks } from '../../model/networks.ts';
import type { AuthCounts } from '../../model/report.ts';
import type { Speaker } from '../../texts/speaker.ts';

export interface AuthHost {
  readonly directory: Pick<Directory, 'authenticate' | 'scramParameters' | 'proofKinds'>;
  /** Asked before each proof is looked at. */
  readonly gate: LoginGate;
  readonly speaker: Speaker;
  readonly log: Log;
  readonly clock: Clock;
  /** That many octets nobody can guess. */
  readonly random: (octets: number) => Buffer;
  /** Stands in SASL challenges. */
  readonly hostname: string;
  /** Names of the SASL mechanisms there are; `undefined`: all that we know. */
  readonly mechanisms: ReadonlySet<string> | undefined;
  /** SMTP clients from there may send passwords without TLS. */
  readonly plaintextNetworks: Networks;
  /** There is too much to do already: who asks now is told to try again later. */
  readonly isOverloaded: () => boolean;
  /** Of all connections. */
  readonly counts: AuthCounts;
  readonly processId: number;
}
