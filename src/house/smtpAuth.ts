/** SMTP AUTH for Postfix, furnished with what POP3 logins have: the same directory, the same gate. */
import { systemClock } from '../admission/index.ts';
import type { Settings } from '../config/index.ts';
import { Networks } from '../model/networks.ts';
import { noAuthCounts } from '../model/report.ts';
import type { Pop3Host } from '../pop3/host.ts';
import { AuthServer, type AuthServerOptions } from '../postfix/auth/server.ts';

/** Postfix keeps a connection for as long as one of its servers lives, and over TCP doesn't notice at once that it was closed. */
const IDLE_MS = 3_600_000;

export interface AuthParts extends Pick<AuthServerOptions, 'maxConnections' | 'trace'> {
  readonly host: Pop3Host;
  readonly isOverloaded: () => boolean;
}

export function createAuthServer({ login }: Settings, { host, isOverloaded, ...carried }: AuthParts): AuthServer {
  const { directory, gate, speaker, log, random, hostname, mechanisms } = host;
  return new AuthServer({
    ...carried,
    idleTimeoutMs: IDLE_MS,
    host: {
      directory,
      gate,
      speaker,
      log,
      clock: systemClock,
      random,
      hostname,
      mechanisms,
      plaintextNetworks: new Networks(login.plaintextNetworks),
      isOverloaded,
      counts: noAuthCounts(),
      processId: process.pid,
    },
  });
}
