/**
 * A host that ran the predecessor: its passwd files and mailboxes as they lie, with nothing added to them, where one Unix user owns it all.
 * The numbers are those of docs/predecessor.md.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { Client } from '../support/socketDialogue.ts';
import { postkasse } from './support/cli.ts';
import { MailClient } from './support/mailClient.ts';
import { appendToMbox } from './support/nastyMail.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { freePort, makeTree, owner, type Server, serve, type Tree } from './support/server.ts';

/** As perl's crypt() and `htpasswd -B` made them, of despasswd, md5passwd and webpasswd. */
const [des, md5, bcrypt] = [
  'abBqlsEpN6XLk',
  '$1$saltsalt$S2kEcifS/Zf/xwwbqT7JD1',
  '$2y$05$abcdefghijklmnopqrstuuGm/wW2u87J3NqFBbQAz/7egMjrlns3e',
];

const accounts = [
  { address: 'abc@kvt.dk', password: 'abcpasswd', mailbox: 'spool/kvt.dk/abc' },
  { address: 'kvt@kvt.dk', password: 'kvtpasswd', mailbox: 'home/kvt_dk/Mail/mailbox' },
  { address: 'jens@vm.example', password: 'despasswd', mailbox: 'spool/vm.example/jens' },
  { address: 'lene@vm.example', password: 'md5passwd', mailbox: 'spool/vm.example/lene' },
  { address: 'web@web.example', password: 'webpasswd', mailbox: 'spool/web.example/web' },
] as const;

const mailTo = (address: string) =>
  Buffer.from(`Return-Path: <ada@example.org>\r\nTo: <${address}>\r\nSubject: only for ${address}\r\n\r\nFrom here on\r\n.\r\n`);

let tree: Tree;
let server: Server;
const secondAddress = '127.0.0.2';
let secondPort: number;

before(async () => {
  tree = makePredecessorTree();
  const ports = { pop3: await freePort(), pop3s: 0, lmtp: await freePort(), smtp: 0 };
  secondPort = await freePort();
  const settingsFile = join(tree.folder, 'postkasse.toml');
  const settings = `
    state_dir = "state"
    run_dir = "run"
    fronts = 2
    ${process.getuid?.() === 0 ? `user = "${owner.uid}"\ngroup = "${owner.gid}"` : ''}
    [directory]
    root = "virtual"
    default_domain = "kvt.dk"
    login_delimiters = "@%:!;"
    password_kind = "plain"
    [mailboxes]
    root = "spool"
    [login]
    failure_delay_ms = 0
    [addresses]
    "${secondAddress}" = "vm.example"
    [[listen]]
    protocol = "pop3"
    address = "127.0.0.1:${ports.pop3}"
    [[listen]]
    protocol = "pop3"
    address = "${secondAddress}:${secondPort}"
    [[listen]]
    protocol = "lmtp"
    address = "127.0.0.1:${ports.lmtp}"
  `;
  fs.writeFileSync(settingsFile, settings);
  server = await serve(settingsFile, ports);
});

after(async () => {
  await server?.stop();
  tree?.remove();
});

/** kvt.dk as in A46-A55, a domain of vm-pop3d, and one whose passwords were made by htpasswd. */
function makePredecessorTree(): Tree {
  const made = makeTree({
    passwd: new Map([
      ['kvt.dk', []],
      ['vm.example', ['# made by vmpasswd', '', `jens:${des}`, 'no line of a passwd file', `lene:${md5}`, 'nobody:']],
      ['web.example', ['# htpasswd -B', `web:${bcrypt}`]],
    ]),
  });
  const home = join(made.folder, 'home', 'kvt_dk');
  fs.mkdirSync(join(home, 'Mail'), { recursive: true, mode: 0o700 });
  fs.rmSync(join(made.folder, 'virtual', 'kvt.dk', 'passwd'));
  fs.writeFileSync(join(home, 'kvt.passwd'), kvtPasswd(made.folder), { mode: 0o600 });
  fs.symlinkSync(join(home, 'kvt.passwd'), join(made.folder, 'virtual', 'kvt.dk', 'passwd'));
  for (const { address, mailbox } of accounts) appendToMbox(join(made.folder, mailbox), mailTo(address));
  // Mail for kvt that lies where it is looked for second.
  appendToMbox(join(made.folder, 'spool', 'kvt.dk', 'kvt'), mailTo('nobody'));
  made.own();
  return made;
}

function kvtPasswd(folder: string, changes: { abc?: string; further?: string } = {}): string {
  const { uid, gid } = owner;
  return (
    `abc:${changes.abc ?? 'abcpasswd'}:${uid}:${gid}:abcname:.:\n` +
    `kvt:kvtpasswd:${uid}:${gid}:kvtname:${folder}/home/kvt_dk/:\n` +
    `ny:nypasswd:${uid}:${gid}:nyname:.:\n` +
    `root:rootpasswd:0:0:root:/root:\n` +
    `other:otherpasswd:${uid + 1}:${gid}:somebody else:.:\n` +
    (changes.further ?? '')
  );
}

async function connect(host: string, port: number): Promise<Client> {
  const client = new Client({ host, port });
  assert.match((await client.line()) ?? '', /^\+OK /);
  return client;
}

/** What a login comes to: the mail that is there, or the refusal. */
async function fetched(login: string, password: string, host = '127.0.0.1', port = server.ports.pop3): Promise<string> {
  const client = await connect(host, port);
  client.write(`USER ${login}\r\nPASS ${password}\r\nRETR 1\r\nQUIT\r\n`);
  const lines: string[] = [];
  for (let line = await client.line(); line !== undefined; line = await client.line()) lines.push(line);
  return lines.join('\r\n');
}

function served(address: string): string {
  const mail = mailTo(address);
  return (
    `+OK now the password\r\n+OK 1 message (${mail.length} octets)\r\n+OK ${mail.length} octets\r\n` +
    `${mail.toString().replace(/^\./gm, '..')}.\r\n+OK goodbye (1 message left)`
  );
}

const refused = '+OK now the password\r\n-ERR [AUTH] authentication failed\r\n-ERR log in first\r\n+OK goodbye';

test('each user fetches their own mail, with each delimiter (A3, A9, A46-A49, A51, A52, B14, B36, B38)', async () => {
  for (const { address, password } of accounts) {
    for (const delimiter of '@%:!;') {
      const login = address.replace('@', delimiter);
      assert.equal(await fetched(login, password), served(address), login);
    }
    assert.equal(await fetched(address, 'wrong'), refused, address);
  }
  assert.equal(await fetched('abc@kvt.dk', 'kvtpasswd'), refused);
  assert.equal(await fetched('abc@vm.example', 'abcpasswd'), refused);
  assert.equal(await fetched('nobody@vm.example', ''), '+OK now the password\r\n-ERR missing argument\r\n-ERR log in first\r\n+OK goodbye');
});

test('a bare name belongs to the domain of the address connected to, else to the default one; a typed domain wins (A41, A43, B15)', async () => {
  assert.equal(await fetched('abc', 'abcpasswd'), served('abc@kvt.dk'));
  assert.equal(await fetched('jens', 'despasswd'), refused);
  assert.equal(await fetched('jens', 'despasswd', secondAddress, secondPort), served('jens@vm.example'));
  assert.equal(await fetched('abc', 'abcpasswd', secondAddress, secondPort), refused);
  assert.equal(await fetched('abc@kvt.dk', 'abcpasswd', secondAddress, secondPort), served('abc@kvt.dk'));
});

test('mailbox path and explain name the file that the server opens (A4)', async () => {
  const config = ['--config', server.settingsFile];
  for (const { address, mailbox } of accounts) {
    const path = join(tree.folder, mailbox);
    // What was fetched in the tests above lies there and nowhere else.
    assert.equal(fs.readFileSync(path, 'latin1').includes(`Subject: only for ${address}\n`), true);
    const { status, out } = await postkasse(['mailbox', 'path', address, ...config]);
    assert.deepEqual({ status, out }, { status: 0, out: `${path}\n` });
  }
  const byAddress = await postkasse(['explain', 'lene', '--local-address', secondAddress, ...config]);
  assert.equal(byAddress.out.trimEnd().split('\n').at(-1), `mailbox: ${join(tree.folder, 'spool/vm.example/lene')} (mbox)`);
  const atHome = await postkasse(['explain', 'kvt@kvt.dk', ...config]);
  const [home, passwd, target] = ['home/kvt_dk', 'virtual/kvt.dk/passwd', 'home/kvt_dk/kvt.passwd'].map((path) => join(tree.folder, path));
  assert.deepEqual(
    [atHome.status, atHome.out.trimEnd().split('\n').slice(-2)],
    [0, [`${home}/Mail/mailbox: mbox`, `mailbox: ${home}/Mail/mailbox (mbox)`]],
  );
  assert.match(atHome.out, new RegExp(`^passwd file: ${passwd}, which is ${target}, line 2$`, 'm'));
});

test('mail is delivered to the same files, owned and closed as they were (A51, A54)', async () => {
  const client = await MailClient.connect('lmtp', { port: server.ports.lmtp, host: '127.0.0.1' });
  for (const { address, password, mailbox } of accounts) {
    const content = Buffer.from('Subject: second\r\n\r\nhello\r\n');
    const { replies } = await client.send({ from: 'ada@example.org', to: [address], content });
    assert.match(replies.join(), /^250 /);
    assert.match(fs.readFileSync(join(tree.folder, mailbox), 'latin1'), /\nSubject: second\n\nhello\n\n$/);

    const session = await Pop3Client.login(server.ports.pop3, address, password);
    assert.equal((await session?.rows('LIST'))?.length, 2);
    await session?.ok('DELE 1');
    await session?.ok('QUIT');
    await session?.drop();
    const left = fs.readFileSync(join(tree.folder, mailbox), 'latin1');
    assert.equal(left.includes('Subject: only for'), false);
    assert.match(left, /^From ada@example\.org [\s\S]*\nSubject: second\nStatus: O\n\nhello\n\n$/);
    assert.deepEqual(whose(join(tree.folder, mailbox)), { ...owner, mode: 0o600 });
    assert.deepEqual(whose(dirname(join(tree.folder, mailbox))), { ...owner, mode: 0o700 });
  }
  await client.close();
});

function whose(path: string): { uid: number; gid: number; mode: number } {
  const { uid, gid, mode } = fs.statSync(path);
  return { uid, gid, mode: mode & 0o777 };
}

test('an account without mailbox is an empty maildrop, and its first mail makes one (A38)', async () => {
  const [path, config] = [join(tree.folder, 'spool/kvt.dk/ny'), ['--config', server.settingsFile]];
  const explained = await postkasse(['explain', 'ny@kvt.dk', ...config]);
  assert.equal(explained.out.trimEnd().split('\n').at(-1), `mailbox: ${path} (mbox, not there yet)`);
  assert.match(await fetched('ny@kvt.dk', 'nypasswd'), /^\+OK now the password\r\n\+OK 0 messages \(0 octets\)\r\n-ERR no such message/);
  await server.logged(/ maildrop\.none mailbox=ny@kvt\.dk /);
  assert.equal(fs.existsSync(path), false);

  const client = await MailClient.connect('lmtp', { port: server.ports.lmtp, host: '127.0.0.1' });
  const { replies } = await client.send({ from: '', to: ['ny@kvt.dk'], content: Buffer.from('Subject: x\r\n\r\n') });
  assert.match(replies.join(), /^250 /);
  await client.close();
  assert.deepEqual(whose(path), { ...owner, mode: 0o600 });
  assert.match(await fetched('ny@kvt.dk', 'nypasswd'), /^\+OK now the password\r\n\+OK 1 message /);
});

test('a passwd file can not make the server act as just anybody, and junk in it is told in the log (A9, A53, B20, B35)', async () => {
  assert.equal(await fetched('root@kvt.dk', 'rootpasswd'), refused);
  assert.equal(await fetched('other@kvt.dk', 'otherpasswd'), refused);
  const file = join(tree.folder, 'virtual/kvt.dk/passwd');
  await server.logged(new RegExp(` directory\\.refused-uid account=root@kvt\\.dk file=${file} line=4 uid=0 `));
  await server.logged(new RegExp(` directory\\.refused-uid account=other@kvt\\.dk file=${file} line=5 uid=${owner.uid + 1} `));
  await server.logged(new RegExp(` directory\\.skipped-line file=${join(tree.folder, 'virtual/vm.example/passwd')} line=4 `));
});

test('a changed passwd file is seen at the next login', async () => {
  const file = join(tree.folder, 'home/kvt_dk/kvt.passwd');
  const link = join(tree.folder, 'virtual/kvt.dk/passwd');
  const outcome = async (login: string, password: string) => {
    const reply = await fetched(login, password);
    return reply === refused ? 'refused' : /^\+OK now the password\r\n\+OK \d+ message/.test(reply) ? 'in' : reply;
  };
  assert.equal(await outcome('abc@kvt.dk', 'abcpasswd'), 'in');
  // In place, as an editor may do it; the length stays.
  fs.writeFileSync(file, kvtPasswd(tree.folder, { abc: 'ABCPASSWD' }));
  assert.deepEqual([await outcome('abc@kvt.dk', 'abcpasswd'), await outcome('abc@kvt.dk', 'ABCPASSWD')], ['refused', 'in']);
  // A new file renamed over the old one, as Open WebMail does it.
  const further = `sara:sarapasswd:${owner.uid}:${owner.gid}::.:\n`;
  fs.writeFileSync(`${file}.new`, kvtPasswd(tree.folder, { further }), { mode: 0o600 });
  tree.own(`${file}.new`);
  fs.renameSync(`${file}.new`, file);
  assert.deepEqual([await outcome('abc@kvt.dk', 'ABCPASSWD'), await outcome('sara@kvt.dk', 'sarapasswd')], ['refused', 'in']);
  // The link shows elsewhere.
  fs.writeFileSync(`${file}.other`, kvtPasswd(tree.folder, { abc: 'otherpasswd' }), { mode: 0o600 });
  tree.own(`${file}.other`);
  fs.symlinkSync(`${file}.other`, `${link}.new`);
  fs.renameSync(`${link}.new`, link);
  assert.deepEqual(
    [await outcome('abc@kvt.dk', 'abcpasswd'), await outcome('abc@kvt.dk', 'otherpasswd'), await outcome('sara@kvt.dk', 'sarapasswd')],
    ['refused', 'in', 'refused'],
  );
});

test('the example settings serve such a tree as they stand', async (t) => {
  const example = join(import.meta.dirname, '..', '..', 'examples', 'postkasse.toml');
  const home = makePredecessorTree();
  const settingsFile = join(home.folder, 'postkasse.toml');
  fs.copyFileSync(example, settingsFile);
  assert.deepEqual(await postkasse(['config', 'check', '--config', settingsFile]).then(({ status, err }) => ({ status, err })), {
    status: 0,
    err: '',
  });
  const ports = { pop3: 1110, pop3s: 1995, lmtp: 1024, smtp: 0 };
  for (const protocol of ['pop3', 'pop3s', 'lmtp'] as const) {
    if (await isFree(ports[protocol])) continue;
    const port = await freePort();
    fs.writeFileSync(settingsFile, fs.readFileSync(settingsFile, 'utf8').replace(`127.0.0.1:${ports[protocol]}"`, `127.0.0.1:${port}"`));
    ports[protocol] = port;
  }
  const second = await serve(settingsFile, ports);
  t.after(async () => {
    await second.stop();
    home.remove();
  });
  const outcomeOf = async ({ address, password }: (typeof accounts)[number]) =>
    (await fetched(address, password, '127.0.0.1', ports.pop3)) === served(address);
  // They take no password field of kvt.dk for clear text unasked; the log says so, and what to do about it.
  assert.equal(await outcomeOf(accounts[0]), false);
  await second.logged(/ directory\.password-not-understood account=abc@kvt\.dk .* hint=".*password_kind = .*plain.*domain\.toml/);
  fs.writeFileSync(join(home.folder, 'virtual', 'kvt.dk', 'domain.toml'), 'password_kind = "plain"\n');
  home.own(join(home.folder, 'virtual', 'kvt.dk', 'domain.toml'));
  assert.deepEqual(await Promise.all(accounts.map(outcomeOf)), [true, true, true, true, true]);
});

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
  } catch {
    return false;
  }
  probe.close();
  await once(probe, 'close');
  return true;
}
