/** A disc that fails at a chosen call, or takes the whole process with it. Counts the calls that change something, from 1. */
import fs from 'node:fs';
import { type Disk, disk as hostDisk } from '../src/os/disk.ts';

/**
 * `kill`: SIGKILL before the call, that is, after the one before it. `tear`: in the middle of it, where it is a write; else as `kill`.
 * `full`: the call fails with ENOSPC, a write after half of its octets, and from then on each call that needs room does.
 * `once`: as `full`, but there is room again afterwards.
 * `dead`: to the disc as `kill`, but the process lives on: from that call on none changes anything, and each of them fails.
 */
export type Fate = 'kill' | 'tear' | 'full' | 'once' | 'dead';

export interface FaultyDisk {
  readonly disk: Disk;
  /** Names of the calls that change something, in order; the one that failed included. */
  readonly calls: readonly string[];
}

/** @param at the call that fails; 0: none, it only counts */
export function faultyDisk(at: number, fate: Fate): FaultyDisk {
  const calls: string[] = [];
  const { O_CREAT, O_TRUNC } = fs.constants;

  /** Before each call that changes something. `half`: does a part of it. */
  function reached(call: string, needsRoom: boolean, half?: () => void): void {
    calls.push(call);
    const isIt = calls.length === at;
    if (isIt && (fate === 'kill' || fate === 'tear')) {
      if (fate === 'tear') half?.();
      process.kill(process.pid, 'SIGKILL');
      // The signal is on its way; nothing more is to happen here.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    }
    if (fate === 'dead' && at > 0 && calls.length >= at) throw Object.assign(new Error(`EIO: ${call}`), { code: 'EIO' });
    if (isIt || (fate === 'full' && needsRoom && at > 0 && calls.length > at)) {
      if (isIt) half?.();
      throw Object.assign(new Error(`ENOSPC: no space left on device, ${call}`), { code: 'ENOSPC' });
    }
  }
  const firstHalf = (octets: Uint8Array): Uint8Array => octets.subarray(0, Math.floor(octets.length / 2));

  const disk: Disk = {
    ...hostDisk,
    open(path, flags, mode) {
      if ((flags & (O_CREAT | O_TRUNC)) !== 0) reached('open', true);
      return hostDisk.open(path, flags, mode);
    },
    async openLater(path, flags, mode) {
      if ((flags & (O_CREAT | O_TRUNC)) !== 0) reached('openLater', true);
      return hostDisk.openLater(path, flags, mode);
    },
    async renameLater(from, to) {
      reached('renameLater', false);
      await hostDisk.renameLater(from, to);
    },
    write(fd, octets, position) {
      reached('write', true, () => hostDisk.write(fd, firstHalf(octets), position));
      hostDisk.write(fd, octets, position);
    },
    async writeLater(fd, octets, position) {
      reached('writeLater', true, () => hostDisk.write(fd, firstHalf(octets), position));
      await hostDisk.writeLater(fd, octets, position);
    },
    truncate(fd, length) {
      reached('truncate', false);
      hostDisk.truncate(fd, length);
    },
    rename(from, to) {
      reached('rename', false);
      hostDisk.rename(from, to);
    },
    exchange(one, other) {
      reached('exchange', false);
      hostDisk.exchange(one, other);
    },
    renameNew(from, to) {
      reached('renameNew', false);
      hostDisk.renameNew(from, to);
    },
    link(existing, path) {
      reached('link', true);
      hostDisk.link(existing, path);
    },
    symlink(target, path) {
      reached('symlink', true);
      hostDisk.symlink(target, path);
    },
    unlink(path) {
      reached('unlink', false);
      hostDisk.unlink(path);
    },
    mkdir(path, mode) {
      reached('mkdir', true);
      hostDisk.mkdir(path, mode);
    },
    rmdir(path) {
      reached('rmdir', false);
      hostDisk.rmdir(path);
    },
    chmod(path, mode) {
      reached('chmod', false);
      hostDisk.chmod(path, mode);
    },
    fchmod(fd, mode) {
      reached('fchmod', false);
      hostDisk.fchmod(fd, mode);
    },
    chown(path, uid, gid) {
      reached('chown', false);
      hostDisk.chown(path, uid, gid);
    },
    fchown(fd, uid, gid) {
      reached('fchown', false);
      hostDisk.fchown(fd, uid, gid);
    },
    utimes(path, atime, mtime) {
      reached('utimes', false);
      hostDisk.utimes(path, atime, mtime);
    },
    futimes(fd, atime, mtime) {
      reached('futimes', false);
      hostDisk.futimes(fd, atime, mtime);
    },
    async sync(fd) {
      reached('sync', true);
      await hostDisk.sync(fd);
    },
    async syncDirectory(path) {
      reached('syncDirectory', true);
      await hostDisk.syncDirectory(path);
    },
  };
  return { disk, calls };
}
