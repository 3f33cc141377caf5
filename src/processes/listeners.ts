/** The listening sockets, which the supervisor binds and the fronts inherit. They outlive fronts and reloads, and so do the connections that wait in them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { formatListenAddress, type ListenSettings, type Settings } from '../config/index.ts';
import { codeOf } from '../os/disk.ts';
import { EX_CANTCREAT, EX_NOPERM, EX_NOUSER, EX_OSERR, EX_UNAVAILABLE } from '../os/exitCodes.ts';
import type { PassedSocket } from '../os/listenFds.ts';
import { closeSocket, furtherSockets, listeningSockets, setSocketMode } from '../os/sockets.ts';
import { StartFailure } from '../os/startFailure.ts';
import { findGroup } from '../os/users.ts';
import { checkPassed, passedTo } from './passedSockets.ts';

export interface Bound {
  /** As in the settings file. */
  readonly address: string;
  readonly fds: readonly number[];
  /** What the kernel chose where the settings say 0; `undefined` for a Unix socket. */
  readonly port: number | undefined;
}

const UNIX_MODE = 0o666;
/** Whoever may connect says where his client comes from, and can guess passwords without being slowed down. */
const SASL_MODE = 0o660;
const SASL_GROUP = 'postfix';

const RETRY_MS = 50;

/**
 * One entry per listener, in the order of the settings. Those of `before` that are still wanted are kept, with further sockets where there
 * are more fronts now; where there are fewer, a front has several. What systemd has bound is taken as it is: one socket for all fronts, which
 * stays through each reload.
 * @param patienceMs how long to wait for addresses in use: those of a killed supervisor's fronts, which are about to end
 * @throws StartFailure; then nothing but `before` is left open
 */
export async function bind(
  settings: Settings,
  fronts: number,
  before: readonly Bound[],
  { passed = [], patienceMs = 0 }: { readonly passed?: readonly PassedSocket[]; readonly patienceMs?: number } = {},
): Promise<Bound[]> {
  checkPassed(settings.listen, passed);
  const left = [...before];
  const bound: Bound[] = [];
  try {
    for (const listen of settings.listen) {
      const address = formatListenAddress(listen.address);
      const at = left.findIndex((each) => each.address === address);
      const kept = at < 0 ? undefined : left.splice(at, 1)[0];
      const taken = passedTo(listen, passed);
      if (taken !== undefined) {
        bound.push({ address, fds: [taken.fd], port: 'port' in taken.address ? taken.address.port : undefined });
        continue;
      }
      bound.push(await patiently(patienceMs, () => bindOne(listen, address, fronts, kept)));
    }
    return bound;
  } catch (thrown) {
    closeUnused(bound, before);
    throw thrown;
  }
}

/** The socket for metrics, where the settings want one; the one of `before` is kept if it is the same. @throws StartFailure */
export async function bindMetrics({ metrics }: Settings, before: Bound | undefined, patienceMs = 0): Promise<Bound | undefined> {
  if (metrics.address === undefined) return undefined;
  const { address } = metrics;
  const name = formatListenAddress(address);
  if (before?.address === name) return before;
  return patiently(patienceMs, async () => {
    try {
      return { address: name, ...(await listeningSockets(address, 1)) };
    } catch (thrown) {
      throw failure(thrown, `metrics ${name}`, address.port < 1024);
    }
  });
}

/** Closes the sockets of `bound` that `used` doesn't have. */
export function closeUnused(bound: readonly Bound[], used: readonly Bound[]): void {
  const wanted = new Set(used.flatMap(({ fds }) => fds));
  for (const { fds } of bound) for (const fd of fds) if (!wanted.has(fd)) closeSocket(fd);
}

/** What front n of `count` serves: each socket has at least one front, and each front at least one socket. */
export function shareOf({ fds }: Bound, n: number, count: number): number[] {
  return fds.length < count ? fds.filter((_, index) => index === n % fds.length) : fds.filter((_, index) => index % count === n);
}

async function bindOne(listen: ListenSettings, name: string, fronts: number, kept: Bound | undefined): Promise<Bound> {
  const { address, protocol, mode = protocol === 'sasl' ? SASL_MODE : UNIX_MODE } = listen;
  try {
    const gid = groupOf(listen);
    const isThere = kept !== undefined && (address.kind === 'tcp' || setSocketMode(address.path, mode, gid));
    if (!isThere) return { address: name, ...(await listeningSockets(address, fronts, mode, gid)) };
    if (address.kind === 'unix' || kept.fds.length >= fronts) return kept;
    const further = furtherSockets({ host: address.host, port: kept.port ?? address.port }, fronts - kept.fds.length);
    return { ...kept, fds: [...kept.fds, ...further] };
  } catch (thrown) {
    throw failure(thrown, `${protocol} ${name}`, address.kind === 'tcp' && address.port < 1024);
  }
}

/** `undefined`: the one of this process. @throws StartFailure */
function groupOf({ group, protocol }: ListenSettings): number | undefined {
  if (group !== undefined) {
    const found = findGroup(group);
    if (found === undefined) throw new StartFailure('the host has no group {name}', { name: group }, EX_NOUSER);
    return found;
  }
  return protocol === 'sasl' && process.getuid?.() === 0 ? findGroup(SASL_GROUP) : undefined;
}

function failure(thrown: unknown, listener: string, privileged: boolean): StartFailure {
  if (thrown instanceof StartFailure) return thrown;
  switch (codeOf(thrown)) {
    case 'EADDRINUSE':
      return new StartFailure('{listener}: another program listens there already', { listener }, EX_UNAVAILABLE);
    case 'EADDRNOTAVAIL':
      return new StartFailure('{listener}: this host does not have that address', { listener }, EX_UNAVAILABLE);
    case 'EACCES':
    case 'EPERM':
      if (privileged) return new StartFailure('{listener}: ports below 1024 need root', { listener }, EX_NOPERM);
      return new StartFailure('{listener}: not allowed', { listener }, EX_NOPERM);
    case 'ENOENT':
    case 'ENOTDIR':
      return new StartFailure('{listener}: its folder is not there', { listener }, EX_CANTCREAT);
    default:
      return new StartFailure(
        '{listener}: {detail}',
        { listener, detail: thrown instanceof Error ? thrown.message : String(thrown) },
        EX_OSERR,
      );
  }
}

async function patiently<T>(patienceMs: number, attempt: () => Promise<T>): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += RETRY_MS) {
    try {
      return await attempt();
    } catch (thrown) {
      if (waitedMs >= patienceMs || !(thrown instanceof StartFailure) || thrown.exitCode !== EX_UNAVAILABLE) throw thrown;
      await sleep(RETRY_MS);
    }
  }
}
