/**
 * What a connection carries: a dialogue of lines that knows no socket. `S` is its session, which the connection keeps but never looks into.
 * pop3Dialogue.ts makes one of the POP3 room.
 */
import type { Octets } from '../model/octets.ts';
import type { ConnectionFacts } from '../pop3/host.ts';

/** What `Reply` is to POP3. The connection writes it at the client's pace. */
export interface LineReply<S> {
  readonly status: '+OK' | '-ERR' | '+';
  readonly line: string;
  readonly rows?: Iterable<string>;
  readonly body?: Octets;
  readonly sent?: () => void;
  readonly enters?: S;
  readonly then?: 'starttls' | 'close';
  readonly penalty?: 'auth' | 'throttled';
  readonly heldBackMs?: number;
}

export interface LineDialogue<S> {
  /** Where `start` has to wait for something; `undefined`: not now. Never rejects. */
  ready?(facts: ConnectionFacts): Promise<void> | undefined;
  /** `beforeTls`: the session that STLS ended; the greeting isn't sent then. */
  start(facts: ConnectionFacts, beforeTls?: S): { readonly session: S; readonly greeting: LineReply<S> };
  /** One line in (latin1, without its line end), one reply out. Not called again before that reply is there. */
  answer(session: S, line: string): LineReply<S> | Promise<LineReply<S>>;
  /** Octets a line may have, its line end included. */
  lineLimit(session: S): number;
  /** A line went over the limit and was dropped. */
  overlong(session: S): LineReply<S>;
  /** What went wrong while a reply was worked out or its first octets were fetched. */
  refusal(session: S, thrown: unknown): LineReply<S>;
  /** Said instead of a greeting; closes the connection. */
  tooManyConnections(): LineReply<S>;
  /** Likewise, where there is too much to do already. */
  overloaded(): LineReply<S>;
  /** Said instead of `reply`, which is the one to the last failed login a connection may have; closes the connection. */
  tooManyFailures(session: S, reply: LineReply<S>): LineReply<S>;
  /** `answer` only waits before it begins: at a stop the connection may be cut. */
  waits(session: S): boolean;
  /** The connection is gone while `answer` is at work: nobody waits for that reply any longer. */
  lost(session: S): void;
  /** The connection is gone, whoever ended it. Called once for each connection that was greeted, after its last command. */
  disconnected(session: S): Promise<void>;
  /** A line as it may be shown in a trace. */
  masked(session: S, line: string): string;
  /** Name of the state, for counting. */
  state(session: S): string;
  /** Domain of who is logged in, for counting; `null`: a user of the host itself, `undefined`: nobody is. */
  domain(session: S): string | null | undefined;
  /** Somebody is logged in: a graceful stop waits for their QUIT. */
  loggedIn(session: S): boolean;
}
