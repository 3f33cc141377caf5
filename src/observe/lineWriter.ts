import { writeSync } from 'node:fs';

export interface LineWriter {
  /** Takes whole lines; they reach the descriptor before the program waits for events again. */
  write(lines: string): void;
  flush(): void;
}

/** Beyond this much that nobody reads, lines are dropped and counted: a full pipe must not stop the mail. */
const mostPending = 1024 * 1024;

/**
 * What one write(2) may hold: several processes share the descriptor, and only up to PIPE_BUF octets does a pipe keep a write in one piece.
 * Lines cut in two would let whoever chooses a login name choose where a line seems to begin.
 */
const mostAtOnce = 4096;

/** Few writes a turn of the event loop, however many events it had. */
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
      while (octets.length > 0) octets = octets.subarray(write(fd, octets.subarray(0, wholeLines(octets))));
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

/** Length of the lines at the front that go out together. */
function wholeLines(octets: Buffer): number {
  if (octets.length <= mostAtOnce) return octets.length;
  const end = octets.lastIndexOf('\n', mostAtOnce - 1) + 1;
  // A single line that is longer.
  return end > 0 ? end : octets.indexOf('\n') + 1 || octets.length;
}
