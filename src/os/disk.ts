/**
 * The file-system calls a store makes, as one object: a test can stop the program dead, or run out of space, at each of them.
 * What takes microseconds (answered from the page cache) is synchronous; what may wait for the device goes to the thread pool.
 * Every method is one system call unless it names more. Errors are Node's own, with `code` (ENOENT, ENOSPC …).
 */
import fs from 'node:fs';
import { exchangeNames, renameToNew } from './renames.ts';

export interface FileStats {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: number;
  /** Type and permission bits. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

export interface Disk {
  /** Follows links. `undefined`: nothing is there (ENOENT, ENOTDIR). */
  stat(path: string): FileStats | undefined;
  /** As `stat`, of a link itself. */
  lstat(path: string): FileStats | undefined;
  fstat(fd: number): FileStats;
  /** access(2) with `fs.constants.R_OK | W_OK | X_OK`; false on any error. */
  access(path: string, mode: number): boolean;
  /** What a link says, as it is written. */
  readlink(path: string): string;
  /** realpath(3): one lstat(2) for each part of the path. */
  realpath(path: string): string;
  /** `flags` of `fs.constants`; O_CLOEXEC comes with it. */
  open(path: string, flags: number, mode?: number): number;
  close(fd: number): void;
  /** Fewer octets than asked for at the end of the file. */
  read(fd: number, into: Uint8Array, offset: number, length: number, position: number): number;
  /** opendir, getdents as often as needed, closedir. Without `.` and `..`, in no order. */
  readdir(path: string): string[];
  /** Writes all or throws: a short write is followed by another. `position` undefined or null: where the descriptor stands, or the end with O_APPEND. */
  write(fd: number, octets: Uint8Array, position?: number | null): void;
  truncate(fd: number, length: number): void;
  rename(from: string, to: string): void;
  /** Each gets the other's name, in one step. EINVAL or ENOSYS where the file system or the C library doesn't know it. */
  exchange(one: string, other: string): void;
  /** As `rename`, but EEXIST where something has that name. EINVAL, ENOSYS as `exchange`. */
  renameNew(from: string, to: string): void;
  link(existing: string, path: string): void;
  symlink(target: string, path: string): void;
  unlink(path: string): void;
  mkdir(path: string, mode?: number): void;
  rmdir(path: string): void;
  chmod(path: string, mode: number): void;
  fchmod(fd: number, mode: number): void;
  chown(path: string, uid: number, gid: number): void;
  fchown(fd: number, uid: number, gid: number): void;
  /** Times in seconds since 1970, fractions allowed. */
  utimes(path: string, atime: number, mtime: number): void;
  futimes(fd: number, atime: number, mtime: number): void;
  /** As `open`, in the thread pool: what makes a file waits for the journal while others are synced. */
  openLater(path: string, flags: number, mode?: number): Promise<number>;
  /** As `rename`, in the thread pool, for the same reason. */
  renameLater(from: string, to: string): Promise<void>;
  /** As `read`, in the thread pool. */
  readLater(fd: number, into: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  /** As `write`, in the thread pool. */
  writeLater(fd: number, octets: Uint8Array, position?: number | null): Promise<void>;
  /** fsync(2), in the thread pool. Space that was promised and isn't there may show here first. */
  sync(fd: number): Promise<void>;
  /** open, fsync and close of a directory, so that names made, renamed or removed in it last. The fsync is in the thread pool. */
  syncDirectory(path: string): Promise<void>;
}

class Stats implements FileStats {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;

  constructor(of: fs.BigIntStats) {
    this.dev = of.dev;
    this.ino = of.ino;
    this.size = Number(of.size);
    this.mode = Number(of.mode);
    this.nlink = Number(of.nlink);
    this.uid = Number(of.uid);
    this.gid = Number(of.gid);
    this.mtimeNs = of.mtimeNs;
    this.ctimeNs = of.ctimeNs;
  }

  isFile(): boolean {
    return (this.mode & fs.constants.S_IFMT) === fs.constants.S_IFREG;
  }
  isDirectory(): boolean {
    return (this.mode & fs.constants.S_IFMT) === fs.constants.S_IFDIR;
  }
  isSymbolicLink(): boolean {
    return (this.mode & fs.constants.S_IFMT) === fs.constants.S_IFLNK;
  }
}

const statOptions = { bigint: true, throwIfNoEntry: false } as const;

export const disk: Disk = {
  stat(path) {
    const found = fs.statSync(path, statOptions);
    return found && new Stats(found);
  },
  lstat(path) {
    try {
      const found = fs.lstatSync(path, statOptions);
      return found && new Stats(found);
    } catch (error) {
      // Unlike statSync, Node's lstatSync knows ENOENT only.
      if (codeOf(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  },
  fstat: (fd) => new Stats(fs.fstatSync(fd, { bigint: true })),
  access(path, mode) {
    try {
      fs.accessSync(path, mode);
      return true;
    } catch {
      return false;
    }
  },
  readlink: (path) => fs.readlinkSync(path),
  realpath: (path) => fs.realpathSync.native(path),
  open: (path, flags, mode) => fs.openSync(path, flags, mode),
  close: (fd) => fs.closeSync(fd),
  read: (fd, into, offset, length, position) => fs.readSync(fd, into, offset, length, position),
  readdir: (path) => fs.readdirSync(path),
  write(fd, octets, position = null) {
    for (let done = 0; done < octets.length; ) {
      done += fs.writeSync(fd, octets, done, octets.length - done, position === null ? null : position + done);
    }
  },
  truncate: (fd, length) => fs.ftruncateSync(fd, length),
  rename: (from, to) => fs.renameSync(from, to),
  exchange: exchangeNames,
  renameNew: renameToNew,
  link: (existing, path) => fs.linkSync(existing, path),
  symlink: (target, path) => fs.symlinkSync(target, path),
  unlink: (path) => fs.unlinkSync(path),
  mkdir(path, mode) {
    fs.mkdirSync(path, mode === undefined ? {} : { mode });
  },
  rmdir: (path) => fs.rmdirSync(path),
  chmod: (path, mode) => fs.chmodSync(path, mode),
  fchmod: (fd, mode) => fs.fchmodSync(fd, mode),
  chown: (path, uid, gid) => fs.chownSync(path, uid, gid),
  fchown: (fd, uid, gid) => fs.fchownSync(fd, uid, gid),
  utimes: (path, atime, mtime) => fs.utimesSync(path, atime, mtime),
  futimes: (fd, atime, mtime) => fs.futimesSync(fd, atime, mtime),
  openLater: (path, flags, mode) =>
    new Promise((resolve, reject) => {
      fs.open(path, flags, mode, (error, fd) => (error ? reject(error) : resolve(fd)));
    }),
  renameLater: (from, to) => new Promise((resolve, reject) => fs.rename(from, to, (error) => (error ? reject(error) : resolve()))),
  readLater: (fd, into, offset, length, position) =>
    new Promise((resolve, reject) => {
      fs.read(fd, into, offset, length, position, (error, octets) => (error ? reject(error) : resolve(octets)));
    }),
  async writeLater(fd, octets, position = null) {
    for (let done = 0; done < octets.length; ) {
      done += await writeSome(fd, octets, done, position === null ? null : position + done);
    }
  },
  sync: (fd) => new Promise((resolve, reject) => fs.fsync(fd, (error) => (error ? reject(error) : resolve()))),
  async syncDirectory(path) {
    const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    try {
      await disk.sync(fd);
    } catch (error) {
      // A file system that knows no fsync for directories (some network and FUSE ones) keeps its names in order by itself.
      if (codeOf(error) !== 'EINVAL') throw error;
    } finally {
      fs.closeSync(fd);
    }
  },
};

function writeSome(fd: number, octets: Uint8Array, from: number, position: number | null): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(fd, octets, from, octets.length - from, position, (error, written) => (error ? reject(error) : resolve(written)));
  });
}

/** The errno name of a failed system call; `undefined` for whatever else was thrown. */
export function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}
