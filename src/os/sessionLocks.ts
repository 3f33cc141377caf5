/**
 * One session per maildrop, between all processes that open the same file: each maildrop is one octet of it, found by a hash of its
 * name, and a session holds the kernel lock on that octet. Two system calls a session, no file per maildrop, and a dead process
 * leaves nothing behind. The file stays empty; it must not be removed while a process has it open.
 */
import { hash } from 'node:crypto';
import fs from 'node:fs';
import { tryLock, unlock } from './locks.ts';

/** Names whose octet need not be worked out again, about 200 octets of memory each. */
const MOST_KNOWN = 10_000;

export interface SessionLock {
  /** A second call does nothing. */
  release(): void;
}

export interface SessionLocks {
  /** @returns `undefined`: a session here or in another process has it. @throws Error with `code` when the kernel can't lock */
  take(name: string): SessionLock | undefined;
  /** Ends every lock taken here. */
  close(): void;
}

/** @param path is made where it is missing; its directory must be there. Not on a network file system. */
export function createSessionLocks(path: string): SessionLocks {
  let fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
  // The kernel tells openings of the file apart, and this process has but one: its own sessions are told apart here.
  const taken = new Set<bigint>();
  const known = new Map<string, bigint>();

  function octetFor(name: string): bigint {
    let octet = known.get(name);
    if (octet === undefined) {
      octet = octetOf(name);
      if (known.size === MOST_KNOWN) known.clear();
      known.set(name, octet);
    }
    return octet;
  }

  return {
    take(name) {
      const octet = octetFor(name);
      if (taken.has(octet) || !tryLock(fd, 'write', octet, 1n)) return undefined;
      taken.add(octet);
      let released = false;
      return {
        release() {
          if (released) return;
          released = true;
          if (taken.delete(octet)) unlock(fd, octet, 1n);
        },
      };
    },
    close() {
      taken.clear();
      fs.closeSync(fd);
      fd = -1;
    },
  };
}

/** 62 bits, so that the octet and the one after it are offsets of a file. By chance two names share one once in 10^18 pairs. */
function octetOf(name: string): bigint {
  return hash('sha256', name, 'buffer').readBigUInt64BE(0) >> 2n;
}
