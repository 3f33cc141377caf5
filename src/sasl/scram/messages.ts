/** The client's messages of SCRAM, taken apart by the grammar of RFC 5802 section 7. All throw Fault syntax. */
import { loginName, utf8Text } from '../credentials.ts';
import { malformed, refused } from '../mechanism.ts';
import { saslprep } from '../saslprep.ts';

export interface ClientFirst {
  /** gs2-header with its last comma, to be found again in the client's last message. */
  readonly gs2Header: string;
  readonly channelBinding: { readonly flag: 'n' | 'y' } | { readonly flag: 'p'; readonly type: string };
  readonly login: string;
  readonly nonce: string;
  /** client-first-message-bare, as it came. */
  readonly bare: Buffer;
}

export interface ClientFinal {
  /** What `c=` says: gs2-header and channel binding data. */
  readonly channelBinding: Buffer;
  readonly nonce: string;
  readonly proof: Buffer;
  /** client-final-message-without-proof, as it came. */
  readonly withoutProof: Buffer;
}

/** @throws Fault auth besides: for an authorization identity that isn't the user's own, or a name that SASLprep prohibits */
export function parseClientFirst(message: Buffer): ClientFirst {
  const [flag = '', authzid, first, second, ...rest] = attributes(message);
  const gs2Header = `${flag},${authzid},`;
  // "m=" in the place of the name announces an extension that must be understood, and none is.
  if (authzid === undefined || first === undefined || second === undefined || !first.startsWith('n=')) throw malformed();
  if (!rest.every(isExtension)) throw malformed();
  const typed = saslname(first.slice(2));
  if (authzid !== '' && !authzid.startsWith('a=')) throw malformed();
  if (authzid !== '' && saslname(authzid.slice(2)) !== typed) throw refused('SCRAM: authorization as somebody else');
  const login = saslprep(typed, 'query');
  if (login === undefined || login === '') throw refused('SCRAM: a name that SASLprep prohibits');
  return {
    gs2Header,
    channelBinding: parseFlag(flag),
    login,
    nonce: parseNonce(second),
    bare: message.subarray(Buffer.byteLength(gs2Header)),
  };
}

export function parseClientFinal(message: Buffer): ClientFinal {
  const [binding, nonce, ...rest] = attributes(message);
  const proof = rest.pop();
  if (binding === undefined || nonce === undefined || proof === undefined) throw malformed();
  if (!binding.startsWith('c=') || !proof.startsWith('p=') || !rest.every(isExtension)) throw malformed();
  return {
    channelBinding: base64(binding.slice(2)),
    nonce: parseNonce(nonce),
    proof: base64(proof.slice(2)),
    withoutProof: message.subarray(0, message.length - proof.length - 1),
  };
}

function attributes(message: Buffer): string[] {
  if (message.includes(0)) throw malformed();
  return utf8Text(message).split(',');
}

function parseFlag(flag: string): ClientFirst['channelBinding'] {
  if (flag === 'n' || flag === 'y') return { flag };
  if (/^p=[A-Za-z0-9.-]+$/.test(flag)) return { flag: 'p', type: flag.slice(2) };
  throw malformed();
}

/** saslname: "," is written =2C, "=" is written =3D, and no other "=" occurs. */
function saslname(encoded: string): string {
  if (/=(?!2C|3D)/.test(encoded)) throw malformed();
  return loginName(Buffer.from(encoded.replaceAll('=2C', ',').replaceAll('=3D', '=')));
}

function parseNonce(attribute: string): string {
  if (!/^r=[\x21-\x2b\x2d-\x7e]+$/.test(attribute)) throw malformed();
  return attribute.slice(2);
}

/** attr-val, to be passed over. One that must be understood is named "m". */
function isExtension(attribute: string): boolean {
  return /^[A-Za-z]=./su.test(attribute) && !attribute.startsWith('m=');
}

/** Strict: a second spelling of the same octets would be a second message with the same meaning. */
function base64(text: string): Buffer {
  const octets = Buffer.from(text, 'base64');
  if (octets.length === 0 || octets.toString('base64') !== text) throw malformed();
  return octets;
}
