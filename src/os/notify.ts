/** What a service is to tell systemd: sd_notify(3). Without systemd, or when its socket is gone, nothing is told and nothing fails. */
import { datagramsTo } from './datagram.ts';

export interface Notifier {
  /** Started, or done with a reload, also with one that failed. @param status one line for `systemctl status` */
  ready(status: string): void;
  reloading(): void;
  stopping(status: string): void;
  status(status: string): void;
  /** All is well. To be said more often than once in `watchdogMs`. */
  alive(): void;
  /** Without `alive` for so long we are killed; `undefined`: nobody watches. */
  readonly watchdogMs: number | undefined;
}

/** Takes what it reads out of `env`: a child must not speak for us. */
export function createNotifier(env: NodeJS.ProcessEnv = process.env, pid = process.pid): Notifier {
  const { NOTIFY_SOCKET: path, WATCHDOG_USEC: microseconds = '', WATCHDOG_PID: watched } = env;
  delete env.NOTIFY_SOCKET;
  delete env.WATCHDOG_USEC;
  delete env.WATCHDOG_PID;
  const socket = path === undefined ? undefined : datagramsTo(path);
  const tell = (...lines: string[]) => void socket?.send(Buffer.from(lines.join('\n')));
  const isWatched = socket !== undefined && /^[1-9]\d{0,15}$/.test(microseconds) && (watched === undefined || watched === String(pid));
  return {
    ready: (status) => tell('READY=1', statusLine(status)),
    // systemd wants to know that this reload began after it asked for one.
    reloading: () => tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: (status) => tell('STOPPING=1', statusLine(status)),
    status: (status) => tell(statusLine(status)),
    alive: () => tell('WATCHDOG=1'),
    watchdogMs: isWatched ? Number(microseconds) / 1000 : undefined,
  };
}

/** A line end in it would begin another assignment. */
function statusLine(status: string): string {
  return `STATUS=${status.replace(/[\r\n]+/g, ' ')}`;
}
