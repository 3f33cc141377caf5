/** Reading a file for what its name doesn't say. */
import fs from 'node:fs';
import { borrowSlot, PIECE_SIZE } from '../../message/octetLoops.ts';
import { codeOf, type Disk } from '../../os/disk.ts';
import { WireMeter } from '../wireLength.ts';
import type { Measured } from './sizeIndex.ts';

/** Links aren't followed, so that nobody reads another's files by one in his Maildir; nor is a FIFO waited for. */
export const MESSAGE_FLAGS = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK;

/**
 * Octets in the file and on the wire, and when it was last written.
 * @returns 'gone': nothing has that name now; 'no message': it is a link, a directory or the like
 * @throws Error with `code`
 */
export async function measure(disk: Disk, path: string): Promise<Measured | 'gone' | 'no message'> {
  let fd: number;
  try {
    fd = disk.open(path, MESSAGE_FLAGS);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return 'gone';
    if (code === 'ELOOP' || code === 'ENXIO') return 'no message';
    throw error;
  }
  const slot = borrowSlot(PIECE_SIZE);
  try {
    const stats = disk.fstat(fd);
    if (!stats.isFile()) return 'no message';
    const meter = new WireMeter();
    let position = 0;
    while (position < stats.size) {
      const length = Math.min(PIECE_SIZE, stats.size - position);
      // The first piece is the whole of most messages, and quick; who is larger waits in the thread pool.
      const read = position === 0 ? disk.read(fd, slot.octets, 0, length, 0) : await disk.readLater(fd, slot.octets, 0, length, position);
      if (read === 0) break;
      meter.add(slot.octets.subarray(0, read));
      position += read;
    }
    return { size: position, octets: meter.octets, receivedAtMs: Number(stats.mtimeNs / 1_000_000n) };
  } finally {
    slot.release();
    disk.close(fd);
  }
}
