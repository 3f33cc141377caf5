/** Events to the host's system log (syslog(3), facility mail): for processes that have no standard error of their own, as under inetd. */
import { datagramsTo } from '../os/datagram.ts';
import type { LineWriter } from './lineWriter.ts';

const FACILITY_MAIL = 2 << 3;
/** RFC 5424 section 6.2.1. */
const severity = new Map([
  ['error', 3],
  ['warn', 4],
  ['info', 6],
  ['debug', 7],
]);
/** What journald and rsyslog take in one datagram by default is more; who writes longer lines loses their ends. */
const LONGEST_LINE = 8_000;

/** A line for which there is no room, or nobody listens, is lost: the log must not stop the mail. */
export function createSyslogWriter(path = '/dev/log', pid = process.pid): LineWriter {
  const socket = datagramsTo(path);
  return {
    write(lines) {
      for (const line of lines.split('\n')) if (line !== '') socket.send(datagram(line, pid));
    },
    flush() {},
  };
}

/** RFC 3164 as the C library writes it, without the time: the receiver knows it, and the line has its own. */
function datagram(line: string, pid: number): Buffer {
  const [, level = 'info'] = /^(?:\S+ |\{"level":")(debug|info|warn|error)\b/.exec(line) ?? [];
  return Buffer.from(`<${FACILITY_MAIL | (severity.get(level) ?? 6)}>postkasse[${pid}]: ${line}`).subarray(0, LONGEST_LINE);
}
