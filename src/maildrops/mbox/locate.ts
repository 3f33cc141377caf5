/** Finds the messages that a session listed in a later scan of the mailbox. */

import { sameFile } from './fileMark.ts';
import type { MboxMessage } from './message.ts';
import type { Scan } from './scan.ts';

/** Row in `scan` of a message of `listed`; `undefined`: it is gone. */
export type Locate = (message: MboxMessage) => number | undefined;

export function locator(listed: Scan, scan: Scan): Locate {
  if (scan.rows === listed.rows) return ({ row }) => (row < scan.count ? row : undefined);
  let rows: Map<string, number> | undefined;
  return ({ uniqueId }) => {
    if (rows === undefined) {
      rows = new Map();
      for (let row = 0; row < scan.count; row++) rows.set(scan.rows.uniqueId(row), row);
    }
    return rows.get(uniqueId);
  };
}

/**
 * Where to stop when a message is removed: the start of the next. What was added to the last message after it was listed isn't part of
 * what the client has seen: a torn message may by now be followed by another that nothing parts from it. `undefined`: remove nothing,
 * as it can't be told where the old part ends.
 */
export function removalEnd(listed: Scan, message: MboxMessage, scan: Scan, row: number): number | undefined {
  const { rows } = scan;
  const next = row + 1 < scan.count ? rows.start(row + 1) : scan.file.size;
  if (message.row < listed.count - 1 || scan.rows === listed.rows) return next;
  const old = listed.rows;
  if (sameFile(listed.file, scan.file) && rows.start(row) === old.start(message.row)) return Math.min(next, listed.file.size);
  return rows.end(row) - rows.body(row) === old.end(message.row) - old.body(message.row) ? next : undefined;
}
