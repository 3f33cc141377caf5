/** What a house is told, and what it can be asked for. */
import type { Settings } from '../config/index.ts';
import type { Address } from '../model/address.ts';
import type { Directory } from '../model/directory.ts';
import type { LogFields } from '../model/log.ts';
import type { MailExplanation } from '../model/mailExplanation.ts';
import type { Inhabitants } from '../model/quota.ts';
import type { FrontReport, HouseReport } from '../model/report.ts';
import type { Identity } from '../os/becomeUser.ts';
import type { Whereabouts } from '../owners/whereabouts.ts';
import type { Phrasebook } from '../texts/speaker.ts';

export interface HouseOptions {
  readonly settings: Settings;
  readonly phrasebook: Phrasebook;
  /** By the listener's index in the settings: descriptors that listen already. A listener without any is not served here. */
  readonly sockets: ReadonlyMap<number, readonly number[]>;
  /** One connection that somebody else has accepted. */
  readonly connection?: CarriedConnection | undefined;
  /** Protocols whose dialogues are printed to standard error, secrets masked. */
  readonly trace: readonly string[];
  /** Whom to become when all that only root may read has been read, and before anything is served; `undefined`: nobody else. */
  readonly become: Identity | undefined;
  /** Where the workers are that check passwords and open maildrops, each as the owner; `undefined`: both is done here. */
  readonly whereabouts?: Whereabouts | undefined;
  /** Who exists, where that isn't simply as the settings say. */
  readonly directory?: Directory & Inhabitants;
  /** What the fronts tell each other about who guesses passwords; left out where this is the only one. */
  readonly shared?: SharedChannel;
  /** Which of the fronts this is; number 0, which is the default, keeps for all what is to outlive a restart. */
  readonly front?: number;
  /** Where everybody's metrics are served, and who knows them; left out: not here. */
  readonly metrics?: MetricsPlace | undefined;
  /** Whether certificates that change are looked for here. Not after `become`: then the keys may be closed to this process. */
  readonly watchesCertificates: boolean;
}

export interface SharedChannel {
  /** To all others; the octets mean something to `onReceived` there. */
  publish(octets: Buffer): void;
  /** Of the one who listens. */
  onReceived(handler: (octets: Buffer) => void): void;
}

export interface MetricsPlace {
  /** Listens already. */
  readonly fd: number;
  report(): Promise<HouseReport>;
}

export interface CarriedConnection {
  readonly protocol: 'pop3' | 'pop3s' | 'lmtp';
  readonly fd: number;
}

export interface House {
  /** Messages in a mailbox that no session has open. @throws Fault not-found, in-use, temporary, permanent */
  count(address: Address): Promise<number>;
  /** Hands a message to an account as a delivery would. @throws Fault not-found, over-quota, temporary, permanent */
  deliver(address: Address, message: Buffer): Promise<void>;
  /** Where mail for an address goes and why. Never rejects. */
  explainMail(address: string): Promise<MailExplanation>;
  /** Sessions, counts and memory, as they are now. */
  state(): FrontReport;
  /** Logs the same, with these fields before it. */
  report(fields: LogFields): void;
  /** Resolves when the one connection of the options is over, and everything is put away. */
  finish(): Promise<void>;
  /** No new connections; those that are there go on as before. Resolves when all are gone. `stop` may still follow. */
  drain(): Promise<void>;
  /** No new connections; sessions in TRANSACTION and deliveries get `graceMs`. Resolves when all are gone. */
  stop(graceMs: number): Promise<void>;
}
