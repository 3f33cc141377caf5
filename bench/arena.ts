/** The servers that are measured beside each other, each in a folder of its own, one at a time, on mailboxes made alike. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dovecotAvailable, startDovecot } from './dovecot.ts';
import { domain, type Format, makeMailboxes, type OwnedDomain, type Owner } from './mailboxes.ts';
import type { Login } from './pop3Load.ts';
import { type PeerOptions, type RunningPeer, startPostkasse } from './postkasse.ts';

export interface Peer {
  readonly name: string;
  start(options: PeerOptions): Promise<RunningPeer>;
}

const postkasse: Peer = { name: 'postkasse', start: (options) => startPostkasse(options) };
const dovecotTuned: Peer = { name: 'dovecot tuned', start: (options) => startDovecot({ ...options, tuned: true }) };
const dovecotAsInstalled: Peer = { name: 'dovecot as installed', start: (options) => startDovecot({ ...options, tuned: false }) };

/** Ours first. Dovecot only where it is installed and may be started: it changes users, so by root. */
export function peers({ asInstalled = false } = {}): Peer[] {
  return [postkasse, ...(dovecotAvailable() ? [dovecotTuned, ...(asInstalled ? [dovecotAsInstalled] : [])] : [])];
}

/** Another release of ours. @param checkout its folder */
export function release(checkout: string): Peer {
  return { name: checkout, start: (options) => startPostkasse(options, { checkout }) };
}

export interface Stage {
  readonly format: Format;
  readonly messages: number;
  /** Octets of each message, about. */
  readonly size: number;
  /** Each has a mailbox. */
  readonly logins: readonly Login[];
  /** Where the logins are of several domains. Left out: all are of one, whose owner has all mail. */
  readonly domains?: readonly OwnedDomain[];
}

export interface Setting {
  readonly peer: RunningPeer;
  readonly spool: string;
  readonly logins: readonly Login[];
}

/** Mailboxes, a server on them, `work`, and all of it away again. */
export async function withPeer<T>(peer: Peer, stage: Stage, work: (setting: Setting) => Promise<T>): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), 'postkasse-bench-'));
  chmodSync(root, 0o755);
  const spool = join(root, 'spool');
  const { format, messages, size, logins, domains = [{ name: domain, owner, logins }] } = stage;
  try {
    makeMailboxes({ spool, format, domains, messages, size });
    const running = await peer.start({ dir: join(root, 'server'), spool, format, owner, domains });
    try {
      return await work({ peer: running, spool, logins });
    } finally {
      await running.stop();
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Whom the mailboxes belong to and the servers become. */
const owner: Owner = process.getuid?.() === 0 ? { uid: 8, gid: 8 } : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

/** Middle of the rounds, so that one disturbed round doesn't count. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Each row's figure over ours, in a column of its own: how many times ours it is. */
export function ratios(figures: readonly number[]): (number | undefined)[] {
  const [ours] = figures;
  return figures.map((figure, index) => (index === 0 || ours === undefined ? undefined : figure / ours));
}
