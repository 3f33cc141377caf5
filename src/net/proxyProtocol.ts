/**
 * The header that a proxy puts before the client's octets: PROXY protocol versions 1 and 2, as HAProxy's specification has them.
 * Pure: octets in, verdict out. A header that came in pieces is given again with each further piece.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { plainAddress } from '../model/networks.ts';

export interface Endpoints {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

export type ProxyHeader =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'malformed'; readonly reason: string }
  /** `length` octets are the header's. Without `endpoints` the connection is the proxy's own (health checks) or has no IP addresses. */
  | { readonly kind: 'header'; readonly length: number; readonly endpoints: Endpoints | undefined };

/** Section 2.1: the longest line of version 1 with its CRLF. */
const longestV1 = 107;
/** Addresses and TLVs of version 2: 216 octets are Unix paths, the rest is room for TLVs, which nobody here reads. */
const longestV2 = 4096;
const signatureV1 = Buffer.from('PROXY ');
const signatureV2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n');

const incomplete: ProxyHeader = { kind: 'incomplete' };

export function parseProxyHeader(octets: Buffer): ProxyHeader {
  if (startsLike(octets, signatureV1)) return octets.length < signatureV1.length ? incomplete : versionOne(octets);
  if (startsLike(octets, signatureV2)) return octets.length < 16 ? earlyV2(octets) : versionTwo(octets);
  return malformed('no PROXY header');
}

/** Agrees with the signature as far as both go. */
function startsLike(octets: Buffer, signature: Buffer): boolean {
  const shared = Math.min(octets.length, signature.length);
  return octets.compare(signature, 0, shared, 0, shared) === 0;
}

function malformed(reason: string): ProxyHeader {
  return { kind: 'malformed', reason };
}

/** `PROXY TCP4 192.0.2.1 192.0.2.2 56324 110` CRLF. */
function versionOne(octets: Buffer): ProxyHeader {
  const end = octets.subarray(0, longestV1).indexOf('\r\n');
  if (end < 0) return octets.length < longestV1 ? incomplete : malformed('version 1: line too long');
  const length = end + 2;
  const [, family, source = '', destination = '', sourcePort = '', destinationPort = '', ...more] = octets
    .toString('latin1', 0, end)
    .split(' ');
  if (family === 'UNKNOWN') return { kind: 'header', length, endpoints: undefined };
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : undefined;
  if (isAddress === undefined) return malformed('version 1: unknown family');
  if (more.length > 0) return malformed('version 1: too many words');
  // The zone that isIPv6 lets pass means nothing on another host.
  if (!isAddress(source) || !isAddress(destination) || source.includes('%') || destination.includes('%')) {
    return malformed('version 1: not an address');
  }
  const remotePort = portOf(sourcePort);
  const localPort = portOf(destinationPort);
  if (remotePort === undefined || localPort === undefined) return malformed('version 1: not a port');
  const endpoints = { remoteAddress: plainAddress(source), remotePort, localAddress: plainAddress(destination), localPort };
  return { kind: 'header', length, endpoints };
}

function portOf(digits: string): number | undefined {
  return /^(?:0|[1-9]\d{0,4})$/.test(digits) && Number(digits) <= 65_535 ? Number(digits) : undefined;
}

/** Fewer than the 16 octets every header of version 2 has. */
function earlyV2(octets: Buffer): ProxyHeader {
  const command = octets[12];
  return command === undefined || command === 0x20 || command === 0x21 ? incomplete : malformed('version 2: unknown version or command');
}

function versionTwo(octets: Buffer): ProxyHeader {
  const command = octets[12];
  if (command !== 0x20 && command !== 0x21) return malformed('version 2: unknown version or command');
  const size = octets.readUInt16BE(14);
  if (size > longestV2) return malformed('version 2: too long');
  const family = octets[13] ?? 0;
  // LOCAL: the family says nothing then, and the addresses are skipped.
  const needed = command === 0x20 ? 0 : addressOctets(family);
  if (needed === undefined) return malformed('version 2: unknown family');
  if (size < needed) return malformed('version 2: too short for its addresses');
  const length = 16 + size;
  if (octets.length < length) return incomplete;
  return { kind: 'header', length, endpoints: command === 0x20 ? undefined : endpointsOf(family, octets) };
}

/** What the address block takes at least; `undefined` for a family that no stream socket has. */
function addressOctets(family: number): number | undefined {
  if (family === 0x00) return 0;
  if (family === 0x11) return 12;
  if (family === 0x21) return 36;
  if (family === 0x31) return 216;
  return undefined;
}

function endpointsOf(family: number, octets: Buffer): Endpoints | undefined {
  if (family === 0x11) {
    return {
      remoteAddress: octets.subarray(16, 20).join('.'),
      localAddress: octets.subarray(20, 24).join('.'),
      remotePort: octets.readUInt16BE(24),
      localPort: octets.readUInt16BE(26),
    };
  }
  if (family === 0x21) {
    return {
      remoteAddress: ipv6(octets, 16),
      localAddress: ipv6(octets, 32),
      remotePort: octets.readUInt16BE(48),
      localPort: octets.readUInt16BE(50),
    };
  }
  return undefined;
}

function ipv6(octets: Buffer, offset: number): string {
  const groups = Array.from({ length: 8 }, (_, n) => octets.readUInt16BE(offset + 2 * n).toString(16)).join(':');
  // A URL's host is written in the short form of RFC 5952.
  return plainAddress(mappedV4(octets, offset) ?? new URL(`http://[${groups}]`).hostname.slice(1, -1));
}

/** `::ffff:0:0/96` as IPv4. */
function mappedV4(octets: Buffer, offset: number): string | undefined {
  const isMapped = octets.subarray(offset, offset + 10).every((octet) => octet === 0) && octets.readUInt16BE(offset + 10) === 0xffff;
  return isMapped ? octets.subarray(offset + 12, offset + 16).join('.') : undefined;
}
