/** Owner workers in this process, each behind a real Unix socket, and a front's directory and store that speak to them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createMemoryDirectory, type MemoryAccount } from '../../src/directory/memory/index.ts';
import { createDomainUsages } from '../../src/maildrops/domainUsages.ts';
import { createMemoryOnceMemory } from '../../src/maildrops/memory/onceMemory.ts';
import { createQuota, type QuotaOptions } from '../../src/maildrops/quota.ts';
import type { DomainName } from '../../src/model/address.ts';
import type { Directory } from '../../src/model/directory.ts';
import { silent } from '../../src/model/log.ts';
import type { MaildropStore } from '../../src/model/maildrop.ts';
import type { OnceMemory } from '../../src/model/onceMemory.ts';
import type { Inhabitants } from '../../src/model/quota.ts';
import type { ReceiptDesk } from '../../src/model/receipts.ts';
import { createRemote, type RemoteOptions, type RemoteStore } from '../../src/owners/remote.ts';
import type { Whereabouts, Worker } from '../../src/owners/whereabouts.ts';
import { createWorkerServer, type WorkerOptions, type WorkerServer } from '../../src/owners/worker.ts';
import { mailboxNamed } from './mail.ts';

export interface OwnerWorker {
  readonly domains: readonly string[];
  readonly systemUsers?: readonly string[];
  readonly directory: Directory & Partial<Inhabitants>;
  readonly store: MaildropStore;
  /** Default: a memory of its own. */
  readonly once?: OnceMemory;
  /** Default: nobody has a limit. */
  readonly limits?: Pick<QuotaOptions, 'mailboxOctets' | 'domainOctets'>;
}

export interface OwnerHouse {
  readonly directory: Directory;
  readonly store: RemoteStore;
  readonly once: OnceMemory;
  readonly desk: ReceiptDesk;
  /** In the order of the owners. */
  readonly servers: readonly WorkerServer[];
  readonly whereabouts: Whereabouts;
}

/** Listens as soon as somebody asks where a domain is; everything is stopped when the test is over. */
export function ownerHouse(
  t: TestContext,
  owners: readonly OwnerWorker[],
  options: Partial<Omit<RemoteOptions, 'whereabouts'>> = {},
  workerOptions: Partial<WorkerOptions> = {},
): OwnerHouse {
  const folder = mkdtempSync(join(tmpdir(), 'owners-'));
  const servers = owners.map(({ directory, store, limits, once }) =>
    createWorkerServer({ ...usualWorker(directory, store, limits), ...(once && { once }), ...workerOptions }),
  );
  const workers = owners.map((_, index): Worker => ({ path: join(folder, `${index}.sock`), owner: `${601 + index}:100` }));
  const listening = servers.map((server, index) => server.listen({ path: workers[index]?.path ?? '' }));
  const find = async (is: (owner: OwnerWorker) => boolean | undefined): Promise<Worker | undefined> => {
    const index = owners.findIndex(is);
    await listening[index];
    return workers[index];
  };
  const whereabouts: Whereabouts = {
    ofDomain: (name) => find(({ domains }) => domains.includes(name)),
    ofSystemUser: (user) => find(({ systemUsers }) => systemUsers?.includes(user)),
    forget() {},
    doubt() {},
  };
  const remote = createRemote({ ...usualRemote, ...options, whereabouts });
  t.after(async () => {
    await remote.store.close();
    await Promise.all(servers.map((server) => server.stop(0)));
    rmSync(folder, { recursive: true });
  });
  return { ...remote, servers, whereabouts };
}

export function usualWorker(
  directory: Directory & Partial<Inhabitants>,
  store: MaildropStore,
  limits: OwnerWorker['limits'] = { mailboxOctets: undefined, domainOctets: undefined },
): WorkerOptions {
  const inhabitants = { mailboxes: async (name: DomainName) => directory.mailboxes?.(name) ?? [] };
  const domains = createDomainUsages({ inhabitants, store, clock: () => performance.now() });
  return {
    directory,
    store,
    once: createMemoryOnceMemory(Date.now),
    desk: { ask: async () => 'waits' },
    domains,
    quota: createQuota({ store, directory, domains, ...limits }),
    lastLogins: { tooSoon: () => false, note() {} },
    loginDelayS: 0,
    log: silent,
    now: Date.now,
    frontUid: process.getuid?.(),
    idleMs: 600_000,
    onIdle() {},
    maxSessions: 100,
  };
}

export const usualRemote: Omit<RemoteOptions, 'whereabouts'> = {
  rules: { delimiters: '@%', options: true, defaultDomain: undefined, addresses: new Map() },
  mechanisms: 'auto',
  passwordKind: 'plain',
  systemUsers: false,
  secret: Buffer.alloc(32, 7),
  log: silent,
  now: Date.now,
  timeoutMs: 30_000,
};

/** Accounts named like addresses whose password is `secret`. */
export function directoryOf(...addresses: readonly string[]): Directory & Inhabitants {
  const accounts = addresses.map((name): [string, MemoryAccount] => [name, { mailbox: mailboxNamed(name), password: 'secret' }]);
  return createMemoryDirectory(new Map(accounts));
}
