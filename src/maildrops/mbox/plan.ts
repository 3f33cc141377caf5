/** What a mailbox becomes when messages are removed from it: which of its octets stay, and where its messages lie then. */

import { countBareLf } from '../../message/octetLoops.ts';
import type { Disk } from '../../os/disk.ts';
import { statusField } from './header.ts';
import { lengthOf, type Piece, partingAfter } from './pieces.ts';
import { HAS_STATUS, OPEN_END, Rows } from './rows.ts';
import type { Scan } from './scan.ts';
import { statusLine, statusWanted, withStatus } from './status.ts';

export interface Wish {
  /** Row → end of what is removed: where the next message begins, or sooner if the message has grown since the session saw it. */
  readonly removed: ReadonlyMap<number, number>;
  /** Rows whose `Status:` is to say R, and those whose `Status:` is to say O; `undefined`: leave it alone. */
  readonly status: { readonly read: ReadonlySet<number>; readonly listed: ReadonlySet<number> } | undefined;
}

export interface Plan {
  readonly pieces: readonly Piece[];
  /** The first octet that changes. */
  readonly start: number;
  /** All that happens is that the file ends at `start`. */
  readonly truncates: boolean;
  /** Of the new file, in octets. */
  readonly size: number;
  /** Rows of the new file; `undefined` where it has to be read to know. */
  readonly rows: Rows | undefined;
}

/** `fd` is read for the headers whose `Status:` changes. */
export function makePlan(disk: Disk, fd: number, scan: Scan, wish: Wish): Plan {
  const { rows, count } = scan;
  const { size } = scan.file;
  const pieces: Piece[] = [];
  const made = Rows.withRoom(count - wish.removed.size);
  let known = true;
  let from = 0;
  let begins = false;
  let moved = 0;
  let start = -1;
  const keepUntil = (to: number): void => {
    if (to > from) pieces.push({ kind: 'range', from, to, begins });
    begins = false;
  };

  for (let row = 0; row < count; row++) {
    const first = rows.start(row);
    const next = row + 1 < count ? rows.start(row + 1) : size;
    const removedTo = wish.removed.get(row);
    if (removedTo !== undefined) {
      if (start < 0) start = first;
      keepUntil(first);
      from = removedTo;
      moved -= removedTo - first;
      // What stays of a message that has grown is found by the next scan.
      if (removedTo < next) known = false;
      else begins = true;
      continue;
    }
    const copy = made.addMoved(rows, row, moved);
    const status = wish.status?.listed.has(row) ? statusWanted(rows, row, wish.status.read.has(row)) : undefined;
    if (status === undefined) continue;
    const edit = editStatus(disk, fd, rows, row, status);
    if (start < 0) start = edit.from;
    keepUntil(edit.from);
    pieces.push({ kind: 'literal', octets: edit.octets });
    from = edit.to;
    const longer = edit.octets.length - (edit.to - edit.from);
    moved += longer;
    made.setPlace(copy, made.start(copy), made.content(copy), made.body(copy) + longer, made.end(copy) + longer);
    made.setOctets(copy, made.octets(copy) + edit.longerOnTheWire);
    made.setFlags(copy, withStatus(made.flags(copy), status));
  }
  keepUntil(size);
  const [first] = pieces;
  const truncates = from === size && (first === undefined || (pieces.length === 1 && first.kind === 'range' && first.from === 0));
  if (!truncates && made.count > 0 && !wish.removed.has(count - 1)) part(disk, fd, size, pieces, made);
  return { pieces, start: start < 0 ? size : start, truncates, size: lengthOf(pieces), rows: known ? made : undefined };
}

/** The last message gets what it lacks, so that one that is appended later is parted from it. */
function part(disk: Disk, fd: number, size: number, pieces: Piece[], rows: Rows): void {
  const row = rows.count - 1;
  if (!rows.has(row, OPEN_END)) return;
  const tail = Buffer.alloc(Math.min(3, size));
  disk.read(fd, tail, 0, tail.length, size - tail.length);
  const parting = partingAfter(tail);
  pieces.push({ kind: 'literal', octets: Buffer.from(parting) });
  rows.setFlags(row, rows.flags(row) & ~OPEN_END);
  if (tail.at(-1) === 0x0a) return;
  const end = rows.end(row) + 1;
  if (rows.content(row) === rows.end(row)) rows.setPlace(row, rows.start(row), end, end, end);
  else {
    const body = rows.body(row) === rows.end(row) ? end : rows.body(row);
    rows.setPlace(row, rows.start(row), rows.content(row), body, end);
    // On the wire the line has been given an end all along; where it has half of one already, less is added now.
    if (tail.at(-1) === 0x0d) rows.setOctets(row, rows.octets(row) - 1);
  }
}

/** The octets [from, to) of the file that `octets` take the place of. */
function editStatus(
  disk: Disk,
  fd: number,
  rows: Rows,
  row: number,
  status: 'RO' | 'O',
): { from: number; to: number; octets: Buffer; longerOnTheWire: number } {
  const content = rows.content(row);
  const body = rows.body(row);
  const within = rows.has(row, HAS_STATUS);
  const header = Buffer.allocUnsafe(within ? body + 1 - content : 1);
  const got = disk.read(fd, header, 0, header.length, body + 1 - header.length);
  if (got < header.length) throw new Error('the file became shorter while it was read');
  const lineEnd = header[header.length - 1] === 0x0d ? '\r\n' : '\n';
  const field = within ? statusField(header, header.length - 1) : undefined;
  const from = field?.start ?? header.length - 1;
  const to = field?.end ?? header.length - 1;
  const old = header.subarray(from, to);
  const octets = statusLine(status, old, lineEnd);
  const longerOnTheWire = octets.length + countBareLf(octets) - old.length - countBareLf(old);
  const origin = body + 1 - header.length;
  return { from: origin + from, to: origin + to, octets, longerOnTheWire };
}
