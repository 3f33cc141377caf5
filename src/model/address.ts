/** Names that are safe to build a path of. A raw string from outside becomes one of these or goes no further. */
import { domainToASCII } from 'node:url';

declare const brand: unique symbol;
/** A local part: 1 to 64 octets of UTF-8, folded to lower case (NFC); no `/`, NUL or control octet, no leading dot, not `..`, no `.lock` at the end. */
export type UserName = string & { readonly [brand]: 'user' };
/** A domain in ASCII (IDNA), lower case, at most 253 octets, labels of 1 to 63 letters, digits, `-` and `_`. */
export type DomainName = string & { readonly [brand]: 'domain' };

export interface Address {
  readonly user: UserName;
  readonly domain: DomainName;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control octets are what is looked for
const unsafeInUser = /[/\\\u0000-\u0020\u007f-\u009f\u2028\u2029\ufffd]/u;
/** Nearly every name: folded already, and nothing in it that could be unsafe. */
const plainUser = /^[a-z0-9_+-][a-z0-9_.+-]*$/;
const foldedDomain = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.(?!$)|$))+$/;

/** `undefined` for whatever must not reach the file system. Case is folded: the predecessor's users typed both. */
export function parseUserName(raw: string): UserName | undefined {
  if (raw.length === 0 || raw.length > 64) return undefined;
  // `abc.lock` is the lock file of the mailbox beside it.
  if (plainUser.test(raw)) return raw.endsWith('.lock') ? undefined : (raw as UserName);
  const folded = raw.normalize('NFC').toLowerCase();
  if (unsafeInUser.test(folded) || folded.startsWith('.') || folded.endsWith('.lock') || Buffer.byteLength(folded) > 64) return undefined;
  return folded as UserName;
}

/** `undefined` for whatever is no domain. `KVT.dk.` and `kvt.dk` are the same; `bücher.example` becomes `xn--…`. */
export function parseDomainName(raw: string): DomainName | undefined {
  if (raw.length === 0 || raw.length > 1000) return undefined;
  if (raw.length <= 253 && foldedDomain.test(raw)) return raw as DomainName;
  const bare = raw.endsWith('.') ? raw.slice(0, -1) : raw;
  // The URL parser behind domainToASCII undoes %2e and stops at '/' or '?': only letters, digits, '-', '_' and non-ASCII go in.
  if (!/^[a-z0-9_.\u0080-\uffff-]+$/i.test(bare)) return undefined;
  const ascii = /^[\x21-\x7e]+$/.test(bare) ? bare.toLowerCase() : domainToASCII(bare);
  return ascii.length <= 253 && foldedDomain.test(ascii) ? (ascii as DomainName) : undefined;
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
