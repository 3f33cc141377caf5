/** A command is a row: where it may come, what it takes, what it does. */
import type { Reply } from './replies.ts';
import type { Authorization, Session, Transaction } from './session.ts';

/** Takes the words it needs off the front. @throws Fault syntax */
export type Arg<T> = (words: string[]) => T;

interface InState {
  AUTHORIZATION: Authorization;
  TRANSACTION: Transaction;
}
export type State = keyof InState;

type Values<A extends readonly unknown[]> = { readonly [K in keyof A]: A[K] extends Arg<infer T> ? T : never };

interface Definition<S extends State, A extends readonly unknown[]> {
  readonly name: string;
  readonly states: readonly S[];
  /** One for each argument, in order. */
  readonly args?: A;
  /** Without a promise where nothing is awaited: most commands are answered in the same turn. */
  handle(session: InState[S], ...args: Values<A>): Reply | Promise<Reply>;
  /** Its line in CAPA, or none on this connection. RFC 2449 section 5. */
  readonly capability?: string | ((session: Authorization | Transaction) => string | undefined);
  /** Arguments are kept out of the trace. */
  readonly secret?: true;
}

/** A command in the table, whichever its states and arguments. */
export interface Row {
  readonly name: string;
  readonly capability: (session: Authorization | Transaction) => string | undefined;
  readonly secret: boolean;
  readonly args: readonly Arg<unknown>[];
  isIn(session: Session): session is Authorization | Transaction;
  run(session: Session, args: unknown[]): Reply | Promise<Reply>;
}

export function command<S extends State, const A extends readonly unknown[]>(definition: Definition<S, A>): Row {
  const { name, states, args = [], capability, secret = false } = definition;
  return {
    name,
    secret,
    args: args as readonly Arg<unknown>[],
    capability: typeof capability === 'function' ? capability : () => capability,
    isIn: (session): session is Authorization | Transaction => (states as readonly string[]).includes(session.state),
    // The dialogue has asked isIn() and has read the arguments with `args`: the types held there are put back here.
    run: (session, values) => definition.handle(session as InState[S], ...(values as unknown as Values<A>)),
  };
}
