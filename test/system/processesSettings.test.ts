/** Each setting reaches the place that honours it. What it does there in detail is tested in that room. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { generate } from 'selfsigned';
import type { Client } from '../support/socketDialogue.ts';
import { postkasse } from './support/cli.ts';
import { clientOf, endedAfter, fieldsOf, serving } from './support/processes.ts';
import { freePort, makeTree, owner, type Server, serve, type Tree } from './support/server.ts';

const isRoot = process.getuid?.() === 0;
const message = 'From a@b.example  Sun Nov 22 12:00:00 2026\nSubject: one\n\nHello.\n\n';

function treeWith(t: TestContext, ...lines: string[]): Tree {
  const tree = makeTree({ passwd: new Map([['kvt.dk', lines]]) });
  t.after(() => tree.remove());
  return tree;
}

/** To the greeting. */
async function greeted(t: TestContext, port: number, greeting: RegExp): Promise<Client> {
  const client = clientOf(t, { port });
  assert.match((await client.line()) ?? 'closed', greeting);
  return client;
}

/** Lines of a multi-line reply. */
async function rows(client: Client, command: string): Promise<string[]> {
  client.write(`${command}\r\n`);
  assert.match((await client.line()) ?? 'closed', /^\+OK/);
  const found: string[] = [];
  for (let line = await client.line(); line !== '.'; line = await client.line()) found.push(line ?? assert.fail('closed'));
  return found;
}

async function ehlo(client: Client, command: string): Promise<string[]> {
  client.write(`${command} client.example\r\n`);
  const found: string[] = [];
  do found.push((await client.line()) ?? assert.fail('closed'));
  while (found.at(-1)?.startsWith('250-'));
  return found;
}

test('language, default_domain, login_delimiters, password_kind, passwd_file, mechanisms, max_failures, failure_delay_ms, log.level', async (t) => {
  const tree = treeWith(t, 'abc:secret:UID:GID::.:');
  mkdirSync(join(tree.folder, 'virtual/kvt.dk/mail'));
  writeFileSync(join(tree.folder, 'virtual/kvt.dk/mail/boxes'), readFileSync(join(tree.folder, 'virtual/kvt.dk/passwd')));
  rmSync(join(tree.folder, 'virtual/kvt.dk/passwd'));
  tree.own();
  const server = await serving(t, {
    tree,
    protocols: ['pop3'],
    settings: {
      '': ['language = "da"'],
      directory: ['default_domain = "kvt.dk"', 'login_delimiters = "!"', 'password_kind = "plain"', 'passwd_file = "mail/boxes"'],
      login: ['mechanisms = ["CRAM-MD5"]', 'max_failures = 2', 'failure_delay_ms = 1'],
      log: ['level = "debug"'],
    },
  });
  for (const login of ['abc', 'abc!kvt.dk']) {
    const client = await greeted(t, server.ports.pop3, /^\+OK /);
    await client.play(
      `C: LANG *\nS: +OK da sproget er skiftet\nC: USER ${login}\nS: +OK nu adgangskoden\nC: PASS secret\nS: +OK 0 beskeder (0 oktetter)`,
    );
    await client.play('C: QUIT\nS: +OK farvel (postkassen er tom)\nS: (closed)');
  }
  const client = await greeted(t, server.ports.pop3, /^\+OK /);
  await client.play('C: LANG *\nS: +OK da sproget er skiftet');
  assert.deepEqual(
    (await rows(client, 'CAPA')).filter((row) => row.startsWith('SASL')),
    ['SASL CRAM-MD5'],
  );
  await client.play('C: AUTH PLAIN\nS: -ERR den mekanisme findes ikke');
  client.write('USER abc%kvt.dk\r\nPASS secret\r\n');
  assert.deepEqual([(await client.line())?.slice(0, 3), (await client.line())?.slice(0, 11)], ['+OK', '-ERR [AUTH]']);
  client.write('USER abc\r\nPASS wrong\r\n');
  assert.deepEqual(
    [(await client.line())?.slice(0, 3), await client.line(), await client.line()],
    ['+OK', '-ERR [AUTH] for mange mislykkede login, forbindelsen lukkes', undefined],
  );
  const delays = [1, 2].map(async (nth) => fieldsOf(await server.logged(/ net\.login-held-back /, nth)).get('ms'));
  assert.deepEqual(await Promise.all(delays), ['1', '2']);
});

test('expire_days, login_delay_s, login_options, status_header, home, addresses', async (t) => {
  const tree = treeWith(t, 'abc:{PLAIN}secret:UID:GID::HOME:', 'def:{PLAIN}secret:UID:GID::.:');
  const home = join(tree.folder, 'home');
  const passwd = join(tree.folder, 'virtual/kvt.dk/passwd');
  writeFileSync(passwd, readFileSync(passwd, 'utf8').replace('HOME', home));
  mkdirSync(join(home, 'Post'), { recursive: true });
  for (const file of [join(home, 'Post/kasse'), join(tree.folder, 'spool/kvt.dk/def')]) writeFileSync(file, message, { mode: 0o600 });
  tree.own();
  const server = await serving(t, {
    tree,
    protocols: ['pop3'],
    settings: {
      mailboxes: ['home = "Post/kasse"', 'status_header = "always"'],
      login: ['login_options = false', 'failure_delay_ms = 0'],
      pop3: ['expire_days = 0', 'login_delay_s = 3600'],
      addresses: ['"127.0.0.1" = "kvt.dk"'],
    },
  });
  const client = await greeted(t, server.ports.pop3, /^\+OK /);
  const capabilities = await rows(client, 'CAPA');
  assert.ok(capabilities.includes('EXPIRE 0 USER') && capabilities.includes('LOGIN-DELAY 3600'), capabilities.join(' '));
  client.write('USER s-abc\r\nPASS secret\r\nUSER abc\r\nPASS secret\r\n');
  const replies = [await client.line(), await client.line(), await client.line(), await client.line()];
  assert.deepEqual(
    replies.map((reply) => reply?.slice(0, 4)),
    ['+OK ', '-ERR', '+OK ', '+OK '],
  );
  // EXPIRE 0: what has been fetched is gone at QUIT. RFC 2449 section 6.7.
  await rows(client, 'RETR 1');
  await client.play('C: QUIT\nS: +OK goodbye (maildrop empty)\nS: (closed)');
  assert.equal(readFileSync(join(home, 'Post/kasse'), 'latin1'), '');

  const again = await greeted(t, server.ports.pop3, /^\+OK /);
  again.write('USER abc\r\nPASS secret\r\n');
  await again.line();
  assert.match((await again.line()) ?? 'closed', /^-ERR \[LOGIN-DELAY\] /);
});

test('status_header = "always": a message that was read says so, though nothing was removed', async (t) => {
  const tree = treeWith(t, 'abc:{PLAIN}secret:UID:GID::.:');
  const mailbox = join(tree.folder, 'spool/kvt.dk/abc');
  writeFileSync(mailbox, message, { mode: 0o600 });
  tree.own();
  const server = await serving(t, { tree, protocols: ['pop3'], settings: { mailboxes: ['status_header = "always"'] } });
  const client = await greeted(t, server.ports.pop3, /^\+OK /);
  client.write('USER abc@kvt.dk\r\nPASS secret\r\n');
  await client.line();
  await client.line();
  await rows(client, 'RETR 1');
  await client.play('C: QUIT\nS: +OK goodbye (1 message left)\nS: (closed)');
  assert.equal(readFileSync(mailbox, 'latin1'), message.replace('\n\nHello', '\nStatus: RO\n\nHello'));
});

test('plaintext_networks, min_version, tls.names, certificate', async (t) => {
  const tree = treeWith(t, 'abc:{PLAIN}secret:UID:GID::.:');
  const pem = async (name: string) => {
    const made = await generate([{ name: 'commonName', value: name }], { keyType: 'ec', algorithm: 'sha256' });
    writeFileSync(join(tree.folder, `${name}.pem`), `${made.cert.trim()}\n${made.private.trim()}\n`, { mode: 0o600 });
    return [`certificate = "${name}.pem"`, `key = "${name}.pem"`];
  };
  const settings = {
    login: ['plaintext_networks = ["192.0.2.0/24"]'],
    tls: ['min_version = "1.3"', ...(await pem('default.example'))],
    'tls.names."other.example"': await pem('other.example'),
  };
  tree.own();
  const server = await serving(t, { tree, protocols: ['pop3', 'pop3s'], settings });
  const client = await greeted(t, server.ports.pop3, /^\+OK /);
  assert.ok(!(await rows(client, 'CAPA')).includes('USER'));
  await client.play('C: USER abc@kvt.dk\nS: -ERR no passwords without encryption here: use STLS first, or the POP3S port');

  const target = { port: server.ports.pop3s, host: '127.0.0.1', rejectUnauthorized: false };
  const old = connectTls({ ...target, maxVersion: 'TLSv1.2' });
  const [error] = (await once(old, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
  for (const [servername, subject] of [
    ['', 'CN=default.example'],
    ['other.example', 'CN=other.example'],
  ] as const) {
    const socket = connectTls({ ...target, servername });
    await once(socket, 'secureConnect');
    assert.deepEqual([socket.getProtocol(), socket.getPeerX509Certificate()?.subject], ['TLSv1.3', subject]);
    socket.destroy();
  }
});

test('recipient_delimiter, max_message_octets, max_recipients, format, root', async (t) => {
  const tree = treeWith(t, 'abc:{PLAIN}secret:UID:GID::.:');
  const server = await serving(t, {
    tree,
    protocols: ['lmtp', 'smtp'],
    settings: {
      mailboxes: ['format = "maildir"'],
      delivery: ['recipient_delimiter = "-"', 'max_message_octets = 2048', 'max_recipients = 1'],
    },
  });
  const client = await greeted(t, server.ports.lmtp, /^220 /);
  assert.ok((await ehlo(client, 'LHLO')).includes('250 SIZE 2048'));
  await client.play(`C: MAIL FROM:<>
    S: 250 2.1.0 Accepted
    C: RCPT TO:<abc+tag@kvt.dk>
    S: 550 5.1.1 no such user here
    C: RCPT TO:<abc-tag@kvt.dk>
    S: 250 2.1.5 Accepted
    C: RCPT TO:<abc@kvt.dk>
    S: 452 4.5.3 too many recipients
    C: DATA`);
  assert.match((await client.line()) ?? 'closed', /^354 /);
  client.write('Subject: one\r\n\r\n.\r\n');
  assert.match((await client.line()) ?? 'closed', /^250 2\.0\.0 /);
  assert.ok(existsSync(join(tree.folder, 'spool/kvt.dk/abc/new')));
  const smtp = await greeted(t, server.ports.smtp, /^220 /);
  assert.ok((await ehlo(smtp, 'EHLO')).some((line) => line.endsWith('SIZE 2048')));
});

test('idle_timeout_s of both, limits, proxy_protocol_from, log.format, log.to', async (t) => {
  const folder = treeWith(t, 'abc:{PLAIN}secret:UID:GID::.:').folder;
  const ports = { pop3: await freePort(), pop3s: 0, lmtp: await freePort(), smtp: 0 };
  const settingsFile = join(folder, 'postkasse.toml');
  writeFileSync(
    settingsFile,
    `state_dir = "state"
run_dir = "run"
fronts = 1
${isRoot ? `user = "${owner.uid}"\ngroup = "${owner.gid}"` : ''}
[directory]
root = "virtual"
[mailboxes]
root = "spool"
[pop3]
idle_timeout_s = 1
[delivery]
idle_timeout_s = 1
[limits]
connections = 3
connections_per_source = 1
[log]
format = "json"
to = "stdout"
[[listen]]
protocol = "pop3"
address = "127.0.0.1:${ports.pop3}"
proxy_protocol_from = ["127.0.0.1/32"]
[[listen]]
protocol = "lmtp"
address = "127.0.0.1:${ports.lmtp}"
`,
  );
  const server: Server = endedAfter(t, await serve(settingsFile, ports));
  const proxied = (source: string): Client => {
    const client = clientOf(t, { port: ports.pop3 });
    client.write(`PROXY TCP4 ${source} 198.51.100.1 40000 110\r\n`);
    return client;
  };
  const first = proxied('192.0.2.1');
  assert.match((await first.line()) ?? 'closed', /^\+OK /);
  const second = proxied('192.0.2.1');
  assert.match((await second.line()) ?? 'closed', /^-ERR \[SYS\/TEMP\] too many connections/);
  await second.end();
  const others = [proxied('192.0.2.2'), proxied('192.0.2.3')];
  for (const other of others) assert.match((await other.line()) ?? 'closed', /^\+OK /);
  assert.match((await proxied('192.0.2.4').line()) ?? 'closed', /^-ERR \[SYS\/TEMP\] too many connections/);
  const deliverer = await greeted(t, ports.lmtp, /^220 /);
  // RFC 1939 section 3: no reply, no update.
  assert.equal(await first.line(), undefined);
  for (let line = await deliverer.line(); line !== undefined; line = await deliverer.line()) assert.match(line, /^421 /);

  assert.equal(server.log(), '');
  const timeout = JSON.parse(await server.logged(/"event":"net\.timeout"/));
  assert.deepEqual([timeout.level, timeout.event, timeout.address, timeout.state], ['info', 'net.timeout', '192.0.2.1', 'AUTHORIZATION']);
});

test('min_uid, system_spool and system_users: as explain tells them', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'virtual/kvt.dk'), { recursive: true });
  writeFileSync(join(folder, 'virtual/kvt.dk/passwd'), `abc:{PLAIN}secret:${owner.uid}:${owner.gid}::.:\n`);
  const explain = async (name: string, ...directory: string[]) => {
    const file = join(folder, 'postkasse.toml');
    const who = isRoot ? `user = "${owner.uid}"\ngroup = "${owner.gid}"\n` : '';
    writeFileSync(
      file,
      `${who}[directory]\nroot = "virtual"\n${directory.join('\n')}\n[mailboxes]\nroot = "spool"\nsystem_spool = "system"\n`,
    );
    return postkasse(['explain', name, '--config', file]);
  };
  chmodSync(folder, 0o755);
  const allowed = await explain('abc@kvt.dk', `min_uid = ${owner.uid}`);
  assert.deepEqual([allowed.status, allowed.err], [0, '']);
  const refused = await explain('abc@kvt.dk', `min_uid = ${owner.uid + 1}`);
  // Nobody logs in, and mail waits until the line is put right.
  assert.equal(refused.status, 75);
  assert.match(
    refused.out,
    /^account: refused: .+\n\nmail for abc@kvt\.dk:\n(?: .+\n)+ {2}defer: accounts can not be looked up just now\n$/m,
  );
  const absent = await explain('games');
  assert.equal(absent.status, 67);
  const system = await explain('games', 'system_users = true');
  assert.ok(system.out.endsWith(`mailbox: ${join(folder, 'system', 'games')} (mbox, not there yet)\n`), system.out + system.err);
});
