/** Addresses between the forms that Postfix and LMTP have for them. Strings here are octets, one a character ("latin1"), as environment and message are. */

export interface AddressParts {
  /** Without quotes. */
  readonly local: string;
  readonly domain: string;
}

/** Far more than RFC 5321 section 4.5.3.1 allows; the resolver decides about what is shorter. */
const longestAddress = 900;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const unspeakable = /[\u0000-\u001f\u007f]/;

/** `user@domain` or `"quoted user"@domain`, parted at the last `@`. `undefined`: no such thing, or nothing that a command line may hold. */
export function partAddress(text: string): AddressParts | undefined {
  const at = text.lastIndexOf('@');
  const domain = text.slice(at + 1);
  if (at < 1 || text.length > longestAddress || unspeakable.test(text) || !/^[^\s<>"()\\,;]+$/.test(domain)) return undefined;
  const local = unquoted(text.slice(0, at));
  return local === undefined ? undefined : { local, domain };
}

/** As RFC 5321 section 4.1.2 has it, with quotes only where there must be some. */
export function formatPath({ local, domain }: AddressParts): string {
  const isPlain = /^[^\s"\\()<>[\]:;@,]+$/.test(local);
  return `${isPlain ? local : `"${local.replace(/["\\]/g, '\\$&')}"`}@${domain}`;
}

/** RFC 3461 section 4: for ORCPT. */
export function xtext(text: string): string {
  return text.replace(/[^!-*,-<>-~]/g, (octet) => `+${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

/** ORCPT of an address. RFC 3461 section 4.2; RFC 6533 section 3 where it isn't ASCII. */
export function orcpt(address: string): string {
  return `${isAscii(address) ? 'rfc822' : 'utf-8'};${isAscii(address) ? xtext(address) : unitext(address)}`;
}

export function isAscii(octets: string): boolean {
  return !/[\u0080-\u00ff]/.test(octets);
}

/** utf-8-addr-unitext: UTF-8 as it is, and `\x{…}` for what would end or change the parameter. */
function unitext(octets: string): string {
  return octets.replace(
    /[^!-*,-<>-[\]-~\u0080-\u00ff]/g,
    (octet) => `\\x{${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}}`,
  );
}

function unquoted(local: string): string | undefined {
  // pipe(8) gives them without quotes where its q flag isn't set.
  if (!local.startsWith('"')) return local;
  const inside = /^"((?:[^"\\]|\\.)+)"$/.exec(local)?.[1];
  return inside?.replace(/\\(.)/g, '$1');
}
