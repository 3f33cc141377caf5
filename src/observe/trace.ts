/** Prints dialogues as the tests have them, so that what was seen can be pasted into one. */

export interface Trace {
  /** A line from the client, without its line end, one character per octet; secrets already masked. */
  client(session: string, line: string): void;
  /** A line of ours, likewise. */
  server(session: string, line: string): void;
}

export function createTrace(write: (text: string) => void): Trace {
  let last = '';
  const print = (session: string, side: 'C' | 'S', line: string) => {
    // Sessions overlap: say whose lines follow when that changes.
    if (session !== last) write(`# session ${session}\n`);
    last = session;
    write(`${side}: ${printable(line)}\n`);
  };
  return { client: (session, line) => print(session, 'C', line), server: (session, line) => print(session, 'S', line) };
}

/** Octets outside printable ASCII as `\xNN`, and the backslash too: nothing else is written with one. */
function printable(line: string): string {
  return line.replace(/[^\x20-\x7e]|\\/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
