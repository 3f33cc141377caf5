/** What a delivery through a command costs from its start to its end: ours beside what others start. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from './arena.ts';
import type { Table } from './table.ts';

const rounds = 41;
const program = join(import.meta.dirname, '..', 'bin', 'postkasse');
const message = `From ada@example.org  Sun Nov 29 09:08:11 2026\nReturn-Path: <ada@example.org>\nSubject: x\n\n${'x'.repeat(72)}\n`.repeat(
  20,
);
const environment = {
  PATH: '/usr/bin:/bin',
  EXTENSION: 'abc--kvt.dk',
  RECIPIENT: 'kvt_dk+abc--kvt.dk@mx.example.org',
  SENDER: 'ada@example.org',
};

/** As the predecessor's agent did it. */
const append = '{ if (body && /^From /) printf ">"; print; if ($0 == "") body = 1 } END { print "" }';

/** One after the other in each round, so that whatever else is going on meets all of them. */
export async function benchPipeAgent(): Promise<Table> {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-bench-'));
  const socket = join(folder, 'lmtp');
  const server = answering().listen(socket);
  await once(server, 'listening');
  writeFileSync(join(folder, 'empty.cjs'), '');
  const mbox = join(folder, 'mbox');
  const commands: readonly (readonly [string, readonly string[]])[] = [
    ['sh -c :', ['sh', '-c', ':']],
    ["awk 'BEGIN {}'", ['awk', 'BEGIN {}']],
    ['awk that appends to an mbox', ['sh', '-c', `exec awk '${append}' >>${mbox}`]],
    ['perl -e 0', ['perl', '-e', '0']],
    ['Node, an empty script', [process.execPath, join(folder, 'empty.cjs')]],
    ['postkasse deliver, by LMTP', [program, 'deliver', '--socket', socket]],
  ];
  try {
    const times = new Map<string, number[]>(commands.map(([name]) => [name, []]));
    for (let round = 0; round < rounds; round++) for (const [name, words] of commands) times.get(name)?.push(await timed(words));
    const perl = median(times.get('perl -e 0') ?? []);
    const rows = commands.map(([name]) => {
      const all = times.get(name) ?? [];
      return [name, median(all), Math.min(...all), median(all) / perl];
    });
    return {
      title: `A delivery through a command: ms from start to exit (median of ${rounds})`,
      columns: ['command', 'median', 'least', 'times perl'],
      rows,
    };
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
}

async function timed([name = '', ...words]: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(name, words, { env: environment, stdio: ['pipe', 'ignore', 'inherit'], detached: true });
  child.stdin.on('error', () => {}); // some read nothing
  child.stdin.end(message);
  const [status] = await once(child, 'exit');
  const ms = performance.now() - startedAt;
  if (status !== 0) throw new Error(`${name} ended with status ${status}`);
  return ms;
}

/** An LMTP server that takes everything and keeps nothing: what is measured is the agent. */
function answering() {
  return createServer((socket) => {
    socket.on('error', () => {});
    socket.write('220 mx LMTP\r\n');
    let isData = false;
    socket.on('data', (octets) => {
      const text = octets.toString('latin1');
      if (isData) {
        isData = !text.endsWith('\r\n.\r\n') && text !== '.\r\n';
        if (!isData) socket.write('250 2.0.0 delivered\r\n');
      } else if (text.startsWith('LHLO')) socket.write('250-mx\r\n250 8BITMIME\r\n');
      else if (text.startsWith('MAIL')) socket.write('250 2.1.0 ok\r\n250 2.1.5 ok\r\n');
      else if (text.startsWith('DATA')) {
        isData = true;
        socket.write('354 go\r\n');
      } else socket.end();
    });
  });
}
