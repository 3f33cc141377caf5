/** What the supervisor and its children say to each other over their channel (channel.ts). */

import type { Settings } from '../config/index.ts';
import type { CarriedConnection } from '../main.ts';
import type { HouseReport } from '../model/report.ts';
import type { Identity } from '../os/becomeUser.ts';
import type { ShadowEntry } from '../os/users.ts';
import type { Worker } from '../owners/whereabouts.ts';
import type { Text, Values } from '../texts/index.ts';
import type { Phrasebook } from '../texts/speaker.ts';

/** A listener as the supervisor bound it; `fds` are the descriptors' numbers in the front. */
export interface InheritedListener {
  readonly index: number; // in settings.listen
  readonly fds: readonly number[];
}

export interface FrontStart {
  readonly kind: 'start';
  readonly front: number;
  readonly settings: Settings;
  readonly phrasebook: Phrasebook;
  readonly listeners: readonly InheritedListener[];
  /** The one connection to serve, accepted by somebody else; `undefined`: whatever comes to the listeners. */
  readonly connection: CarriedConnection | undefined;
  /** Whom to become before anything is served; `undefined`: stay who we are. */
  readonly become: Identity | undefined;
  /** Passwords and mailboxes are with the owners' workers. */
  readonly hasWorkers: boolean;
  readonly trace: readonly string[];
  /** A socket that listens already, where this front serves everybody's metrics. */
  readonly metrics: { readonly fd: number } | undefined;
}

export interface WorkerStart {
  readonly kind: 'start';
  /** With the folders that are this owner's own. */
  readonly settings: Settings;
  readonly become: Identity;
  /** Whose connections are served. */
  readonly frontUid: number;
  /** A user of the host, for whom this worker is; `undefined`: it is for the domains of `become`. */
  readonly systemUser: string | undefined;
  /** The host's own passwd files are this owner's where root gives them to nobody else. */
  readonly isMailOwner: boolean;
  /** Listens already. */
  readonly fd: number;
}

/** How does it go? Answered with a `Told` of the same id. */
export interface Tell {
  readonly kind: 'tell';
  readonly id: number;
}

export interface Told {
  readonly kind: 'told';
  /** 0: its last words, which nobody asked for. */
  readonly id: number;
  /** A FrontReport or WorkerReport, if it is to be believed. */
  readonly report: unknown;
}

/** To every child. */
type ToChild =
  | Tell
  /** Is its loop still coming round? It answers with `here`. */
  | { readonly kind: 'are-you-there' }
  /** Take no new connections; end when those that are there have ended by themselves. */
  | { readonly kind: 'retire' }
  /** Take no new connections and end; sessions in TRANSACTION get `graceMs`. */
  | { readonly kind: 'stop'; readonly graceMs: number }
  /** Log the state: sessions, counts, memory. */
  | { readonly kind: 'report' };

/** Answers `everybody`. */
export interface EverybodyTold {
  readonly kind: 'everybody-told';
  readonly report: HouseReport;
}

export type ToFront =
  | FrontStart
  | ToChild
  | EverybodyTold
  /** Where does mail for this address go? Answered with `explained` of the same id. */
  | { readonly kind: 'explain'; readonly id: number; readonly address: string }
  /** Answers `where`. */
  | { readonly kind: 'there'; readonly id: number; readonly worker: Worker | undefined; readonly problem: string | undefined }
  /** What another front published; the supervisor doesn't look into it. */
  | { readonly kind: 'shared'; readonly octets: Uint8Array };

export type ToWorker =
  | WorkerStart
  | ToChild
  /** Somebody else needs the room: end at once if nobody is being served. */
  | { readonly kind: 'yield' }
  /** Answers `shadow`. */
  | { readonly kind: 'shadow'; readonly entry: ShadowEntry | undefined };

type FromChild =
  | { readonly kind: 'ready' }
  | { readonly kind: 'here' }
  | Told
  | { readonly kind: 'failed'; readonly text: Text; readonly values: Values; readonly exitCode: number };

export type FromFront =
  | FromChild
  /** How does it go with all of them? Not to be asked again before it is answered. */
  | { readonly kind: 'everybody' }
  /** Where is the worker of this domain, or of this user of the host? Names as the model has parsed them. */
  | ({ readonly kind: 'where'; readonly id: number /** Path where nobody answered. */; readonly unreachable: string | undefined } & (
      | { readonly domain: string }
      | { readonly user: string }
    ))
  /** Answers `explain`, if it is to be believed: the supervisor passes it on. */
  | { readonly kind: 'explained'; readonly id: number; readonly explanation: unknown }
  | { readonly kind: 'shared'; readonly octets: Uint8Array };

export type FromWorker =
  | FromChild
  /** What does the shadow file say of the user whose worker this is? */
  | { readonly kind: 'shadow' }
  /** It has closed its socket and is about to end. */
  | { readonly kind: 'leaving' };
