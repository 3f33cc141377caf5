/** The owner's side: serves fronts over a Unix socket. Each connection is one session at a time, and the capability to it. */
import { createServer, type Socket } from 'node:net';
import type { Directory } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import type { Log } from '../model/log.ts';
import type { MaildropStore } from '../model/maildrop.ts';
import type { OnceMemory } from '../model/onceMemory.ts';
import type { DomainUsages, Quota } from '../model/quota.ts';
import type { ReceiptDesk } from '../model/receipts.ts';
import { peerOf } from '../os/peer.ts';
import type { LastLogins } from './service.ts';
import { type Host, WorkerConnection } from './workerConnection.ts';

export interface WorkerOptions {
  readonly directory: Directory;
  readonly store: MaildropStore;
  readonly once: OnceMemory;
  readonly desk: ReceiptDesk;
  readonly quota: Quota;
  readonly domains: Pick<DomainUsages, 'of'>;
  readonly lastLogins: LastLogins;
  /** Seconds from one login to the next; 0: any time. RFC 2449 section 6.5. */
  readonly loginDelayS: number;
  readonly log: Log;
  /** ms since 1970. */
  readonly now: () => number;
  /** Of the fronts: a peer with another one is sent away. `undefined`: whoever can connect is served. */
  readonly frontUid: number | undefined;
  /** Nobody has needed us for so long: everybody is told goodbye, and then the listener is closed. */
  readonly idleMs: number;
  /** Called once, when that has happened. */
  readonly onIdle: () => void;
  /** Maildrops open at the same time. */
  readonly maxSessions: number;
}

export interface WorkerCounts {
  readonly connections: number;
  /** Maildrops that fronts have open. */
  readonly sessions: number;
  /** Since the start: of every kind, and deliveries that succeeded. */
  readonly requests: number;
  readonly deliveries: number;
  /** Open maildrops; `null`: users of the host itself. */
  readonly byDomain: ReadonlyMap<string | null, number>;
  /** Since when nobody has been served, in ms since 1970; `undefined`: somebody is. */
  readonly idleSinceMs: number | undefined;
}

export interface WorkerServer {
  /** Resolves when it listens. @throws Error with `code` */
  listen(where: { readonly fd: number } | { readonly path: string }): Promise<void>;
  counts(): WorkerCounts;
  /** No new connections; sessions and deliveries get `graceMs`. Resolves when all are gone and put away. */
  stop(graceMs: number): Promise<void>;
  /** Somebody else needs the room: where nobody is being served it ends as if `idleMs` had passed, with goodbyes and `onIdle`. */
  endIfIdle(): void;
}

/** Connections beyond one for each session: those that rest, and those that look up and deliver. */
const SPARE_CONNECTIONS = 512;
/** How long fronts may take to close their ends after a goodbye. */
const BYE_PATIENCE_MS = 5000;

export function createWorkerServer(options: WorkerOptions): WorkerServer {
  const { frontUid, idleMs, log, maxSessions, now } = options;
  const connections = new Set<WorkerConnection>();
  const active = new Set<WorkerConnection>();
  const byDomain = new Map<string | null, number>();
  let sessions = 0;
  let requests = 0;
  let deliveries = 0;
  let idleSinceMs: number | undefined = now();
  let state: 'serving' | 'parting' | 'stopping' | 'over' = 'serving';
  let allGone: (() => void) | undefined;
  let idle: NodeJS.Timeout | undefined;
  let patience: NodeJS.Timeout | undefined;

  const server = createServer((socket) => {
    if (isFront(socket)) connections.add(new WorkerConnection(host, socket));
    else socket.destroy();
  });
  server.maxConnections = maxSessions + SPARE_CONNECTIONS;

  const host: Host = {
    directory: options.directory,
    store: options.store,
    once: options.once,
    desk: options.desk,
    quota: options.quota,
    domains: options.domains,
    lastLogins: options.lastLogins,
    loginDelayS: options.loginDelayS,
    log,
    enter({ domain = null }) {
      if (sessions >= maxSessions) throw new Fault('temporary', 'too many connections, try again later');
      sessions += 1;
      byDomain.set(domain, (byDomain.get(domain) ?? 0) + 1);
    },
    leave({ domain = null }) {
      sessions -= 1;
      const left = (byDomain.get(domain) ?? 1) - 1;
      if (left > 0) byDomain.set(domain, left);
      else byDomain.delete(domain);
    },
    requested() {
      requests += 1;
    },
    delivered() {
      deliveries += 1;
    },
    began(connection) {
      active.add(connection);
      idleSinceMs = undefined;
      // A request that crossed our goodbye: somebody needs us after all.
      if (state !== 'parting') return;
      state = 'serving';
      clearTimeout(patience);
    },
    rested(connection) {
      active.delete(connection);
      if (state === 'stopping') connection.sayBye();
      rest();
    },
    gone(connection) {
      connections.delete(connection);
      active.delete(connection);
      rest();
      if (connections.size > 0) return;
      if (state === 'parting') part();
      allGone?.();
    },
  };

  function isFront(socket: Socket): boolean {
    if (frontUid === undefined) return true;
    const peer = peerOf(socket);
    if (peer?.uid === frontUid) return true;
    log.warn('owners.refused-peer', { uid: peer?.uid, pid: peer?.pid, frontUid });
    return false;
  }

  function rest(): void {
    if (active.size > 0 || idleSinceMs !== undefined) return;
    idleSinceMs = now();
    if (state === 'serving') wait();
  }

  function wait(): void {
    clearTimeout(idle);
    idle = setTimeout(sayBye, idleMs);
  }

  function sayBye(): void {
    // Whoever is served rests in the end, and then the time starts anew.
    if (active.size > 0 || state !== 'serving') return;
    state = 'parting';
    if (connections.size === 0) {
      part();
      return;
    }
    for (const connection of connections) connection.sayBye();
    patience = setTimeout(() => {
      for (const connection of connections) connection.cut();
    }, BYE_PATIENCE_MS);
  }

  function part(): void {
    state = 'over';
    clearTimeout(idle);
    clearTimeout(patience);
    server.close(() => options.onIdle());
  }

  return {
    listen(where) {
      return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(where, () => {
          server.off('error', reject);
          server.on('error', (error) => log.error('owners.trouble', { cause: error }));
          wait();
          resolve();
        });
      });
    },

    endIfIdle: sayBye,

    counts: () => ({ connections: connections.size, sessions, requests, deliveries, byDomain: new Map(byDomain), idleSinceMs }),

    async stop(graceMs) {
      if (state === 'over') return;
      state = 'stopping';
      clearTimeout(idle);
      clearTimeout(patience);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const connection of connections) if (connection.resting) connection.sayBye();
      const limit = setTimeout(() => {
        for (const connection of connections) connection.cut();
      }, graceMs);
      if (connections.size > 0) {
        await new Promise<void>((resolve) => {
          allGone = resolve;
        });
      }
      clearTimeout(limit);
      await closed;
    },
  };
}
