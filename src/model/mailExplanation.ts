/** Where mail for an address goes and why, for `postkasse explain`. Plain data: it crosses from process to process. */
import type { Step } from './directory.ts';

export interface MailExplanation {
  readonly outcome: 'deliver' | 'refuse' | 'defer';
  readonly steps: readonly Step[];
  /** None unless it is delivered. */
  readonly destinations: readonly ExplainedDestination[];
}

export type ExplainedDestination =
  /** `path`: which file or folder it is; `null`: that can't be found out. */
  | { readonly kind: 'rests'; readonly name: string; readonly path: string | null }
  | { readonly kind: 'passes'; readonly name: string }
  | { readonly kind: 'goes-on'; readonly address: string; readonly domain: string };
