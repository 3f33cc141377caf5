/** How a service of Postfix names one of our sockets, as far as it can reach it at all. */
import { relative } from 'node:path';
import type { Endpoint } from './domains.ts';

/**
 * `inet:127.0.0.1:1024`, `unix:/run/postkasse/lmtp`, or below the queue directory `unix:postkasse/lmtp`, which means the same inside and
 * outside of a chroot. `undefined`: a service that is shut in the queue directory doesn't see the socket.
 */
export function named(endpoint: Endpoint, chroot: boolean, queueDir: string): string | undefined {
  if (endpoint.kind === 'tcp') return `inet:${host(endpoint.host)}:${endpoint.port}`;
  const below = belowQueue(endpoint.path, queueDir);
  if (below !== undefined) return `unix:${below}`;
  return chroot ? undefined : `unix:${endpoint.path}`;
}

/** The path inside the queue directory; `undefined`: it is elsewhere. */
export function belowQueue(path: string, queueDir: string): string | undefined {
  const below = relative(queueDir, path);
  return below === '' || below.startsWith('..') || below.startsWith('/') ? undefined : below;
}

/** A listener that waits everywhere is reached on loopback. */
function host(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  if (address === '::') return '[::1]';
  return address.includes(':') ? `[${address}]` : address;
}
