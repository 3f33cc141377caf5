/** CPU time and memory of a server with all its processes, from /proc: proc(5). */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ, which Linux shows to programs as 100 whatever its own clock does. */
const TICKS_PER_SECOND = 100;

interface ProcessStat {
  readonly parent: number;
  /** utime + stime + cutime + cstime, in ticks: its own and that of the children it has reaped. */
  readonly ticks: number;
}

/** `pid` and its descendants that are alive now. */
export function processTree(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const child = Number(name);
    const parent = Number.isInteger(child) ? statOf(child)?.parent : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), child]);
  }
  const tree = [pid];
  for (const member of tree) tree.push(...(children.get(member) ?? []));
  return tree;
}

/** Seconds of CPU that the tree has used, processes that ended and were waited for included. */
export function cpuSeconds(pid: number): number {
  return processTree(pid).reduce((sum, member) => sum + (statOf(member)?.ticks ?? 0), 0) / TICKS_PER_SECOND;
}

/** CPU of one process in ms, to the nanosecond: what threads have used that ended is not in it. */
export function preciseCpuMs(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readProc(`${pid}/task/${thread}/schedstat`)?.split(' ', 1)[0] ?? 0);
  }
  return nanoseconds / 1e6;
}

export interface TreeMemory {
  readonly processes: number;
  readonly rssKb: number;
  /** Shared pages divided among those who share them: what the sum over a tree means something of. */
  readonly pssKb: number;
  readonly privateKb: number;
}

export function memoryOf(pid: number): TreeMemory {
  let [processes, rssKb, pssKb, privateKb] = [0, 0, 0, 0];
  for (const member of processTree(pid)) {
    const rollup = readProc(`${member}/smaps_rollup`);
    if (rollup === undefined) continue;
    processes++;
    rssKb += kilobytes(rollup, 'Rss');
    pssKb += kilobytes(rollup, 'Pss');
    privateKb += kilobytes(rollup, 'Private_Clean') + kilobytes(rollup, 'Private_Dirty');
  }
  return { processes, rssKb, pssKb, privateKb };
}

export interface Measured<T> {
  readonly result: T;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** What `work` took, and what it cost the tree of `pid`. */
export async function measure<T>(pid: number, work: () => Promise<T>): Promise<Measured<T>> {
  const cpuBefore = cpuSeconds(pid);
  const start = performance.now();
  const result = await work();
  const seconds = (performance.now() - start) / 1000;
  return { result, seconds, cpuSeconds: cpuSeconds(pid) - cpuBefore };
}

function statOf(pid: number): ProcessStat | undefined {
  const stat = readProc(`${pid}/stat`);
  if (stat === undefined) return undefined;
  // The second field is the program's name in parentheses, which may hold blanks and parentheses: counted from behind it.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [parent = 0] = fields.slice(1);
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11);
  return { parent, ticks: utime + stime + cutime + cstime };
}

function kilobytes(rollup: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0);
}

/** `undefined`: the process has ended meanwhile. */
function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return undefined;
  }
}
