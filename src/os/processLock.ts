/** One running instance: a file in the run directory, locked for the life of the process, that says its process id. */
import fs from 'node:fs';
import { EX_UNAVAILABLE } from './exitCodes.ts';
import { tryLock } from './locks.ts';
import { StartFailure } from './startFailure.ts';

export interface ProcessLock {
  /** Process id of an instance that had it before and did not release it: it was killed, and what it had started may still be ending. */
  readonly killed: number | undefined;
  /** Empties and unlocks the file. It stays: who waits on a removed file would lock beside who makes it anew. */
  release(): void;
}

const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

/** @throws StartFailure with the other's process id, when another process has it */
export function takeProcessLock(path: string): ProcessLock {
  // Root writes here, in a folder that isn't root's alone: a link to another file must not be followed.
  const fd = fs.openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o644);
  let before: string;
  try {
    const stats = fs.fstatSync(fd);
    if (!stats.isFile() || stats.nlink !== 1)
      throw new StartFailure('{path}: should be a file of its own; remove it', { path }, EX_UNAVAILABLE);
    const octets = Buffer.alloc(32);
    before = octets.toString('latin1', 0, fs.readSync(fd, octets, 0, octets.length, 0)).trim();
    if (!tryLock(fd, 'write')) throw new StartFailure('{path}: already running, process {pid}', { path, pid: before }, EX_UNAVAILABLE);
    fs.ftruncateSync(fd, 0);
    fs.writeSync(fd, `${process.pid}\n`, 0);
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
  return {
    killed: /^\d{1,10}$/.test(before) ? Number(before) : undefined,
    release() {
      fs.ftruncateSync(fd, 0);
      fs.closeSync(fd);
    },
  };
}
