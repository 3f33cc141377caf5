/** The field in which mbox programs keep what has been seen: R for read, O for no longer new. RFC 2076 section 3.14 */
import { HAS_STATUS, HEADER_ENDS, OLD, READ, type Rows } from './rows.ts';

/** `RO`, `O`, or `undefined` where nothing is to be changed. A message whose header has no end is left alone. */
export function statusWanted(rows: Rows, row: number, retrieved: boolean): 'RO' | 'O' | undefined {
  const flags = rows.flags(row);
  if ((flags & HEADER_ENDS) === 0) return undefined;
  const read = retrieved || (flags & READ) !== 0;
  if ((flags & HAS_STATUS) !== 0 && (flags & OLD) !== 0 && read === ((flags & READ) !== 0)) return undefined;
  return read ? 'RO' : 'O';
}

export function withStatus(flags: number, status: 'RO' | 'O'): number {
  return flags | HAS_STATUS | OLD | (status === 'RO' ? READ : 0);
}

/** The field that takes the place of `old` (its octets, with line ends), or is new where that is empty. `lineEnd`: of its neighbours. */
export function statusLine(status: 'RO' | 'O', old: Buffer, lineEnd: string): Buffer {
  // Letters of other programs (D for deleted …) stay, save those that say the message is new.
  const others = old
    .toString('latin1')
    .replace(/^[^:]*:/, '')
    .replace(/[^A-Za-z]|[RONUronu]/g, '');
  return Buffer.from(`Status: ${status}${others}${lineEnd}`, 'latin1');
}
