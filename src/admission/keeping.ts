/** A file with what is remembered, so that neither known ways nor attacks are forgotten by a restart. */
import fs from 'node:fs';
import type { Log } from '../model/log.ts';
import { replaceFile } from '../os/atomicFile.ts';
import { codeOf, type Disk } from '../os/disk.ts';
import type { AdmissionControl } from './admission.ts';
import type { Clock } from './clock.ts';

export interface KeepingOptions {
  readonly admission: Pick<AdmissionControl, 'snapshot' | 'restore' | 'changes'>;
  readonly disk: Disk;
  readonly path: string;
  /** Whether it is written here: in one of the fronts. All read it. */
  readonly keeps: boolean;
  readonly log: Log;
  readonly clock: Clock;
}

export interface Keeping {
  /** Writes what has changed and then nothing more. Resolves when it is on the disc. May be called again. */
  stop(): Promise<void>;
}

const WRITE_EVERY_MS = 30_000;
/** Far more than the tables can hold. */
const LARGEST_FILE = 64 * 1024 * 1024;

/** Reads the file now, and writes it every half a minute when anything has changed. Trouble with it costs memory of the past and nothing else. */
export function keepAdmission(options: KeepingOptions): Keeping {
  const { admission, disk, path, keeps, log, clock } = options;
  readInto(options);
  let written = admission.changes;
  let writing: Promise<void> = Promise.resolve();
  let cancel = (): void => {};

  async function write(): Promise<void> {
    const { changes } = admission;
    if (changes === written) return;
    try {
      await replaceFile(disk, path, admission.snapshot(), 0o600);
      written = changes;
    } catch (cause) {
      log.warn('throttle.state-unwritable', { file: path, cause });
    }
  }

  function later(): void {
    cancel = clock.after(WRITE_EVERY_MS, () => {
      writing = write().then(later);
    });
  }

  let stopped: Promise<void> | undefined;

  async function writeTheLast(): Promise<void> {
    cancel();
    await writing;
    cancel();
    await write();
  }

  if (keeps) later();
  return {
    stop() {
      stopped ??= keeps ? writeTheLast() : Promise.resolve();
      return stopped;
    },
  };
}

function readInto({ admission, disk, path, log }: KeepingOptions): void {
  try {
    const octets = contentOf(disk, path);
    if (!admission.restore(octets)) log.warn('throttle.state-ignored', { file: path, octets: octets.length });
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') log.warn('throttle.state-unreadable', { file: path, cause });
  }
}

function contentOf(disk: Disk, path: string): Buffer {
  // Not to wait for ever where somebody put a FIFO.
  const fd = disk.open(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  try {
    const { size } = disk.fstat(fd);
    if (size > LARGEST_FILE) throw new Error(`${size} octets are too many`);
    const octets = Buffer.alloc(size);
    return octets.subarray(0, disk.read(fd, octets, 0, size, 0));
  } finally {
    disk.close(fd);
  }
}
