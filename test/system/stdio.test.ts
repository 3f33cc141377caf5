/** `serve --stdio`: a connection that somebody else has accepted, as inetd, xinetd and systemd hand it over. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { postkasse, program } from './support/cli.ts';
import { inetd } from './support/inetd.ts';
import { makeDomain, makeFile, makeOwnersTree, needsRoot, rightsOf, type UnixUser } from './support/owners.ts';
import { clientOf, loggedIn, serving, smallTree } from './support/processes.ts';
import { missing, run } from './support/programs.ts';
import { freePort, makeTree, owner, type Tree, writeSettings } from './support/server.ts';

const MESSAGE = 'Subject: hello\n\nIt works.\n';
const MBOX = `From ada@example.org Thu Nov 24 18:22:48 1986\n${MESSAGE}\n`;

/** A tree with a message for abc@kvt.dk, and the arguments that serve it. */
async function house(t: TestContext, protocol: string, tree: Tree = smallTree(t)) {
  const { settingsFile } = await writeSettings({ tree, protocols: ['pop3'] });
  writeFileSync(join(tree.folder, 'spool', 'kvt.dk', 'abc'), MBOX, { mode: 0o600 });
  tree.own();
  return { tree, settingsFile, args: ['serve', '--stdio', protocol, '--config', settingsFile] };
}

for (const standardError of ['connection', 'pipe'] as const) {
  test(`a whole POP3 session, with standard error ${standardError === 'pipe' ? 'apart' : 'on the connection too'}: the dialogue and nothing else`, async (t) => {
    const { args } = await house(t, 'pop3');
    const parent = await inetd(t, args, { standardError });
    const client = clientOf(t, { port: parent.port });
    assert.match((await client.line()) ?? 'closed', /^\+OK .+ <\S+@mail\.example\.org>$/);
    await client.play(`
      C: USER abc@kvt.dk
      C: PASS wrong
      C: USER abc@kvt.dk
      C: PASS secret`);
    assert.match((await client.line()) ?? 'closed', /^\+OK /);
    assert.match((await client.line()) ?? 'closed', /^-ERR \[AUTH\] /);
    assert.match((await client.line()) ?? 'closed', /^\+OK /);
    assert.match((await client.line()) ?? 'closed', /^\+OK /);
    await client.play(`
      C: STAT
      S: +OK 1 29
      C: RETR 1`);
    assert.match((await client.line()) ?? 'closed', /^\+OK 29 /);
    for (const line of ['Subject: hello', '', 'It works.', '.']) assert.equal(await client.line(), line);
    client.write('DELE 1\r\n');
    assert.match((await client.line()) ?? 'closed', /^\+OK /);
    client.write('QUIT\r\n');
    assert.match((await client.line()) ?? 'closed', /^\+OK /);
    assert.equal(await client.line(), undefined);
    const { status, said } = await parent.ended(1);
    assert.equal(status, 0);
    if (standardError === 'pipe') assert.match(said, / info {2}pop3\.quit .* mailbox=abc@kvt\.dk .* deleted=1 /);
  });
}

test('descriptors 0, 1 and 2 lead nowhere, so that no word of a crash reaches the client', async (t) => {
  const { args } = await house(t, 'pop3');
  const parent = await inetd(t, args, { standardError: 'connection' });
  const client = clientOf(t, { port: parent.port });
  await client.line();
  const pid = await parent.started(1);
  const targets = [0, 1, 2].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  assert.deepEqual(targets, ['/dev/null', '/dev/null', '/dev/null']);
  process.kill(pid, 'SIGSEGV');
  assert.equal(await client.line(), undefined);
});

test('it is the user who owns the mail, and no one else', { skip: needsRoot }, async (t) => {
  const { args } = await house(t, 'pop3');
  const parent = await inetd(t, args, { standardError: 'connection' });
  const client = clientOf(t, { port: parent.port });
  await client.line();
  const { uids, gids, groups } = rightsOf(await parent.started(1));
  const four = (id: number) => Array(4).fill(id).join(' ');
  assert.deepEqual([uids, gids, groups], [four(owner.uid), four(owner.gid), String(owner.gid)]);
});

test('many at once, and locks shared with a server that runs', async (t) => {
  const tree = makeTree({ passwd: new Map([['kvt.dk', ['abc:{PLAIN}secret:UID:GID::.:', 'def:{PLAIN}secret:UID:GID::.:']]]) });
  t.after(() => tree.remove());
  const server = await serving(t, { tree, protocols: ['pop3'] });
  const parent = await inetd(t, ['serve', '--stdio', 'pop3', '--config', server.settingsFile], { standardError: 'connection' });
  const login = async (user: string) => {
    const client = clientOf(t, { port: parent.port });
    await client.line();
    client.write(`USER ${user}@kvt.dk\r\nPASS secret\r\n`);
    await client.line();
    return { client, reply: (await client.line()) ?? 'closed' };
  };
  const atServer = await loggedIn(t, server);
  const [refused, other] = await Promise.all([login('abc'), login('def')]);
  assert.match(refused.reply, /^-ERR \[IN-USE\] /);
  assert.match(other.reply, /^\+OK /);
  assert.match((await login('def')).reply, /^-ERR \[IN-USE\] /);
  atServer.write('QUIT\r\n');
  assert.match((await atServer.line()) ?? 'closed', /^\+OK /);
  refused.client.write('USER abc@kvt.dk\r\nPASS secret\r\n');
  await refused.client.line();
  assert.match((await refused.client.line()) ?? 'closed', /^\+OK /);
});

test('LMTP: a message handed over is there for POP3', async (t) => {
  const { tree, args } = await house(t, 'lmtp');
  const parent = await inetd(t, args, { standardError: 'connection' });
  const client = clientOf(t, { port: parent.port });
  assert.equal(await client.line(), '220 mail.example.org LMTP');
  client.write('LHLO a.example\r\nMAIL FROM:<>\r\nRCPT TO:<abc@kvt.dk>\r\nDATA\r\n');
  for (let line = await client.line(); !line?.startsWith('354'); line = await client.line()) assert.match(line ?? 'closed', /^250/);
  client.write('Subject: second\r\n\r\nAlso here.\r\n.\r\nQUIT\r\n');
  assert.match((await client.line()) ?? 'closed', /^250 2\.0\.0 /);
  assert.match((await client.line()) ?? 'closed', /^221 /);
  assert.equal(await client.line(), undefined);
  assert.equal((await parent.ended(1)).status, 0);
  assert.match(readFileSync(join(tree.folder, 'spool', 'kvt.dk', 'abc'), 'latin1'), /\nSubject: second\n\nAlso here\.\n\n$/);
});

test('a mistake in the settings: the client is asked to come back, the log has the reason', async (t) => {
  const { settingsFile } = await house(t, 'pop3');
  writeFileSync(settingsFile, 'fronts = 0\n');
  for (const [protocol, excuse, standardError] of [
    ['pop3', '-ERR [SYS/TEMP] internal error', 'pipe'],
    ['pop3', '-ERR [SYS/TEMP] internal error', 'connection'],
    ['lmtp', '421 4.3.0 internal error', 'pipe'],
    ['pop3s', undefined, 'connection'],
  ] as const) {
    const parent = await inetd(t, ['serve', '--stdio', protocol, '--config', settingsFile], { standardError });
    const client = clientOf(t, { port: parent.port });
    assert.equal(await client.line(), excuse);
    if (excuse !== undefined) assert.equal(await client.line(), undefined);
    const { status, said } = await parent.ended(1);
    assert.equal(status, 78);
    const line = ` error stdio.bad-settings problem="${settingsFile}:1: fronts cannot be 0; allowed: \\"auto\\" or a whole number from 1 to 256"\n`;
    assert.equal(said.slice(said.indexOf(' ')), standardError === 'pipe' ? line : said);
  }
});

test('what can not be served: a reason in the log and a status of its own', async (t) => {
  const { tree, args } = await house(t, 'pop3');
  appendFileSync(join(tree.folder, 'postkasse.toml'), '[tls]\ncertificate = "postkasse.toml"\nkey = "postkasse.toml"\n');
  const parent = await inetd(t, args, { standardError: 'pipe' });
  const client = clientOf(t, { port: parent.port });
  assert.equal(await client.line(), '-ERR [SYS/TEMP] internal error');
  const { status, said } = await parent.ended(1);
  assert.equal(status, 78);
  assert.match(said, / error stdio\.not-served problem="certificate: .+"\n$/);
});

test('without a connection, or with one that has no addresses, it says so; status 64', async (t) => {
  const { args } = await house(t, 'pop3');
  const env = { ...process.env, LC_ALL: 'C' };
  const nothing = spawnSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env, encoding: 'utf8' });
  assert.deepEqual(
    [nothing.status, nothing.stdout, nothing.stderr],
    [64, '', 'postkasse: descriptor 0 is no connection: --stdio is for inetd, xinetd or systemd with Accept=yes\n'],
  );
  // What Node calls a pipe is a pair of Unix sockets.
  const { status, out, err } = await postkasse(args);
  assert.deepEqual([status, out], [64, '']);
  assert.match(err, / error stdio\.not-served problem="pop3 is not for Unix sockets"\n$/);
});

test('the client goes away in the middle: the process ends, and nothing is removed', async (t) => {
  const { tree, args } = await house(t, 'pop3');
  const parent = await inetd(t, args, { standardError: 'connection' });
  const client = clientOf(t, { port: parent.port });
  await client.line();
  client.write('USER abc@kvt.dk\r\nPASS secret\r\nDELE 1\r\n');
  for (let n = 0; n < 3; n++) assert.match((await client.line()) ?? 'closed', /^\+OK /);
  await client.end();
  assert.equal((await parent.ended(1)).status, 0);
  assert.equal(readFileSync(join(tree.folder, 'spool', 'kvt.dk', 'abc'), 'latin1'), MBOX);
});

test('many owners: a front that is no one, a worker that is the owner, and all are gone afterwards', { skip: needsRoot }, async (t) => {
  const tree = makeOwnersTree(t);
  const user = (uid: number): UnixUser => ({ name: String(uid), uid, gid: uid, home: join(tree.folder, 'home', String(uid)) });
  const [kvt, other] = [user(60_101), user(60_102)];
  makeDomain(tree, kvt, 'kvt.dk', ['abc:{PLAIN}secret:UID:GID::.:']);
  makeDomain(tree, other, 'other.dk', ['abc:{PLAIN}secret:UID:GID::.:']);
  makeFile(kvt, join(tree.folder, 'spool', 'kvt.dk', 'abc'), MBOX);
  const { settingsFile } = await writeSettings({ tree, protocols: ['pop3'], settings: { owners: ['mode = "many"'] } });
  const parent = await inetd(t, ['serve', '--stdio', 'pop3', '--config', settingsFile], { standardError: 'connection' });
  const client = clientOf(t, { port: parent.port });
  assert.match((await client.line()) ?? 'closed', /^\+OK /);
  client.write('USER abc@kvt.dk\r\nPASS secret\r\nSTAT\r\n');
  assert.match((await client.line()) ?? 'closed', /^\+OK /);
  assert.match((await client.line()) ?? 'closed', /^\+OK /);
  assert.equal(await client.line(), '+OK 1 29');
  const supervisor = await parent.started(1);
  const children = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, 'latin1').trim().split(' ').map(Number);
  const uids = children.map((pid) => rightsOf(pid).uids.split(' ')[0]).sort();
  assert.equal(rightsOf(supervisor).uids, '0 0 0 0');
  assert.equal(uids.length, 2);
  assert.ok(uids.includes(String(kvt.uid)) && !uids.includes('0'), uids.join(' '));
  client.write('QUIT\r\n');
  assert.match((await client.line()) ?? 'closed', /^\+OK /);
  assert.equal(await client.line(), undefined);
  assert.equal((await parent.ended(1)).status, 0);
  for (const pid of children) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  const sockets = readdirSync(join(tree.folder, 'run', 'owners'));
  assert.deepEqual(sockets, []);
});

for (const protocol of ['pop3', 'pop3s'] as const) {
  const skip = missing('systemd-socket-activate', 'systemd') || missing('curl', 'curl');
  test(`${protocol} under systemd-socket-activate --inetd --accept, fetched by curl`, { skip }, async (t) => {
    const { tree, args } = await house(t, protocol);
    const port = await freePort();
    const parent = spawn('systemd-socket-activate', ['--listen', `127.0.0.1:${port}`, '--inetd', '--accept', program, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const gone = once(parent, 'exit');
    t.after(async () => {
      parent.kill();
      await gone;
    });
    await once(parent.stderr, 'data'); // "Listening on …"
    const url = `${protocol}://127.0.0.1:${port}/1`;
    const { status, out } = await run('curl', ['--silent', '--insecure', '--max-time', '50', '--user', 'abc@kvt.dk:secret', url], {
      home: tree.folder,
    });
    assert.deepEqual([status, out.toString()], [0, 'Subject: hello\r\n\r\nIt works.\r\n']);
  });
}

test('under xinetd, fetched by curl', { skip: needsRoot || missing('xinetd', 'xinetd') || missing('curl', 'curl') }, async (t) => {
  const { tree, args } = await house(t, 'pop3');
  const port = await freePort();
  const line = readFileSync(join(import.meta.dirname, '..', '..', 'contrib', 'inetd', 'xinetd.conf'), 'utf8').split(/^}$/m)[0];
  assert.ok(line);
  const config = `${line.replace('/usr/bin/postkasse', program).replace('serve --stdio pop3', args.join(' '))}
    type = UNLISTED
    port = ${port}
    bind = 127.0.0.1
}\n`;
  const file = join(tree.folder, 'xinetd.conf');
  writeFileSync(file, config);
  const parent = spawn(
    'xinetd',
    ['-f', file, '-dontfork', '-pidfile', join(tree.folder, 'xinetd.pid'), '-filelog', join(tree.folder, 'xinetd.log')],
    {
      stdio: 'ignore',
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    },
  );
  const gone = once(parent, 'exit');
  t.after(async () => {
    parent.kill();
    await gone;
  });
  const url = `pop3://127.0.0.1:${port}/1`;
  const curl = [
    '--silent',
    '--max-time',
    '50',
    '--retry',
    '20',
    '--retry-connrefused',
    '--retry-delay',
    '0',
    '--user',
    'abc@kvt.dk:secret',
    url,
  ];
  const { status, out } = await run('curl', curl, { home: tree.folder });
  assert.deepEqual([status, out.toString()], [0, 'Subject: hello\r\n\r\nIt works.\r\n']);
});

test('the lines for inetd.conf and xinetd start what there is', () => {
  const contrib = join(import.meta.dirname, '..', '..', 'contrib', 'inetd');
  const lines = readFileSync(join(contrib, 'inetd.conf'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const commands = [
    ...lines.map((line) => line.split(/\s+/).slice(7).join(' ')),
    ...Array.from(readFileSync(join(contrib, 'xinetd.conf'), 'utf8').matchAll(/server_args\s*=\s*(.*)/g), ([, args]) => args),
  ];
  assert.equal(commands.length, 6);
  for (const command of commands) {
    const { status } = spawnSync(program, [...(command ?? '').split(' '), '--config', '/nonexistent'], {
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    // Understood, but without a connection.
    assert.equal(status, 64);
  }
});
