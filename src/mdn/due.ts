/** Whether a message that was fetched gets a receipt: by what it asks for, and by what the user wants. */
import type { ReceiptPolicy } from '../model/directory.ts';
import { type Finding, type ReceiptRequest, type Recipient, type Refusal, readRequest } from './request.ts';

export type Due =
  /** Nobody asked. */
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly reason: Refusal | 'policy' }
  /** `unlessKnown`: only where the user never had one sent to that address. */
  | { readonly kind: 'ask'; readonly request: ReceiptRequest; readonly unlessKnown: boolean }
  | { readonly kind: 'send'; readonly request: ReceiptRequest };

export interface Wishes {
  readonly policy: ReceiptPolicy;
  /** The address is one of our domains'. */
  readonly isOurs: (request: ReceiptRequest) => Promise<boolean>;
}

/**
 * @param octets the header, up to its blank line or further
 * @param whole false: it goes on beyond `octets`
 * @throws what `isOurs` throws
 */
export async function due(octets: Uint8Array, whole: boolean, recipient: Recipient, { policy, isOurs }: Wishes): Promise<Due> {
  const finding: Finding = readRequest(octets, recipient, whole);
  if (finding.kind !== 'request') return finding;
  const { request } = finding;
  if (policy === 'never') return { kind: 'refused', reason: 'policy' };
  // RFC 8098 section 2.1: with these, only somebody who has looked at the message may say yes.
  if (policy === 'ask' || request.doubts.length > 0) return { kind: 'ask', request, unlessKnown: false };
  if (policy === 'always' || (await isOurs(request))) return { kind: 'send', request };
  return { kind: 'ask', request, unlessKnown: true };
}
