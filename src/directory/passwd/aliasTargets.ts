/** What may stand on the right of an alias, and in `forward`: addresses, and nothing that opens a file or starts a program. */
import type { DomainName } from '../../model/address.ts';
import { parseEnvelopeAddress } from '../../model/envelopeAddress.ts';

export interface Target {
  /** Without a domain where `isBare`. */
  readonly address: string;
  /** A name alone: it is in the domain where it was written. */
  readonly isBare: boolean;
}

const LONGEST = 320;

/** `\name`, which keeps sendmail from looking the name up once more, is `name`: an account comes before an alias here anyway. `undefined`: no address. */
export function parseTarget(raw: string): Target | undefined {
  const written = raw.startsWith('\\') ? raw.slice(1) : (/^<(.*)>$/.exec(raw)?.[1] ?? raw);
  if (written.length > LONGEST || /^[/|:]|\p{Cc}/u.test(written)) return undefined;
  if (parseEnvelopeAddress(written) !== undefined) return { address: written, isBare: false };
  return parseEnvelopeAddress(`${written}@x`) === undefined ? undefined : { address: written, isBare: true };
}

export function qualified({ address, isBare }: Target, domain: DomainName): string {
  return isBare ? `${address}@${domain}` : address;
}
