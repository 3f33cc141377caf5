/** How many connections at a time a process can afford: accepting one for which there is no descriptor fails, and nobody is told. */

export interface Affordable {
  /** Of the settings, for each protocol. */
  readonly wanted: number;
  /** Descriptors the process may have open. */
  readonly descriptors: number;
  /** What the process has open besides connections at most: listeners, logs, passwd files being read, IPC, libraries. */
  readonly reserve: number;
  /** What one connection of those who fetch mail has open at most; `undefined`: nobody fetches mail here. */
  readonly fetching: number | undefined;
  /** The same of those who bring it, for each protocol. */
  readonly bringing: readonly number[];
}

export interface ConnectionLimits {
  readonly fetching: number;
  /** For each protocol. */
  readonly bringing: number;
}

/** Mail servers make few connections and keep them, and each is dear; clients make many. Used only where there isn't enough for all. */
const SHARE_OF_BRINGING = 1 / 4;

/** At least one of each. */
export function connectionLimits({ wanted, descriptors, reserve, fetching, bringing }: Affordable): ConnectionLimits {
  const room = Math.max(0, descriptors - reserve);
  const perBringing = bringing.reduce((sum, each) => sum + each, 0);
  const share = fetching === undefined ? room : Math.max(room * SHARE_OF_BRINGING, room - wanted * fetching);
  const brought = limited(wanted, share, perBringing);
  return { fetching: limited(wanted, room - brought * perBringing, fetching ?? 0), bringing: brought };
}

function limited(wanted: number, room: number, each: number): number {
  return each === 0 ? wanted : Math.max(1, Math.min(wanted, Math.floor(room / each)));
}
