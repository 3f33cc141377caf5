/** Questions of Postfix about 10,000 domains with 100 aliases each, beside its own tables and a server that knows nothing. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loginsInTurn, type Owner, ownedDomains } from './mailboxes.ts';
import { startPostkasse } from './postkasse.ts';
import { cpuSeconds, measure, memoryOf } from './processTree.ts';
import type { Cell, Table } from './table.ts';

const domainCount = 10_000;
const aliasCount = 100;
const questions = 50_000;
const connections = 16;
const owners = 4;

const owner: Owner = process.getuid?.() === 0 ? { uid: 8, gid: 8 } : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

export async function benchLookups(): Promise<Table> {
  const root = mkdtempSync(join(tmpdir(), 'postkasse-bench-'));
  chmodSync(root, 0o755);
  const rows: Cell[][] = [];
  try {
    await measurePostkasse(root, rows);
    if (process.getuid?.() === 0) await measureOwners(root, rows);
    await measureNothing(join(root, 'nothing'), rows);
    measurePostmap(root, rows);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return {
    title: `Look-ups, ${domainCount} domains with ${aliasCount} aliases each, ${questions} questions over ${connections} connections, one at a time on each`,
    columns: ['who answers', 'table and key', 'a second', 'CPU µs each', 'MB'],
    rows,
  };
}

const domainName = (n: number) => `d${n % domainCount}.bench.example`;
/** Far apart, so that no question helps the next one. */
const spread = (n: number) => (n * 7919) % (domainCount * aliasCount);
const alias = (n: number) => `alias${Math.floor(spread(n) / domainCount)}@${domainName(spread(n))}`;

async function measurePostkasse(root: string, rows: Cell[][]): Promise<void> {
  const dir = join(root, 'server');
  const domains = Array.from({ length: domainCount }, (_, n) => ({
    name: domainName(n),
    owner,
    logins: [{ user: `user@${domainName(n)}`, password: 'secret' }],
  }));
  const socket = join(dir, 'run', 'lookups');
  const settings = `[[listen]]\nprotocol = "socketmap"\naddress = "unix:${socket}"\n`;
  const peer = await startPostkasse({ dir, spool: join(root, 'spool'), format: 'maildir', owner, domains }, { settings });
  const lines = Array.from({ length: aliasCount }, (_, n) => `alias${n}: user\n`).join('');
  for (const { name } of domains) {
    const file = join(dir, 'virtual', name, 'aliases');
    writeFileSync(file, lines, { mode: 0o600 });
    chownSync(file, owner.uid, owner.gid);
  }
  try {
    const cases: [string, string, (n: number) => string][] = [
      ['each domain for the first time', 'mailboxes', (n) => `user@${domainName(n)}`],
      ['a domain', 'domains', domainName],
      ['an account', 'mailboxes', (n) => `user@${domainName(spread(n))}`],
      ['an alias', 'aliases', alias],
      ['nobody', 'mailboxes', (n) => `nobody${n}@${domainName(spread(n))}`],
      ['a domain of others', 'domains', (n) => `elsewhere${n % 1000}.example`],
    ];
    for (const [name, map, key] of cases) {
      const isFirst = name.includes('first');
      const count = isFirst ? domainCount : questions;
      // So that each front has read what it needs.
      if (!isFirst) await ask(socket, questions, (n) => `${map} ${key(n)}`);
      const { seconds, cpuSeconds: cpu } = await measure(peer.pid, () => ask(socket, count, (n) => `${map} ${key(n)}`));
      rows.push(['postkasse', `${map}: ${name}`, count / seconds, (cpu * 1e6) / count, memoryOf(peer.pid).pssKb / 1024]);
    }
  } finally {
    await peer.stop();
  }
}

/** The same where each domain has an owner of its own, whose worker is asked. */
async function measureOwners(root: string, rows: Cell[][]): Promise<void> {
  const dir = join(root, 'owners');
  const domains = ownedDomains(owners, owners * 100);
  const logins = loginsInTurn(domains);
  const socket = join(dir, 'run', 'lookups');
  const settings = `[[listen]]\nprotocol = "socketmap"\naddress = "unix:${socket}"\n`;
  const peer = await startPostkasse({ dir, spool: join(root, 'spool'), format: 'maildir', owner, domains }, { settings });
  try {
    const cases: [string, (n: number) => string][] = [
      ['mailboxes: an account', (n) => `mailboxes ${logins[n % logins.length]?.user}`],
      ['domains: a domain of others', (n) => `domains elsewhere${n % 1000}.example`],
    ];
    for (const [name, question] of cases) {
      await ask(socket, questions / 5, question);
      const { seconds, cpuSeconds: cpu } = await measure(peer.pid, () => ask(socket, questions, question));
      rows.push([`postkasse, ${owners} owners`, name, questions / seconds, (cpu * 1e6) / questions, memoryOf(peer.pid).pssKb / 1024]);
    }
  } finally {
    await peer.stop();
  }
}

/** The same protocol and the same client, without anything to look up: what no table can be quicker than, in this language. */
async function measureNothing(socket: string, rows: Cell[][]): Promise<void> {
  const program = `require('node:net').createServer((s) => s.on('data', () => s.write('9:NOTFOUND ,'))).listen(${JSON.stringify(socket)}, () => console.log('ready'))`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const { seconds, cpuSeconds: cpu } = await measure(child.pid ?? 0, () => ask(socket, questions, (n) => `aliases ${alias(n)}`));
  rows.push(['Node, always NOTFOUND', 'none', questions / seconds, (cpu * 1e6) / questions, memoryOf(child.pid ?? 0).pssKb / 1024]);
  child.kill();
  await once(child, 'exit');
}

/** Postfix' own: a program that reads a file, without anybody between. */
function measurePostmap(root: string, rows: Cell[][]): void {
  if (spawnSync('postmap', ['-q', 'x', 'static:y']).status !== 0) return;
  const source = join(root, 'aliases');
  const keys = join(root, 'keys');
  const all = Array.from({ length: domainCount * aliasCount }, (_, n) => {
    const name = domainName(n);
    return `alias${Math.floor(n / domainCount)}@${name} user@${name}\n`;
  });
  writeFileSync(source, all.join(''));
  writeFileSync(keys, Array.from({ length: questions }, (_, n) => `${alias(n)}\n`).join(''));
  if (spawnSync('postmap', [`btree:${source}`]).status === 0) {
    const { seconds, cpu } = shell(`postmap -q - btree:${source} < ${keys} > /dev/null`);
    rows.push(['postmap', 'btree: an alias', questions / seconds, (cpu * 1e6) / questions, undefined]);
  }
}

function shell(command: string): { seconds: number; cpu: number } {
  const before = cpuSeconds(process.pid);
  const start = performance.now();
  spawnSync('sh', ['-c', command], { stdio: 'inherit' });
  return { seconds: (performance.now() - start) / 1000, cpu: cpuSeconds(process.pid) - before };
}

/** Resolves when all are answered. */
async function ask(socket: string, count: number, question: (n: number) => string): Promise<void> {
  let next = 0;
  const client = () =>
    new Promise<void>((resolve, reject) => {
      const connection = connect(socket);
      const put = () => {
        if (next >= count) return void connection.end();
        const content = question(next++);
        connection.write(`${content.length}:${content},`);
      };
      // One question at a time: whatever ends with a comma is the whole answer.
      connection.on('data', (chunk: Buffer) => chunk.at(-1) === 0x2c && put());
      connection.on('error', reject).on('close', () => resolve());
      connection.on('connect', put);
    });
  await Promise.all(Array.from({ length: connections }, client));
}
