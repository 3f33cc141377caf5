/** A request of Postfix' delegated policy protocol (SMTPD_POLICY_README): a line `name=value` for each attribute, then an empty one. */
import type { Cut } from './questions.ts';

/** Far more than Postfix sends: names, addresses and certificates of one client. */
const LONGEST_REQUEST = 65_536;

export function cutPolicyRequest(octets: Buffer, lookedAt: number): Cut {
  const end = octets[0] === 0x0a ? 0 : octets.indexOf('\n\n', Math.max(0, lookedAt - 1)) + 1;
  const isWhole = end > 0 || octets[0] === 0x0a;
  if (end > LONGEST_REQUEST || (!isWhole && octets.length > LONGEST_REQUEST))
    return { kind: 'malformed', reason: 'a request that is too long' };
  return isWhole ? { kind: 'whole', request: octets.subarray(0, end), end: end + 1 } : { kind: 'part' };
}

/** By name; `undefined` for what is no such request. Which attributes there are depends on Postfix' version, and on what it knows by then. */
export function parsePolicyRequest(request: Buffer): ReadonlyMap<string, string> | undefined {
  const attributes = new Map<string, string>();
  const lines = request.toString().split('\n');
  // Each line has a line end, the last one as well.
  if (lines.pop() !== '') return undefined;
  for (const line of lines) {
    const equals = line.indexOf('=');
    const name = line.slice(0, equals);
    if (equals <= 0 || attributes.has(name)) return undefined;
    attributes.set(name, line.slice(equals + 1));
  }
  return attributes.get('request') === 'smtpd_access_policy' ? attributes : undefined;
}
