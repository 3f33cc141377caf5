/** What a SASL mechanism is, whatever protocol carries it. RFC 4422. */
import type { Admission, Arrival, Directory, ProofKind, Service } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';

export interface Mechanism {
  /** As CAPA and AUTH say it. */
  readonly name: string;
  /** Offered where the directory can honour this kind for every account. */
  readonly proofKind: ProofKind;
  /** The client speaks first: where it gave no initial response, the protocol asks for it with an empty challenge. */
  readonly clientFirst: boolean;
  /** Offered only where there is a `channelBinding`. */
  readonly needsChannelBinding: boolean;
  start(context: SaslContext): Exchange;
}

export interface SaslContext {
  readonly directory: Pick<Directory, 'authenticate' | 'scramParameters'>;
  readonly arrival: Arrival;
  readonly service: Service;
  /** `undefined`: the connection has no TLS, or none that can be bound to, and no -PLUS mechanism is offered. */
  readonly channelBinding: ChannelBinding | undefined;
  /** Fully qualified, for the challenge of CRAM-MD5. */
  readonly hostname: string;
  random(octets: number): Buffer;
  /** ms since 1970. */
  now(): number;
}

export interface ChannelBinding {
  /** Data of a type by its registered name (`tls-exporter`, `tls-server-end-point`); `undefined`: not to be had. RFC 5056. */
  data(type: string): Buffer | undefined;
}

/** One authentication. Over once it has succeeded or thrown; further responses are faults. */
export interface Exchange {
  /**
   * The next response of the client, decoded. A mechanism that isn't client-first is started with an empty one; where the client sent
   * an initial response all the same, with that.
   * @throws Fault syntax (not understood), auth (not let in), temporary
   */
  next(response: Buffer): Promise<Step>;
}

export type Step =
  | { readonly kind: 'challenge'; readonly octets: Buffer }
  /** `octets`: the server's last word. Where the protocol can't send it with success, it is a challenge that the client answers with an empty response. */
  | { readonly kind: 'success'; readonly admission: Admission; readonly octets?: Buffer };

/** What one response leads to: another challenge and who takes the response to it, or the end. */
export type Turn = { readonly challenge: Buffer; readonly answeredBy: Move } | { readonly success: Admission; readonly octets?: Buffer };
export type Move = (response: Buffer) => Turn | Promise<Turn>;

/** Longest response of any mechanism here; RFC 5034 lets the encoded line be 12,288 octets. */
const MAX_RESPONSE_OCTETS = 9216;

/** An exchange that begins with `first`. A move is gone once it is made: no response is ever tried against the same challenge twice. */
export function exchange(first: Move): Exchange {
  let move: Move | undefined = first;
  return {
    async next(response) {
      const made = move;
      move = undefined;
      if (made === undefined || response.length > MAX_RESPONSE_OCTETS) throw malformed();
      const turn = await made(response);
      if ('success' in turn) {
        const { success: admission, octets } = turn;
        return octets === undefined ? { kind: 'success', admission } : { kind: 'success', admission, octets };
      }
      move = turn.answeredBy;
      return { kind: 'challenge', octets: turn.challenge };
    },
  };
}

/** The response breaks the rules of its mechanism. */
export function malformed(): Fault {
  return new Fault('syntax', 'malformed authentication response');
}

/** The response is well formed and not good enough. `reason` is for the log. */
export function refused(reason: string): Fault {
  return new Fault('auth', 'authentication failed', { cause: new Error(reason) });
}
