/**
 * A scan on disc: one file a mailbox in the state folder. Losing it costs time; it is written without fsync, and whatever in it doesn't
 * add up makes it as good as lost.
 *
 * Octets: 0 magic, 8 byte order, 12 CRC-32 of all that follows, 16 messages, 20 retired unique-ids, 24 octets of the path, 28 trust,
 * 32 dev, 40 ino, 48 mtime, 56 ctime (ns), 64 size, 72 preamble, 80 tail; from 96 the path, filled up to a multiple of 8, the rows, and
 * 20 octets for each retired unique-id.
 */
import { hash } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Log } from '../../model/log.ts';
import { codeOf, type Disk } from '../../os/disk.ts';
import { ROW_SIZE, Rows } from './rows.ts';
import { Scan, type Trust } from './scan.ts';
import { Retired } from './uniqueIds.ts';

/** The last character is the version. */
const MAGIC = Buffer.from('PKmbox\n1', 'latin1');
const CHECKED = 16;
const HEAD = 96;
const RETIRED_SIZE = 20;
const ORDER = 0x0a0b0c0d;
const trusts: readonly Trust[] = ['racy', 'likely', 'exact'];
const LONGEST = 1024 * 1024 * 1024;

/** Same-named for every process, and nothing of the path but its digest in it. */
export function stateName(path: string): string {
  return hash('sha256', path, 'hex').slice(0, 32);
}

export interface IndexFiles {
  /** `undefined`: none, or none that adds up. */
  read(path: string): Scan | undefined;
  write(path: string, scan: Scan): void;
}

export const noIndexFiles: IndexFiles = { read: () => undefined, write() {} };

/** `folder` is made when the first index is written. */
export function createIndexFiles(folder: string, disk: Disk, log: Log): IndexFiles {
  let written = 0;
  const fileOf = (path: string): string => join(folder, `${stateName(path)}.index`);

  function write(path: string, scan: Scan): void {
    const fresh = `${fileOf(path)}.${process.pid}.${++written}`;
    const flags = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_TRUNC | fs.constants.O_NOFOLLOW;
    let fd: number;
    try {
      fd = disk.open(fresh, flags, 0o600);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      makeFolder(disk, folder);
      fd = disk.open(fresh, flags, 0o600);
    }
    try {
      try {
        disk.write(fd, encodeIndex(path, scan));
      } finally {
        disk.close(fd);
      }
      disk.rename(fresh, fileOf(path));
    } catch (error) {
      disk.unlink(fresh);
      throw error;
    }
  }

  return {
    read(path) {
      try {
        const octets = readWhole(disk, fileOf(path));
        return octets && decodeIndex(path, octets);
      } catch (error) {
        log.warn('mbox.index-unreadable', { error });
        return undefined;
      }
    },
    write(path, scan) {
      try {
        write(path, scan);
      } catch (error) {
        log.warn('mbox.index-unwritable', { error });
      }
    },
  };
}

export function makeFolder(disk: Disk, folder: string): void {
  try {
    disk.mkdir(folder, 0o700);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

function readWhole(disk: Disk, file: string): Buffer | undefined {
  let fd: number;
  try {
    fd = disk.open(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const stats = disk.fstat(fd);
    if (!stats.isFile() || stats.size > LONGEST) return undefined;
    const octets = Buffer.from(new ArrayBuffer(stats.size));
    return disk.read(fd, octets, 0, octets.length, 0) === octets.length ? octets : undefined;
  } finally {
    disk.close(fd);
  }
}

export function encodeIndex(path: string, scan: Scan): Buffer {
  const pathOctets = Buffer.from(path);
  const rowsAt = HEAD + roundUp(pathOctets.length);
  const retiredAt = rowsAt + scan.count * ROW_SIZE;
  const octets = Buffer.alloc(retiredAt + scan.retired.size * RETIRED_SIZE);
  MAGIC.copy(octets);
  new Uint32Array(octets.buffer, octets.byteOffset + 8, 1)[0] = ORDER;
  octets.writeUInt32LE(scan.count, 16);
  octets.writeUInt32LE(scan.retired.size, 20);
  octets.writeUInt32LE(pathOctets.length, 24);
  octets.writeUInt32LE(trusts.indexOf(scan.trust), 28);
  octets.writeBigUInt64LE(BigInt.asUintN(64, scan.file.dev), 32);
  octets.writeBigUInt64LE(BigInt.asUintN(64, scan.file.ino), 40);
  octets.writeBigInt64LE(scan.file.mtimeNs, 48);
  octets.writeBigInt64LE(scan.file.ctimeNs, 56);
  octets.writeDoubleLE(scan.file.size, 64);
  octets.writeDoubleLE(scan.preamble, 72);
  octets.write(scan.tail, 80, 'latin1');
  pathOctets.copy(octets, HEAD);
  octets.set(scan.rows.octetsOf(scan.count), rowsAt);
  let at = retiredAt;
  for (const [digest, next] of scan.retired.entries()) {
    octets.write(digest, at, 'latin1');
    octets.writeUInt32LE(next, at + 16);
    at += RETIRED_SIZE;
  }
  octets.writeUInt32LE(crc32(octets.subarray(CHECKED)), 12);
  return octets;
}

/** `octets` begin their ArrayBuffer and are kept: the rows stay where they lie. */
export function decodeIndex(path: string, octets: Buffer): Scan | undefined {
  if (octets.length < HEAD || octets.byteOffset % 8 !== 0 || octets.compare(MAGIC, 0, MAGIC.length, 0, MAGIC.length) !== 0)
    return undefined;
  if (new Uint32Array(octets.buffer, octets.byteOffset + 8, 1)[0] !== ORDER) return undefined;
  const count = octets.readUInt32LE(16);
  const retiredCount = octets.readUInt32LE(20);
  const pathLength = octets.readUInt32LE(24);
  const rowsAt = HEAD + roundUp(pathLength);
  const retiredAt = rowsAt + count * ROW_SIZE;
  if (octets.length !== retiredAt + retiredCount * RETIRED_SIZE) return undefined;
  if (octets.readUInt32LE(12) !== crc32(octets.subarray(CHECKED))) return undefined;
  if (octets.toString('utf8', HEAD, HEAD + pathLength) !== path) return undefined;
  const retired: [string, number][] = [];
  for (let at = retiredAt; at < octets.length; at += RETIRED_SIZE) {
    retired.push([octets.toString('latin1', at, at + 16), octets.readUInt32LE(at + 16)]);
  }
  const scan = new Scan({
    file: {
      dev: octets.readBigUInt64LE(32),
      ino: octets.readBigUInt64LE(40),
      mtimeNs: octets.readBigInt64LE(48),
      ctimeNs: octets.readBigInt64LE(56),
      size: octets.readDoubleLE(64),
    },
    rows: new Rows(octets.buffer as ArrayBuffer, octets.byteOffset + rowsAt, count, count),
    count,
    preamble: octets.readDoubleLE(72),
    tail: octets.toString('latin1', 80, HEAD),
    trust: trusts[octets.readUInt32LE(28)] ?? 'racy',
    retired: new Retired(retired),
  });
  return addsUp(scan) ? scan : undefined;
}

/** Every message lies inside the file, after the one before, and is of a size that its octets can have. */
function addsUp({ rows, count, file, preamble }: Scan): boolean {
  if (!Number.isSafeInteger(file.size) || file.size < 0) return false;
  if (preamble !== (count > 0 ? rows.start(0) : file.size)) return false;
  let least = 0;
  for (let row = 0; row < count; row++) {
    const start = rows.start(row);
    const content = rows.content(row);
    const body = rows.body(row);
    const end = rows.end(row);
    const octets = rows.octets(row);
    if (!(start >= least && start <= content && content <= body && body <= end && end <= file.size)) return false;
    if (!Number.isInteger(start) || !Number.isInteger(content) || !Number.isInteger(body) || !Number.isInteger(end)) return false;
    if (!(Number.isInteger(octets) && octets >= 0 && octets <= 2 * (end - content) + 2)) return false;
    if (!Number.isFinite(rows.receivedAtMs(row)) || (row > 0 && start < rows.end(row - 1))) return false;
    least = start + 1;
  }
  return true;
}

function roundUp(octets: number): number {
  return Math.ceil(octets / 8) * 8;
}
