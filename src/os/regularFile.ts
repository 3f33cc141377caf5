/** Reading a file that somebody else may have put something else in place of: a pipe would be waited for, and a device never end. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;

/** @throws the system's error; Error that says what is wrong with the file: no regular file, or of more octets than `most` */
export function readRegularFile(path: string, most: number): Buffer {
  const fd = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new Error(`${path}: not a regular file`);
    if (stats.size > most) throw new Error(`${path}: larger than ${most} octets`);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}
