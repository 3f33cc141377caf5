/** What an owner's worker costs: to start, and while it waits for work. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { median, peers, type Setting, withPeer } from './arena.ts';
import { askForRecipient } from './lmtpLoad.ts';
import { loginsInTurn, ownedDomains } from './mailboxes.ts';
import { command, greeting, play } from './pop3Client.ts';
import { mailChecks } from './pop3Load.ts';
import { memoryOf, preciseCpuMs, processTree, type TreeMemory } from './processTree.ts';
import type { Cell, Table } from './table.ts';

const owners = 16;
const users = 20 * owners;
/** For a process to do what it does after the reply: garbage, files closed. */
const settledMs = 300;

interface Started {
  /** From the question to the answer: PASS, or RCPT. */
  readonly ms: number;
  readonly cpuMs: number;
  readonly memory: TreeMemory;
}

/** Half of the workers are started by a login, half by a look-up, one after the other. */
export async function benchWorkers(): Promise<Table> {
  const rows: Cell[][] = [['Node that does nothing', undefined, ...costs([await bareNode()])]];
  await withWorkers(async (setting, workers) => {
    const domains = ownedDomains(owners, users);
    const target = { host: '127.0.0.1', port: setting.peer.pop3Port };
    const byLogin: Started[] = [];
    const byLookUp: Started[] = [];
    for (const [n, { logins }] of domains.entries()) {
      const [first] = logins;
      if (first === undefined) continue;
      const before = new Set(workers());
      const ms =
        n % 2 === 0 ? await oneLogin(target, first) : await askForRecipient({ ...target, port: setting.peer.lmtpPort }, first.user);
      await settled();
      const pid = workers().find((one) => !before.has(one));
      if (pid === undefined) throw new Error('no worker was started');
      (n % 2 === 0 ? byLogin : byLookUp).push({ ms, cpuMs: preciseCpuMs(pid), memory: memoryOf(pid) });
    }
    rows.push(['worker, started by a look-up', median(byLookUp.map(({ ms }) => ms)), ...costs(byLookUp)]);
    rows.push(['worker, started by a login: after the session', median(byLogin.map(({ ms }) => ms)), ...costs(byLogin)]);
    await mailChecks({ target, logins: loginsInTurn(domains), connections: 16, count: 200 * owners });
    await settled();
    rows.push(['worker after 200 mail checks', undefined, ...costs(workers().map((pid) => ({ cpuMs: undefined, memory: memoryOf(pid) })))]);
  });
  // As where the cache can't be written: the program's folder is read-only, and NODE_COMPILE_CACHE names no other.
  await withWorkers(
    async (setting, workers) => {
      const started: Started[] = [];
      for (const { logins } of ownedDomains(owners, users).slice(0, 6)) {
        const [first] = logins;
        if (first === undefined) continue;
        const before = new Set(workers());
        const ms = await oneLogin({ host: '127.0.0.1', port: setting.peer.pop3Port }, first);
        await settled();
        const pid = workers().find((one) => !before.has(one));
        if (pid !== undefined) started.push({ ms, cpuMs: preciseCpuMs(pid), memory: memoryOf(pid) });
      }
      rows.push(['the same without a compile cache', median(started.map(({ ms }) => ms)), ...costs(started)]);
    },
    { NODE_DISABLE_COMPILE_CACHE: '1' },
  );
  return {
    title: `An owner's worker (medians of ${owners / 2})`,
    columns: ['state', 'ms to the answer', 'CPU ms so far', 'PSS, MB', 'private, MB', 'fit in 1 GB'],
    rows,
  };
}

function costs(processes: readonly { readonly cpuMs: number | undefined; readonly memory: TreeMemory }[]): Cell[] {
  const cpu = processes.flatMap(({ cpuMs }) => cpuMs ?? []);
  const pssMb = median(processes.map(({ memory }) => memory.pssKb)) / 1024;
  const privateMb = median(processes.map(({ memory }) => memory.privateKb)) / 1024;
  return [cpu.length > 0 ? median(cpu) : undefined, pssMb, privateMb, Math.floor(1024 / pssMb)];
}

/** @param workers the owners' processes that are there now */
async function withWorkers(
  work: (setting: Setting, workers: () => number[]) => Promise<void>,
  environment: NodeJS.ProcessEnv = {},
): Promise<void> {
  const [postkasse] = peers();
  if (postkasse === undefined || process.getuid?.() !== 0) throw new Error('other users can be had by root only');
  const before = { ...process.env };
  Object.assign(process.env, environment);
  const domains = ownedDomains(owners, users);
  const uids = new Set(domains.map(({ owner }) => owner.uid));
  const stage = { format: 'maildir', messages: 10, size: 3000, domains, logins: loginsInTurn(domains) } as const;
  try {
    await withPeer(postkasse, stage, (setting) => work(setting, () => processTree(setting.peer.pid).filter((pid) => uids.has(uidOf(pid)))));
  } finally {
    for (const name of Object.keys(environment)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

async function oneLogin(target: { host: string; port: number }, { user, password }: { user: string; password: string }): Promise<number> {
  const { stepMs, socket } = await play(target, [
    greeting,
    command(`USER ${user}`),
    command(`PASS ${password}`),
    command('STAT'),
    command('QUIT'),
  ]);
  socket.destroy();
  return stepMs[2] ?? Number.NaN;
}

async function bareNode(): Promise<{ cpuMs: number; memory: TreeMemory }> {
  const child: ChildProcess = spawn(process.execPath, ['-e', 'process.stdin.resume(); process.stdout.write("here")'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  if (child.stdout !== null) await once(child.stdout, 'data');
  await settled();
  const pid = child.pid ?? 0;
  const found = { cpuMs: preciseCpuMs(pid), memory: memoryOf(pid) };
  child.kill();
  await exited;
  return found;
}

function uidOf(pid: number): number {
  try {
    return Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
  } catch {
    return Number.NaN;
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, settledMs));
}
