/** What a client of the auth protocol asks: `AUTH id mechanism [parameter…]`. */
import { isIP } from 'node:net';
import { plainAddress } from '../../model/networks.ts';

export interface AuthRequest {
  readonly id: number;
  /** In capitals. */
  readonly mechanism: string;
  /** Of the SMTP client. Who doesn't say where it comes from is nobody's friend: all those count as one source. */
  readonly remoteAddress: string;
  /** That the SMTP client connected to. */
  readonly localAddress: string | undefined;
  /** The SMTP client's connection is encrypted. */
  readonly secured: boolean;
  /** The client of the protocol takes the mechanism's last word together with OK. */
  readonly takesLastWord: boolean;
  /** In base64, `=` for an empty one; `undefined`: none. */
  readonly response: string | undefined;
}

/** The client breaks the protocol: what comes after it makes no sense either. */
export class Malformed extends Error {}

const UNKNOWN_ADDRESS = '0.0.0.0';

/**
 * @param minor of the client's version: before 1.2 an empty `resp=` meant that there is none
 * @throws Malformed
 */
export function parseAuth([id, mechanism, ...parameters]: readonly string[], minor: number): AuthRequest {
  if (mechanism === undefined || mechanism === '') throw new Malformed('AUTH without a mechanism');
  const named = new Map<string, string>();
  for (const [n, parameter] of parameters.entries()) {
    const at = parameter.indexOf('=');
    const name = at < 0 ? parameter : parameter.slice(0, at);
    // Old servers took the rest of the line for the response.
    if (name === 'resp' && n < parameters.length - 1) throw new Malformed('a parameter after resp');
    named.set(name, at < 0 ? '' : parameter.slice(at + 1));
  }
  if (!named.has('service')) throw new Malformed('AUTH without a service');
  const response = named.get('resp');
  return {
    id: requestId(id),
    mechanism: mechanism.toUpperCase(),
    remoteAddress: address(named.get('rip')) ?? UNKNOWN_ADDRESS,
    localAddress: address(named.get('lip')),
    secured: named.has('secured'),
    takesLastWord: named.has('final-resp-ok'),
    response: response === '' && minor < 2 ? undefined : response === '' ? '=' : response,
  };
}

/** 1 to 2^32-1. @throws Malformed */
export function requestId(written: string | undefined): number {
  const id = number(written);
  if (id === undefined || id === 0) throw new Malformed('no request id');
  return id;
}

/** 32 bits. */
export function number(written: string | undefined): number | undefined {
  return written !== undefined && /^\d{1,10}$/.test(written) && Number(written) < 2 ** 32 ? Number(written) : undefined;
}

function address(written: string | undefined): string | undefined {
  const plain = written === undefined ? '' : plainAddress(written);
  return isIP(plain) === 0 ? undefined : plain;
}
