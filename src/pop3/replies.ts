/** What is said to one command, before it is octets. */
import type { Octets } from '../model/octets.ts';
import type { Text, Values } from '../texts/index.ts';
import type { Session } from './session.ts';

export interface Reply {
  readonly status: '+OK' | '-ERR' | '+';
  /**
   * Rest of the first line, in the session's language, written as UTF-8. Empty after `+OK`: the line ends there.
   * Empty after `+`: a blank follows all the same, RFC 5034 section 4.
   */
  readonly line: string;
  /** Multi-line: rows without line end, byte-stuffed by the writer and ended by ".". To be gone through once. */
  readonly rows?: Iterable<string>;
  /** Multi-line: octets as they rest, made CRLF and byte-stuffed by the writer and ended by ".". */
  readonly body?: Octets;
  /** To be called when the body was written whole. */
  readonly sent?: () => void;
  /** The session from this reply on, also for `disconnected`. */
  readonly enters?: Session;
  /** What comes once the reply is written. After `starttls` a new session starts, with this one handed to `startSession`. */
  readonly then?: 'starttls' | 'close';
  /** A login that came to nothing, by a wrong proof or for too many attempts: it counts towards the failures a connection may have. */
  readonly penalty?: 'auth' | 'throttled';
  /** Where there is a penalty: so long after its command the reply goes out. */
  readonly heldBackMs?: number;
}

export function ok(line = '', more?: Omit<Reply, 'status' | 'line'>): Reply {
  return more === undefined ? { status: '+OK', line } : { status: '+OK', line, ...more };
}

/** The reply, and what comes once it is written. */
export function andThen(reply: Reply, then: 'starttls' | 'close'): Reply {
  return { ...reply, then };
}

/** A SASL challenge, RFC 5034 section 4. */
export function challenge(octets: Uint8Array, enters: Session): Reply {
  return { status: '+', line: Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('base64'), enters };
}

const none: Values = {};

/** A text in the language of the session. */
export function say(session: Session, text: Text, values: Values = none): string {
  return session.host.speaker.say(text, values, session.language);
}
