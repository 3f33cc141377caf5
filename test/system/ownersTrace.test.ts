/**
 * Every call by which a process changes whose rights it has, and every file it opens, from the start of the server to its end: the supervisor changes
 * nothing, each of the others changes once and to one user, and nobody opens, makes or removes what belongs to another.
 */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { program } from './support/cli.ts';
import { MailClient } from './support/mailClient.ts';
import { composed } from './support/numberedMail.ts';
import { mailUser, needsRoot, type PredecessorHost, predecessorHost } from './support/owners.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { endedAfter } from './support/processes.ts';
import { missing, run } from './support/programs.ts';
import type { Server } from './support/server.ts';

const skip = needsRoot || missing('strace', 'strace');

const changes = 'setuid,setgid,setreuid,setregid,setresuid,setresgid,setfsuid,setfsgid,setgroups,capset';
const files =
  'open,openat,openat2,creat,truncate,unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,mkdirat,rmdir,utimensat,execve';
const births = 'clone,clone3,fork,vfork,io_uring_setup';

interface Call {
  /** The process, whichever of its threads made the call. */
  readonly pid: number;
  readonly name: string;
  readonly args: string;
  readonly result: string;
}

test('no process ever has the rights of two, or opens what is not its own', { skip, timeout: 180_000 }, async (t) => {
  const host = await predecessorHost(t, [
    ['pk_trace_kvt', 6031],
    ['pk_trace_lene', 6032],
    ['pk_trace_given', 6033],
  ]);
  const { folder } = host.tree;
  if (!(await canTrace(folder))) return t.skip('the host lets nobody look at what another process does');
  const trace = join(folder, 'strace');
  const wrapper = join(folder, 'postkasse');
  const options = `-D -f --seccomp-bpf -e trace=${changes},${files},${births} -e signal=none`;
  writeFileSync(wrapper, `#!/bin/sh\nexec strace ${options} -o ${trace} ${program} "$@"\n`);
  chmodSync(wrapper, 0o755);
  const server = endedAfter(t, await host.start({ program: wrapper, settings: { login: ['failure_delay_ms = 0'] } }));

  await everybodyComesAndGoes(host, server);
  process.kill(server.pid, 'SIGHUP');
  await server.logged(/ supervisor\.reloaded /);
  await everybodyComesAndGoes(host, server);
  assert.equal(await server.stop(), 0);
  // strace has the same standard error.
  await server.gone();

  const calls = callsIn(readFileSync(trace, 'latin1'));
  // libuv has a ring for what it waits for. The one for files would have a thread of the kernel, with the rights of whoever made it.
  const rings = calls.filter(({ name }) => name === 'io_uring_setup');
  assert.deepEqual(
    rings.filter(({ args }) => args.includes('IORING_SETUP_SQPOLL')),
    [],
  );
  const owners = new Map([
    [host.kvt.uid, 'kvt'],
    [host.lene.uid, 'lene'],
    [host.given.uid, 'given'],
    [mailUser.uid, 'mail'],
  ]);
  const roles = rolesOf(calls, server.pid, owners);

  // Two generations: two fronts each, and a worker for each owner.
  const become = (uid: number, gid: number) => [
    `setgroups(1, [${gid}])`,
    `setresgid(${gid}, ${gid}, ${gid})`,
    `setuid(${uid})`,
    'setuid(0) EPERM',
  ];
  const { kvt, lene, given } = host;
  const nobody = nobodyIs();
  const expected = [
    ...Array(4).fill(['front', become(nobody.uid, nobody.gid)]),
    ...Array(2).fill(['given', become(given.uid, given.gid)]),
    ...Array(2).fill(['kvt', become(kvt.uid, kvt.gid)]),
    ...Array(2).fill(['lene', become(lene.uid, lene.gid)]),
    ...Array(2).fill(['mail', become(mailUser.uid, mailUser.gid)]),
    ['supervisor', []],
  ];
  const found = [...roles].map(([pid, role]) => [role, changesOf(calls, pid)] as const);
  assert.deepEqual(
    found.toSorted(([one], [other]) => (one < other ? -1 : 1)),
    expected,
  );

  const touched = new Map<string, Set<string>>();
  for (const call of calls) {
    for (const path of pathsOf(call)) {
      const what = whatIs(path, host);
      if (what === undefined) continue;
      const role = roles.get(call.pid) ?? `process ${call.pid}`;
      touched.set(role, (touched.get(role) ?? new Set()).add(what));
    }
  }
  // root's own word on whom a domain of root's is for.
  const word = 'root: virtual/given.example/domain.toml';
  const own = (owner: string, ...rooms: string[]) => rooms.map((room) => `${room} of ${owner}`);
  assert.deepEqual(
    new Map([...touched].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([role, what]) => [role, [...what].sort()])),
    new Map([
      ['given', [...own('given', 'locks', 'mailboxes', 'passwd'), word, ...own('given', 'state')]],
      ['kvt', own('kvt', 'home', 'locks', 'mailboxes', 'passwd', 'state')],
      ['lene', own('lene', 'locks', 'mailboxes', 'passwd', 'state')],
      ['mail', own('mail', 'locks', 'mailboxes', 'passwd', 'state')],
      ['supervisor', ['locks folder', word, 'state folder']],
    ]),
  );
});

/** Right and wrong passwords, by different ways, and mail for all. */
async function everybodyComesAndGoes({ accounts }: PredecessorHost, { ports }: Server): Promise<void> {
  const mail = await MailClient.connect('lmtp', { port: ports.lmtp, host: '127.0.0.1' });
  const to = accounts.map(({ address }) => address);
  const { replies } = await mail.send({ from: 'ada@example.org', to, content: composed('for everybody') });
  assert.deepEqual(
    replies.map((reply) => reply.slice(0, 3)),
    to.map(() => '250'),
  );
  await mail.close();
  for (const { address, password } of accounts) {
    const guess = await Pop3Client.connect(ports.pop3);
    await guess.ok(`USER ${address}`);
    assert.equal(await guess.command('PASS wrong'), '-ERR [AUTH] authentication failed');
    await guess.ok('QUIT');
    await guess.drop();
    const client = (await Pop3Client.login(ports.pop3, address, password)) ?? assert.fail(address);
    assert.equal((await client.rows('LIST')).length, 1);
    await client.retrieve(1);
    await client.ok('DELE 1');
    await client.ok('QUIT');
    await client.drop();
  }
}

async function canTrace(home: string): Promise<boolean> {
  const { status } = await run('strace', ['-f', '--seccomp-bpf', '-o', '/dev/null', 'true'], { home });
  return status === 0;
}

/** In the order in which they were over. */
function callsIn(trace: string): Call[] {
  const begun = new Map<string, string>();
  const whole: { thread: number; text: string }[] = [];
  for (const line of trace.split('\n')) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    if (rest.endsWith(' <unfinished ...>')) begun.set(thread, rest.slice(0, -' <unfinished ...>'.length));
    else if (thread !== '') whole.push({ thread: Number(thread), text: resumed ? `${begun.get(thread) ?? ''}${resumed[1]}` : rest });
  }
  const processOf = new Map<number, number>();
  for (const { thread, text } of whole) {
    const [, flags = '', child] = /^clone3?\((.*)\) = (\d+)/.exec(text) ?? [];
    if (child !== undefined && /\bCLONE_THREAD\b/.test(flags)) processOf.set(Number(child), thread);
  }
  const first = (thread: number): number => {
    const parent = processOf.get(thread);
    return parent === undefined ? thread : first(parent);
  };
  return whole.flatMap(({ thread, text }) => {
    const [, name, args = '', result = ''] = /^(\w+)\((.*)\) += (.*)$/.exec(text) ?? [];
    return name === undefined ? [] : [{ pid: first(thread), name, args, result }];
  });
}

/** What a process has become of the calls that change rights; each of its threads makes them, which is told once. */
function changesOf(calls: readonly Call[], pid: number): string[] {
  const made = calls
    .filter((call) => call.pid === pid && changes.split(',').includes(call.name))
    .map(({ name, args, result }) => `${name}(${args})${result.startsWith('-1 ') ? ` ${result.split(' ')[1]}` : ''}`);
  return [...new Set(made)];
}

/** Whose process each is; those that did nothing but start the program have none. */
function rolesOf(calls: readonly Call[], supervisor: number, owners: ReadonlyMap<number, string>): Map<number, string> {
  const roles = new Map([[supervisor, 'supervisor']]);
  for (const { pid, name, args, result } of calls) {
    if (name === 'setuid' && result === '0') roles.set(pid, owners.get(Number(args)) ?? 'front');
  }
  return roles;
}

function pathsOf({ name, args }: Call): string[] {
  return files.split(',').includes(name) ? [...args.matchAll(/"(\/(?:[^"\\]|\\.)*)"/g)].map(([, path = '']) => path) : [];
}

/** `undefined`: nothing of anybody's. */
function whatIs(path: string, { tree, kvt, lene, given }: PredecessorHost): string | undefined {
  if (!path.startsWith(`${tree.folder}/`)) return undefined;
  const below = path.slice(tree.folder.length + 1);
  const owners = new Map(
    [
      ['kvt', kvt.uid, kvt.name, 'kvt.dk'],
      ['lene', lene.uid, lene.name, 'lene.example'],
      ['given', given.uid, given.name, 'given.example'],
      ['mail', mailUser.uid, 'mail', 'vm.example'],
    ].flatMap(([owner, ...names]) => names.map((name) => [String(name), String(owner)] as const)),
  );
  const rooms: [RegExp, string][] = [
    [/^virtual\/([^/]+)/, 'passwd'],
    [/^spool\/([^/]+)/, 'mailboxes'],
    [/^home\/([^/]+)/, 'home'],
    [/^state\/owners\/([^/]+)/, 'state'],
    [/^run\/locks\/([^/]+)/, 'locks'],
  ];
  for (const [pattern, room] of rooms) {
    const [whole, name = ''] = pattern.exec(below) ?? [];
    if (whole === undefined) continue;
    if (below === 'virtual/given.example/domain.toml') return `root: ${below}`;
    if (whole === below && (room === 'state' || room === 'locks')) return `${room} folder`;
    return `${room} of ${owners.get(name) ?? name}`;
  }
  return undefined;
}

function nobodyIs(): { uid: number; gid: number } {
  const [, uid, gid] = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8')) ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}
