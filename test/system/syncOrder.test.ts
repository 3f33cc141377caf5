/** What the running server asks of the kernel before it says 250 or +OK: whatever a power cut would need is on disc by then. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MailClient } from './support/mailClient.ts';
import { composed } from './support/numberedMail.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { missing } from './support/programs.ts';
import { makeTree, startServer } from './support/server.ts';

const password = 'secret';
const calls = 'fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate,write,writev,sendto,sendmsg';

const skip = missing('strace', 'strace') || (process.getuid?.() === 0 ? false : 'only root may look at what another process does');

test('250 and +OK come after the fsync of all they promise', { skip, timeout: 180_000 }, async (t) => {
  const line = (user: string) => `${user}:{PLAIN}${password}:UID:GID::.:`;
  const tree = makeTree({ passwd: new Map([['kvt.dk', [line('mbox'), line('maildir')]]]) });
  const spool = join(tree.folder, 'spool', 'kvt.dk');
  writeFileSync(join(spool, 'mbox'), '', { mode: 0o600 });
  for (const folder of ['', 'new', 'cur', 'tmp']) mkdirSync(join(spool, 'maildir', folder), { mode: 0o700 });
  tree.own();
  const server = await startServer({ tree, protocols: ['pop3', 'lmtp'], settings: { '': ['fronts = 1'] } });
  t.after(async () => {
    await server.stop('SIGKILL');
    await server.gone();
    tree.remove();
  });
  const trace = await traced(server.fronts()[0] ?? 0, join(tree.folder, 'strace'));
  if (trace === undefined) return t.skip('the host lets nobody look at what another process does');

  for (const user of ['mbox', 'maildir']) {
    const client = await MailClient.connect('lmtp', { port: server.ports.lmtp, host: '127.0.0.1' });
    for (const name of ['one', 'two', 'three', 'four']) {
      await client.send({ from: 'ada@example.org', to: [`${user}@kvt.dk`], content: composed(name) });
    }
    await client.close();
    for (const numbers of [[4], [1, 3]]) {
      const session = await Pop3Client.login(server.ports.pop3, `${user}@kvt.dk`, password);
      for (const n of numbers) await session?.ok(`DELE ${n}`);
      await session?.ok('QUIT');
      await session?.drop();
    }
  }

  const seen = (await trace()).flatMap((call) => inWords(call, spool));
  const times = (count: number, words: readonly string[]) => Array.from({ length: count }, () => words).flat();
  assert.deepEqual(seen, [
    ...times(4, ['fsync mbox', '250']),
    // The last one goes.
    ...['ftruncate mbox', 'fsync mbox', '+OK'],
    // The first and the third go.
    ...['fsync .mbox.new', 'rename .mbox.new mbox', 'fsync .', '+OK'],
    ...times(4, ['fsync maildir/tmp/*', 'rename maildir/tmp/* maildir/new/*', 'fsync maildir/new', '250']),
    ...['unlink maildir/new/*', 'fsync maildir/new', '+OK'],
    // All or none: what is to go is written down first.
    ...['fsync maildir/cur/.postkasse-removal.new', 'rename maildir/cur/.postkasse-removal.new maildir/cur/.postkasse-removal'],
    ...[
      'fsync maildir/cur',
      'unlink maildir/new/*',
      'unlink maildir/new/*',
      'fsync maildir/new',
      'unlink maildir/cur/.postkasse-removal',
      '+OK',
    ],
  ]);
});

/** Resolves when every call of the process is being written down, with a function that ends that and gives the calls. `undefined`: not allowed. */
async function traced(pid: number, file: string): Promise<(() => Promise<string[]>) | undefined> {
  const strace = spawn('strace', ['-f', '-y', '-s', '64', '-e', `trace=${calls}`, '-o', file, '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [said] = (await once(strace.stderr, 'data')) as [Buffer];
  if (said.includes('not permitted')) return undefined;
  assert.match(said.toString(), /attached/);
  return async () => {
    strace.kill('SIGINT');
    await once(strace, 'exit');
    return inOrder(readFileSync(file, 'latin1'));
  };
}

/** Calls that write to a socket where they begin, and all others where they have ended. */
function inOrder(trace: string): string[] {
  const begun = new Map<string, string>();
  const done: string[] = [];
  for (const line of trace.split('\n')) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const call = resumed ? `${begun.get(thread) ?? ''}${resumed[1]}` : rest.replace(/ <unfinished \.\.\.>$/, '');
    const isReply = /^(write|writev|sendto|sendmsg)\(/.test(call);
    const isUnfinished = rest.endsWith(' <unfinished ...>');
    if (isUnfinished) begun.set(thread, call);
    if (isReply ? !resumed : !isUnfinished) done.push(call);
  }
  return done;
}

/** `fsync mbox`, paths from the spool on and random names as `*`; the replies that matter; nothing else. */
function inWords(call: string, spool: string): string[] {
  if (/"250 2\.0\.0 delivered /.test(call)) return ['250'];
  if (/"\+OK goodbye/.test(call)) return ['+OK'];
  const [, name = ''] = /^(fsync|fdatasync|rename|unlink|ftruncate)\w*\(/.exec(call) ?? [];
  const paths = [...call.matchAll(/[<"](\/[^>"]*)[>"]/g)].map(([, path = '']) => path);
  if (name === '' || paths.some((path) => !path.startsWith(spool) || path.endsWith('.lock'))) return [];
  const words = paths.map((path) => path.slice(spool.length + 1).replace(/^maildir\/(new|tmp|cur)\/[^.].*$/, 'maildir/$1/*') || '.');
  return [[name, ...words].join(' ')];
}
