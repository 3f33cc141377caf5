/** What supervisor and fronts say to each other over Node's IPC channel (structured clone). */

import type { Settings } from '../config/index.ts';
import type { Identity } from '../os/becomeUser.ts';
import type { Text, Values } from '../texts/index.ts';
import type { Phrasebook } from '../texts/speaker.ts';

/** A listener as the supervisor bound it; `fds` are the descriptors' numbers in the front. */
export interface InheritedListener {
  readonly index: number; // in settings.listen
  readonly fds: readonly number[];
}

export type ToFront =
  | {
      readonly kind: 'start';
      readonly front: number;
      readonly settings: Settings;
      readonly phrasebook: Phrasebook;
      readonly listeners: readonly InheritedListener[];
      /** Whom to become before anything is served; `undefined`: stay who we are. */
      readonly become: Identity | undefined;
      readonly trace: readonly string[];
    }
  /** Take no new connections; end when those that are there have ended by themselves. */
  | { readonly kind: 'retire' }
  /** Take no new connections and end; sessions in TRANSACTION get `graceMs`. */
  | { readonly kind: 'stop'; readonly graceMs: number }
  /** Log the state: sessions, counts, memory. */
  | { readonly kind: 'report' };

export type FromFront =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly text: Text; readonly values: Values; readonly exitCode: number };
