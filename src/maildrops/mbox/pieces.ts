/** A file put together from parts of another: what a rewrite keeps, and what it puts between. */
import type { Disk } from '../../os/disk.ts';
import { FROM } from './scanner.ts';

export type Piece =
  | { readonly kind: 'range'; readonly from: number; readonly to: number /** A message begins at `from`. */; readonly begins: boolean }
  | { readonly kind: 'literal'; readonly octets: Buffer };

const CHUNK = 4 * 1024 * 1024;
const LF = 0x0a;

export function lengthOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + (piece.kind === 'range' ? piece.to - piece.from : piece.octets.length), 0);
}

/**
 * Reads the ranges from `fd` in large steps and hands everything to `write` in order; `write` is done with the octets when it resolves.
 * @throws Error when a range that should begin a message doesn't: then what is known of the file is wrong
 */
export async function copyPieces(
  disk: Disk,
  fd: number,
  pieces: readonly Piece[],
  write: (octets: Buffer) => Promise<void>,
): Promise<void> {
  const size = Math.min(CHUNK, Math.max(lengthOf(pieces), 1));
  const end = pieces.reduce((last, piece) => (piece.kind === 'range' ? piece.to : last), 0);
  const window = Buffer.allocUnsafeSlow(size);
  const out = Buffer.allocUnsafeSlow(size);
  let windowStart = 0;
  let windowEnd = 0;
  let filled = 0;
  const flush = async (): Promise<void> => {
    if (filled === 0) return;
    const octets = out.subarray(0, filled);
    filled = 0;
    await write(octets);
  };

  for (const piece of pieces) {
    if (piece.kind === 'literal') {
      if (filled + piece.octets.length > size) await flush();
      filled += piece.octets.copy(out, filled);
      continue;
    }
    for (let at = piece.from; at < piece.to; ) {
      if (at < windowStart || at >= windowEnd || (at === piece.from && piece.begins && windowEnd - at < FROM.length)) {
        windowStart = at;
        windowEnd = at + (await fill(disk, fd, window, Math.min(size, end - at), at));
      }
      const index = at - windowStart;
      if (at === piece.from && piece.begins && FROM.compare(window, index, Math.min(index + FROM.length, windowEnd - windowStart)) !== 0) {
        throw new Error(`no message begins at octet ${at}`);
      }
      const length = Math.min(piece.to, windowEnd) - at;
      if (filled === 0 && length === windowEnd - windowStart) {
        await write(window.subarray(0, length));
        at += length;
        continue;
      }
      const taken = Math.min(length, size - filled);
      window.copy(out, filled, index, index + taken);
      filled += taken;
      at += taken;
      if (filled === size) await flush();
    }
  }
  await flush();
}

/** Octets [from, to) of a file, in steps; those given to `take` are valid until it resolves. */
export async function readRange(
  disk: Disk,
  fd: number,
  from: number,
  to: number,
  take: (octets: Buffer) => Promise<void> | void,
): Promise<void> {
  const area = Buffer.allocUnsafeSlow(Math.min(CHUNK, Math.max(1, to - from)));
  for (let at = from; at < to; ) {
    const got = await fill(disk, fd, area, Math.min(area.length, to - at), at);
    await take(area.subarray(0, got));
    at += got;
  }
}

async function fill(disk: Disk, fd: number, into: Buffer, length: number, position: number): Promise<number> {
  let done = 0;
  while (done < length) {
    const got = await disk.readLater(fd, into, done, length - done, position + done);
    if (got === 0) throw new Error('the file became shorter while it was read');
    done += got;
  }
  return done;
}

/** What has to follow octets that end in `tail` (the last three, fewer at the start of a file) so that a `From ` line after it is one. */
export function partingAfter(tail: Buffer): string {
  if (tail.length === 0) return '';
  if (tail.at(-1) !== LF) return '\n\n';
  if (tail.length === 1 || tail.at(-2) === LF) return '';
  const crlf = tail.at(-2) === 0x0d && (tail.length === 2 || tail.at(-3) === LF);
  return crlf ? '' : '\n';
}
