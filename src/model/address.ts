/** Names that are safe to build a path of. A raw string from outside becomes one of these or goes no further. */
import { domainToASCII } from 'node:url';

declare const brand: unique symbol;
/** A local part: 1 to 64 octets of UTF-8, folded to lower case (NFC); no `/`, NUL or control octet, no leading dot, not `..`. */
export type UserName = string & { readonly [brand]: 'user' };
/** A domain in ASCII (IDNA), lower case, at most 253 octets, labels of 1 to 63 letters, digits, `-` and `_`. */
export type DomainName = string & { readonly [brand]: 'domain' };

export interface Address {
  readonly user: UserName;
  readonly domain: DomainName;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control octets are what is looked for
const unsafeInUser = /[/\\\u0000-\u0020\u007f-\u009f\u2028\u2029\ufffd]/u;
const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** `undefined` for whatever must not reach the file system. Case is folded: the predecessor's users typed both. */
export function parseUserName(raw: string): UserName | undefined {
  if (raw.length === 0 || raw.length > 64) return undefined;
  const folded = raw.normalize('NFC').toLowerCase();
  if (unsafeInUser.test(folded) || folded.startsWith('.') || Buffer.byteLength(folded) > 64) return undefined;
  return folded as UserName;
}

/** `undefined` for whatever is no domain. `KVT.dk.` and `kvt.dk` are the same; `bücher.example` becomes `xn--…`. */
export function parseDomainName(raw: string): DomainName | undefined {
  if (raw.length === 0 || raw.length > 1000) return undefined;
  const bare = raw.endsWith('.') ? raw.slice(0, -1) : raw;
  // The URL parser behind domainToASCII undoes %2e and stops at '/' or '?': only letters, digits, '-', '_' and non-ASCII go in.
  if (!/^[a-z0-9_.\u0080-\uffff-]+$/i.test(bare)) return undefined;
  const ascii = /^[\x21-\x7e]+$/.test(bare) ? bare.toLowerCase() : domainToASCII(bare);
  if (ascii.length === 0 || ascii.length > 253) return undefined;
  return ascii.split('.').every((part) => label.test(part)) ? (ascii as DomainName) : undefined;
}

/** `user@domain`, parted at the last `@`. */
export function parseAddress(raw: string): Address | undefined {
  const at = raw.lastIndexOf('@');
  if (at < 0) return undefined;
  const user = parseUserName(raw.slice(0, at));
  const domain = parseDomainName(raw.slice(at + 1));
  return user !== undefined && domain !== undefined ? { user, domain } : undefined;
}

export function formatAddress(address: Address): string {
  return `${address.user}@${address.domain}`;
}
