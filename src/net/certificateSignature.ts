/** Reads from a certificate which hash its signature uses. RFC 5280 section 4.1.1.2. */

/** Hash by signature algorithm, as OpenSSL names it. Those with a hash of their own inside (Ed25519, Ed448) are missing: RFC 5929 gives them none. */
const hashes = new Map<string, string>([
  ['1.2.840.113549.1.1.2', 'md2'],
  ['1.2.840.113549.1.1.4', 'md5'],
  ['1.2.840.113549.1.1.5', 'sha1'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.113549.1.1.14', 'sha224'],
  ['1.2.840.113549.1.1.15', 'sha512-224'],
  ['1.2.840.113549.1.1.16', 'sha512-256'],
  ['1.2.840.10040.4.3', 'sha1'],
  ['1.2.840.10045.4.1', 'sha1'],
  ['1.2.840.10045.4.3.1', 'sha224'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['2.16.840.1.101.3.4.3.1', 'sha224'],
  ['2.16.840.1.101.3.4.3.2', 'sha256'],
  ['2.16.840.1.101.3.4.3.3', 'sha384'],
  ['2.16.840.1.101.3.4.3.4', 'sha512'],
  ['2.16.840.1.101.3.4.3.10', 'sha3-256'],
  ['2.16.840.1.101.3.4.3.11', 'sha3-384'],
  ['2.16.840.1.101.3.4.3.12', 'sha3-512'],
  ['2.16.840.1.101.3.4.3.14', 'sha3-256'],
  ['2.16.840.1.101.3.4.3.15', 'sha3-384'],
  ['2.16.840.1.101.3.4.3.16', 'sha3-512'],
]);

/** Says its hash in its parameters. RFC 4055 section 3.1. */
const rsassaPss = '1.2.840.113549.1.1.10';
const digests = new Map<string, string>([
  ['1.3.14.3.2.26', 'sha1'],
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
  ['2.16.840.1.101.3.4.2.4', 'sha224'],
  ['2.16.840.1.101.3.4.2.5', 'sha512-224'],
  ['2.16.840.1.101.3.4.2.6', 'sha512-256'],
]);

const SEQUENCE = 0x30;
const OID = 0x06;
const CONTEXT_0 = 0xa0;

/**
 * The hash that RFC 5929 section 4.1 wants for tls-server-end-point: that of the signature, but SHA-256 where it is MD5 or SHA-1.
 * `undefined`: there is none, or these octets are no certificate.
 */
export function signatureHash(certificate: Buffer): string | undefined {
  // Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { algorithm OID, parameters }, … }
  const [, algorithm] = children(element(certificate, SEQUENCE));
  const hash = algorithm && algorithmHash(algorithm.octets);
  return hash === 'md2' || hash === 'md5' || hash === 'sha1' ? 'sha256' : hash;
}

function algorithmHash(identifier: Buffer): string | undefined {
  const [algorithm, parameters] = children(element(identifier, SEQUENCE));
  const oid = algorithm && dotted(algorithm);
  if (oid !== rsassaPss) return oid === undefined ? undefined : hashes.get(oid);
  // RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0] DEFAULT sha1, … }
  const [first] = children(parameters && element(parameters.octets, SEQUENCE));
  if (first?.tag !== CONTEXT_0) return 'sha1';
  const [digest] = children(element(first.content, SEQUENCE));
  const name = digest && dotted(digest);
  return name === undefined ? undefined : digests.get(name);
}

interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** With tag and length. */
  readonly octets: Buffer;
}

/** The first DER element, if it has this tag. */
function element(octets: Buffer, tag: number): Element | undefined {
  const first = readElement(octets, 0);
  return first?.tag === tag ? first : undefined;
}

function children(parent: Element | undefined): Element[] {
  const found: Element[] = [];
  if (parent === undefined) return found;
  for (let at = 0; at < parent.content.length; ) {
    const child = readElement(parent.content, at);
    if (child === undefined) break;
    found.push(child);
    at += child.octets.length;
  }
  return found;
}

function readElement(octets: Buffer, at: number): Element | undefined {
  const tag = octets[at];
  const first = octets[at + 1];
  if (tag === undefined || first === undefined) return undefined;
  const more = first < 0x80 ? 0 : first & 0x7f;
  if (more > 4 || first === 0x80 || at + 2 + more > octets.length) return undefined;
  const start = at + 2 + more;
  const end = start + (more === 0 ? first : octets.readUIntBE(at + 2, more));
  if (end > octets.length) return undefined;
  return { tag, content: octets.subarray(start, end), octets: octets.subarray(at, end) };
}

function dotted(identifier: Element): string | undefined {
  if (identifier.tag !== OID) return undefined;
  const arcs: number[] = [];
  let arc = 0;
  for (const octet of identifier.content) {
    arc = arc * 128 + (octet & 0x7f);
    if (octet >= 0x80) continue;
    if (arcs.length === 0) arcs.push(Math.min(2, Math.floor(arc / 40)), arc - 40 * Math.min(2, Math.floor(arc / 40)));
    else arcs.push(arc);
    arc = 0;
  }
  return arcs.join('.');
}
