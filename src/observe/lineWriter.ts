import { writeSync } from 'node:fs';

export interface LineWriter {
  /** Takes whole lines; they reach the descriptor before the program waits for events again. */
  write(lines: string): void;
  flush(): void;
}

/** Beyond this much that nobody reads, lines are dropped and counted: a full pipe must not stop the mail. */
const mostPending = 1024 * 1024;

/** One write a turn of the event loop, however many events it had. */
export function createLineWriter(fd: number, write: (fd: number, octets: Buffer) => number = writeSync): LineWriter {
  let pending = '';
  let rest: Buffer | undefined;
  let dropped = 0;
  let scheduled = false;

  const flush = () => {
    scheduled = false;
    if (dropped > 0 && pending.length < mostPending) {
      pending += `${dropped} lines were dropped, as nobody read them\n`;
      dropped = 0;
    }
    let octets = rest ? Buffer.concat([rest, Buffer.from(pending)]) : Buffer.from(pending);
    pending = '';
    rest = undefined;
    try {
      while (octets.length > 0) octets = octets.subarray(write(fd, octets));
    } catch (thrown) {
      // A pipe whose reader is slow is tried again; one without reader (EPIPE) takes no more lines.
      if ((thrown as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      rest = octets;
      schedule(100);
    }
  };
  const schedule = (afterMs: number) => {
    if (scheduled) return;
    scheduled = true;
    if (afterMs === 0) setImmediate(flush);
    else setTimeout(flush, afterMs).unref();
  };
  process.on('exit', flush);

  return {
    write(lines) {
      if (pending.length + (rest?.length ?? 0) > mostPending) {
        dropped++;
        return;
      }
      pending += lines;
      schedule(0);
    },
    flush,
  };
}
