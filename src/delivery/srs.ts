/**
 * The sender rewriting scheme: mail that goes on has an envelope sender in the domain that sends it on, so that SPF holds at its next stop,
 * and a bounce finds its way back. `SRS0=hash=day=host=user`; what another forwarder has rewritten before becomes `SRS1=hash=host==…`.
 * By the paper of Meng Weng Wong and Shevek (2004) and its implementations: letters count without regard to case, as some hosts fold them.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { type EnvelopeAddress, parseEnvelopeAddress } from '../model/envelopeAddress.ts';

export interface SrsOptions {
  /** Nobody else's; kept as long as bounces are to find their way. */
  readonly secret: Uint8Array;
  /** ms since 1970. */
  readonly now: () => number;
}

export type Reversed =
  /** Whose mail it was. */
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'expired' }
  /** Nothing of ours. */
  | { readonly kind: 'forged' };

export interface Srs {
  /** The envelope sender for mail that `domain` sends on; the null sender, and what is no address, stay. */
  forward(sender: string, domain: string): string;
  /** Whose bounce it is that came for `local` of `domain`; `undefined`: it is for somebody else. */
  reverse(local: string, domain: string): Reversed | undefined;
}

/** Days that an address is good for: bounces come within the week that mail is tried for. */
const GOOD_FOR_DAYS = 21;
const DAY_MS = 86_400_000;
/** Two digits of base 32. */
const DAYS = 1024;
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** Of 32 kinds each: one guess in 10^9 is right. */
const HASH_DIGITS = 6;

export function createSrs({ secret, now }: SrsOptions): Srs {
  const key = createHmac('sha256', secret).update('srs').digest();
  const today = () => Math.floor(now() / DAY_MS) % DAYS;

  /** For one domain of ours only: what was made for one of them is worth nothing at another. */
  function hashOf(domain: string, ...parts: readonly string[]): string {
    const octets = createHmac('sha256', key)
      .update([domain, ...parts].map((part) => part.toLowerCase()).join('\0'))
      .digest();
    return Array.from(octets.subarray(0, HASH_DIGITS), (octet) => DIGITS[octet % DIGITS.length]).join('');
  }

  function isHash(said: string, domain: string, ...parts: readonly string[]): boolean {
    const [one, other] = [Buffer.from(said.toUpperCase()), Buffer.from(hashOf(domain, ...parts))];
    return one.length === other.length && timingSafeEqual(one, other);
  }

  function reverseFirst(rest: string, domain: string): Reversed {
    const [, hash = '', day = '', host = '', user = ''] = /^([^=]+)=([^=]+)=([^=]+)=(.+)$/s.exec(rest) ?? [];
    if (user === '' || !isHash(hash, domain, 'SRS0', day, host, user)) return { kind: 'forged' };
    const made = dayNumber(day);
    if (made === undefined) return { kind: 'forged' };
    // Days go round; one that a clock put back finds in the future is a thousand days old.
    const age = (today() - made + DAYS) % DAYS;
    return age > GOOD_FOR_DAYS ? { kind: 'expired' } : { kind: 'address', address: written({ local: user, domain: host }) };
  }

  function reverseSecond(rest: string, domain: string): Reversed {
    const [, hash = '', host = '', first = ''] = /^([^=]+)=([^=]+)=([=+-].+)$/s.exec(rest) ?? [];
    // When it was made, the first forwarder will look at.
    if (first === '' || !isHash(hash, domain, 'SRS1', host, first)) return { kind: 'forged' };
    return { kind: 'address', address: written({ local: `SRS0${first}`, domain: host }) };
  }

  return {
    forward(sender, domain) {
      const address = parseEnvelopeAddress(sender);
      if (address === undefined) return sender;
      const again = secondStop(address);
      if (again !== undefined) {
        const { host, first } = again;
        return written({ local: `SRS1=${hashOf(domain, 'SRS1', host, first)}=${host}=${first}`, domain });
      }
      const day = digits(today());
      const { local, domain: host } = address;
      return written({ local: `SRS0=${hashOf(domain, 'SRS0', day, host, local)}=${day}=${host}=${local}`, domain });
    },

    reverse(local, domain) {
      const [, kind, rest = ''] = /^SRS([01])[=+-](.*)$/is.exec(local) ?? [];
      if (kind === undefined) return undefined;
      return kind === '0' ? reverseFirst(rest, domain) : reverseSecond(rest, domain);
    },
  };
}

/** Where another forwarder has rewritten it before: the first one of all, and what that one said, with its separator. */
function secondStop({ local, domain }: EnvelopeAddress): { readonly host: string; readonly first: string } | undefined {
  const [, first] = /^SRS0([=+-].+)$/is.exec(local) ?? [];
  if (first !== undefined) return { host: domain, first };
  const [, host, before] = /^SRS1[=+-][^=]+=([^=]+)=([=+-].+)$/is.exec(local) ?? [];
  return host === undefined || before === undefined ? undefined : { host, first: before };
}

function digits(day: number): string {
  return `${DIGITS[day >> 5]}${DIGITS[day & 31]}`;
}

function dayNumber(said: string): number | undefined {
  const [high = -1, low = -1] = Array.from(said.toUpperCase(), (digit) => DIGITS.indexOf(digit));
  return said.length !== 2 || high < 0 || low < 0 ? undefined : high * 32 + low;
}

/** Quoted where it has to be, RFC 5321 section 4.1.2. */
function written({ local, domain }: EnvelopeAddress): string {
  const isPlain = /^[^\s"(),:;<>@[\\\]\p{Cc}]+$/u.test(local);
  return isPlain ? `${local}@${domain}` : `"${local.replace(/["\\]/g, '\\$&')}"@${domain}`;
}
