/**
 * What names don't tell and was found by reading the files: `<unique-id> <octets in the file> <octets on the wire> <ms since 1970>`,
 * a line a message, the last one for an id counts. One file per Maildir in the state directory; losing it costs reading once more.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type { Disk } from '../../os/disk.ts';

export interface Measured {
  readonly size: number;
  readonly octets: number;
  readonly receivedAtMs: number;
}

export interface SizeIndex {
  /** Lines of messages that are gone count too. */
  readonly lines: number;
  readonly known: ReadonlyMap<string, Measured>;
}

const LINE = /^([\x21-\x7e]{1,70}) (\d{1,15}) (\d{1,15}) (\d{1,15})$/;
const { O_RDONLY, O_WRONLY, O_CREAT, O_TRUNC, O_APPEND } = fs.constants;

export function sizeIndexPath(stateDir: string, maildir: string): string {
  return `${stateDir}/maildir/${createHash('sha256').update(maildir).digest('hex').slice(0, 32)}.sizes`;
}

/** Empty where there is none. Lines that a crash left torn are passed over. @throws Error with `code` */
export function readSizeIndex(disk: Disk, path: string): SizeIndex {
  const known = new Map<string, Measured>();
  const stats = disk.stat(path);
  if (stats === undefined) return { lines: 0, known };
  const octets = Buffer.allocUnsafe(stats.size);
  const fd = disk.open(path, O_RDONLY);
  let length: number;
  try {
    length = disk.read(fd, octets, 0, octets.length, 0);
  } finally {
    disk.close(fd);
  }
  let lines = 0;
  for (const line of octets.toString('latin1', 0, length).split('\n')) {
    lines += 1;
    const [, uniqueId, size, wire, at] = LINE.exec(line) ?? [];
    if (uniqueId !== undefined) known.set(uniqueId, { size: Number(size), octets: Number(wire), receivedAtMs: Number(at) });
  }
  return { lines, known };
}

/** Not synced: a line that a power cut takes is measured again. @throws Error with `code` */
export function appendToSizeIndex(disk: Disk, path: string, measured: ReadonlyMap<string, Measured>): void {
  // A torn last line before ours ends here.
  write(disk, path, O_WRONLY | O_CREAT | O_APPEND, `\n${format(measured)}`);
}

/** For when most of its lines are of messages that are gone. @throws Error with `code` */
export function replaceSizeIndex(disk: Disk, path: string, measured: ReadonlyMap<string, Measured>): void {
  const fresh = `${path}.${process.pid}.new`;
  write(disk, fresh, O_WRONLY | O_CREAT | O_TRUNC, format(measured));
  disk.rename(fresh, path);
}

function format(measured: ReadonlyMap<string, Measured>): string {
  let text = '';
  for (const [uniqueId, { size, octets, receivedAtMs }] of measured) text += `${uniqueId} ${size} ${octets} ${receivedAtMs}\n`;
  return text;
}

function write(disk: Disk, path: string, flags: number, text: string): void {
  const fd = disk.open(path, flags, 0o600);
  try {
    disk.write(fd, Buffer.from(text, 'latin1'));
  } finally {
    disk.close(fd);
  }
}
