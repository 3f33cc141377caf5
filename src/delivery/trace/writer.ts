/**
 * Keeps what became of each message, in a file a day that several fronts append to. It costs a delivery nothing: lines are gathered and written
 * together in the thread pool, without fsync. What a crash takes of them is missed by who asks, and no mail is.
 */
import fs from 'node:fs';
import type { Log } from '../../model/log.ts';
import { codeOf, type Disk } from '../../os/disk.ts';
import { dayIn, dayOf, fileOf, firstOf } from './days.ts';
import { type DeliveryTrace, LONGEST_LINE, recordLine, type TraceRecord } from './record.ts';

export interface TraceWriterOptions {
  /** Made when it is first needed. */
  readonly folder: string;
  /** Files of so many days are kept, the one of today included; 0: none, and nothing is written. */
  readonly days: number;
  /** Room for those of one day. */
  readonly dayOctets: number;
  readonly disk: Pick<Disk, 'mkdir' | 'readdir' | 'unlink' | 'open' | 'close' | 'fstat' | 'writeLater'>;
  readonly log: Log;
  /** ms since 1970. */
  readonly now: () => number;
}

export interface TraceWriter extends DeliveryTrace {
  /** Resolves when all that was noted is written, or can't be. */
  close(): Promise<void>;
}

/** Lines that wait for a slow disc; those beyond are dropped. */
const MOST_PENDING = 1000;
const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

interface DayFile {
  readonly day: string;
  readonly fd: number;
  /** Nothing was written by us so far. */
  isNew: boolean;
}

export function createTraceWriter(options: TraceWriterOptions): TraceWriter {
  const { folder, days, dayOctets, disk, log, now } = options;
  let pending: string[] = [];
  let dropped = 0;
  let writing: Promise<void> | undefined;
  let file: DayFile | undefined;
  let full: string | undefined;
  let broken = false;
  if (days === 0) removeBefore('9999-12-31');

  function removeBefore(first: string): void {
    try {
      for (const name of disk.readdir(folder)) if ((dayIn(name) ?? first) < first) disk.unlink(`${folder}/${name}`);
    } catch (cause) {
      // Another front removes them as well; and where there is no folder, whoever writes says so.
      if (codeOf(cause) !== 'ENOENT' && codeOf(cause) !== 'ENOTDIR') log.warn('trace.unwritable', { folder, cause });
    }
  }

  /** @throws Error with `code` */
  function fileFor(day: string): DayFile {
    if (file?.day === day) return file;
    closeFile();
    try {
      disk.mkdir(folder, 0o700);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    removeBefore(firstOf(days, now()));
    file = { day, fd: disk.open(fileOf(folder, day), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600), isNew: true };
    return file;
  }

  function closeFile(): void {
    if (file !== undefined) disk.close(file.fd);
    file = undefined;
  }

  /** Never rejects. */
  async function write(): Promise<void> {
    // What the same turn of the event loop has to tell goes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (pending.length > 0) {
      const lines = pending;
      pending = [];
      try {
        await append(lines);
        broken = false;
      } catch (cause) {
        if (!broken) log.warn('trace.unwritable', { folder, cause });
        broken = true;
        // Opened anew: the folder may have been moved away.
        closeFile();
      }
    }
    if (dropped > 0) log.warn('trace.dropped', { records: dropped });
    dropped = 0;
    writing = undefined;
  }

  async function append(lines: readonly string[]): Promise<void> {
    const day = dayOf(now());
    const into = fileFor(day);
    let { size } = disk.fstat(into.fd);
    // A line that a crash has torn ends before ours.
    const first = into.isNew && size > 0 ? ['\n'] : [];
    into.isNew = false;
    for (const piece of pieces([...first, ...lines])) {
      size += piece.length;
      if (size > dayOctets) {
        if (full !== day) log.warn('trace.full', { file: fileOf(folder, day), octets: dayOctets });
        full = day;
        return;
      }
      await disk.writeLater(into.fd, piece);
    }
  }

  return {
    note(record: TraceRecord) {
      if (days === 0) return;
      if (pending.length >= MOST_PENDING) {
        dropped += 1;
        return;
      }
      pending.push(recordLine(record));
      writing ??= write();
    },
    async close() {
      await writing;
      closeFile();
    },
  };
}

/** Whole lines, as many as go out in one piece whoever else writes. */
function* pieces(lines: readonly string[]): Generator<Buffer> {
  let piece = '';
  for (const line of lines) {
    if (piece.length + line.length > LONGEST_LINE && piece !== '') {
      yield Buffer.from(piece, 'latin1');
      piece = '';
    }
    piece += line;
  }
  if (piece !== '') yield Buffer.from(piece, 'latin1');
}
