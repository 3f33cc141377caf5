/** How many connections this process can afford, and when it has too much to do. */
import { getHeapStatistics } from 'node:v8';
import type { Settings } from '../config/index.ts';
import type { Log } from '../model/log.ts';
import { questionProtocols } from '../model/report.ts';
import { type ConnectionLimits, connectionLimits } from '../net/connectionLimit.ts';
import { Overload } from '../net/overload.ts';
import { descriptorLimit } from '../os/hardening.ts';
import { servedProtocols } from './mailProtocols.ts';
import type { HouseOptions } from './options.ts';

/**
 * What a connection has open at most: itself and a message of its mailbox, or its owner's worker; mail on its way in is in two files more. What
 * Postfix asks is asked of workers over connections that are there.
 */
const descriptorsOf = { pop3: 2, mail: 4, sasl: 2, question: 1 } as const;
/** Beside connections: listeners, IPC and log, the event loop's own, files of the directory that are being read. */
const OTHER_DESCRIPTORS = 192;

/** `limits.connections`, as far as there are descriptors for so many. */
export function affordableConnections(options: HouseOptions, log: Log): ConnectionLimits {
  const wanted = options.settings.limits.connections;
  if (options.connection !== undefined) return { fetching: wanted, bringing: wanted };
  const served = servedProtocols(options);
  const fetching = served.some((protocol) => protocol === 'pop3' || protocol === 'pop3s') ? descriptorsOf.pop3 : undefined;
  const bringing: number[] = served.flatMap((protocol) => {
    if (protocol === 'sasl') return descriptorsOf.sasl;
    return protocol === 'lmtp' || protocol === 'smtp' ? descriptorsOf.mail : [];
  });
  // One limit for all protocols over which Postfix asks: it is who brings mail, too.
  if (served.some((protocol) => (questionProtocols as readonly string[]).includes(protocol))) bringing.push(descriptorsOf.question);
  const descriptors = descriptorLimit();
  const limits = connectionLimits({ wanted, descriptors, reserve: OTHER_DESCRIPTORS, fetching, bringing });
  if (Math.min(limits.fetching, limits.bringing) < wanted && (options.front ?? 0) === 0) {
    log.warn('limits.cut', { connections: limits.fetching, mail: limits.bringing, wanted, descriptors });
  }
  return limits;
}

/** Watches memory and the event loop from now on. */
export function watchOverload({ limits }: Settings, log: Log): Overload {
  const overload = new Overload({ memoryLimit: limits.memoryMb * 1_000_000, memory: process.memoryUsage.rss, heapUse, log });
  overload.watch(() => performance.now());
  return overload;
}

function heapUse(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used / limit;
}
