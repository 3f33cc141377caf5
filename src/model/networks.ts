/** Addresses and networks: which a client's address belongs to, and what counts as one source. */
import { isIP, isIPv4 } from 'node:net';

/** `192.0.2.1` for `::ffff:192.0.2.1`, which is how a listener on `::` sees it; a zone (`%eth0`) is left out. */
export function plainAddress(address: string): string {
  if (!address.includes(':')) return address;
  const zone = address.indexOf('%');
  const bare = zone < 0 ? address : address.slice(0, zone);
  if (!bare.startsWith('::') || !bare.includes('.')) return bare;
  const mapped = /^::ffff:([0-9.]+)$/i.exec(bare)?.[1];
  return mapped !== undefined && isIPv4(mapped) ? mapped : bare;
}

/** What limits and delays count by: an IPv4 address, or an IPv6 /64, which is what one customer gets. Takes plain addresses. */
export function sourceOf(address: string): string {
  if (!address.includes(':')) return address;
  const groups = ipv6Groups(address).slice(0, 4);
  return `${groups.map((group) => group.toString(16)).join(':')}::/64`;
}

/** The network around a source: an IPv4 /24 or an IPv6 /48. Takes what `sourceOf` gives. */
export function networkOf(source: string): string {
  if (!source.includes(':')) return `${source.slice(0, source.lastIndexOf('.'))}.0/24`;
  const [one = '', two = '', three = ''] = source.split(':', 3);
  return `${one}:${two}:${three}::/48`;
}

/** Answers that are kept, about 100 octets of memory each. */
const MOST_ASKED = 4096;

/** A set of networks: `192.0.2.0/24`, `2001:db8::/32`, or single addresses. */
export class Networks {
  /** As they were written. */
  readonly entries: readonly string[];
  readonly #networks: readonly Network[];
  /** The same clients come again and again. */
  readonly #asked = new Map<string, boolean>();

  /** @throws RangeError that names the entry which is no network */
  constructor(entries: Iterable<string> = []) {
    this.entries = [...entries];
    this.#networks = this.entries.map(parseNetwork);
  }

  get empty(): boolean {
    return this.#networks.length === 0;
  }

  /** Takes plain addresses; whatever is none is in no network. */
  has(address: string): boolean {
    if (this.empty) return false;
    let isHere = this.#asked.get(address);
    if (isHere === undefined) {
      const groups = groupsOf(address);
      isHere = groups !== undefined && this.#networks.some((network) => isIn(groups, network));
      if (this.#asked.size === MOST_ASKED) this.#asked.clear();
      this.#asked.set(address, isHere);
    }
    return isHere;
  }
}

/** Numbers of 16 bits, most significant first: two for IPv4, eight for IPv6. */
type Groups = readonly number[];

interface Network {
  readonly groups: Groups;
  readonly bits: number;
}

function parseNetwork(entry: string): Network {
  const [written = '', prefix, ...more] = entry.split('/');
  const groups = groupsOf(plainAddress(written));
  const widest = (groups?.length ?? 0) * 16;
  const bits = prefix === undefined ? widest : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
  if (groups === undefined || more.length > 0 || bits < 0 || bits > widest) {
    throw new RangeError(`not a network: ${JSON.stringify(entry)}; written like 192.0.2.0/24 or 2001:db8::/32`);
  }
  return { groups, bits };
}

function isIn(groups: Groups, network: Network): boolean {
  if (groups.length !== network.groups.length) return false;
  for (let n = 0, left = network.bits; left > 0; n++, left -= 16) {
    const difference = (groups[n] ?? 0) ^ (network.groups[n] ?? 0);
    if (difference >> Math.max(0, 16 - left) !== 0) return false;
  }
  return true;
}

function groupsOf(address: string): Groups | undefined {
  const family = isIP(address);
  if (family === 4) return ipv4Groups(address);
  return family === 6 ? ipv6Groups(address) : undefined;
}

function ipv4Groups(address: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
}

function ipv6Groups(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const front = writtenGroups(head);
  if (tail === undefined) return front;
  const back = writtenGroups(tail);
  return [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
}

function writtenGroups(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => (group.includes('.') ? ipv4Groups(group) : [Number.parseInt(group, 16)]));
}
