/** A real Postfix asks us: its postmap each table, and its smtpd at RCPT, over socketmap, tcp_table and the policy service. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { MailClient } from './support/mailClient.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { noPostfix, type Postfix, startPostfix } from './support/postfix.ts';
import { freePort, makeTree, type Server, startServer, type Tree } from './support/server.ts';

const skip = noPostfix;
const options = { skip, timeout: 60_000 };

let tree: Tree;
let server: Server;
let postfix: Postfix;
let tcpPort: number;
const map = (name: string) => `socketmap:unix:${join(tree.folder, 'run', 'lookups')}:${name}`;

before(async () => {
  if (skip) return;
  const line = (user: string) => `${user}:{PLAIN}secret:UID:GID::.:`;
  tree = makeTree({
    passwd: new Map([
      ['kvt.dk', [line('abc'), line('kvt'), line('shut'), line('gone')]],
      ['catch.example', [line('postmaster')]],
    ]),
  });
  chmodSync(tree.folder, 0o755);
  writeFileSync(join(tree.folder, 'virtual', 'catch.example', 'domain.toml'), 'unknown_users = "postmaster"\n');
  mkdirSync(join(tree.folder, 'virtual', 'kvt.dk', 'accounts'));
  writeFileSync(join(tree.folder, 'virtual', 'kvt.dk', 'accounts', 'shut.toml'), 'services = ["pop3", "smtp-auth"]\n');
  writeFileSync(join(tree.folder, 'virtual', 'kvt.dk', 'accounts', 'gone.toml'), 'disabled = true\n');
  tree.own();
  tcpPort = await freePort();
  const run = (name: string) => join(tree.folder, 'run', name);
  server = await startServer({
    tree,
    protocols: ['pop3'],
    lmtpSocket: run('lmtp'),
    saslSocket: run('auth'),
    settings: { login: ['failure_delay_ms = 0'] },
    listeners: [
      ['protocol = "socketmap"', `address = "unix:${run('lookups')}"`],
      ['protocol = "tcp-table"', `address = "127.0.0.1:${tcpPort}"`, 'map = "mailboxes"'],
      ['protocol = "policy"', `address = "unix:${run('policy')}"`],
    ],
  });
  postfix = await startPostfix({
    folder: join(tree.folder, 'postfix'),
    main: [
      'mydestination =',
      'recipient_delimiter = +',
      `virtual_mailbox_domains = ${map('domains')}`,
      `virtual_mailbox_maps = ${map('mailboxes')}`,
      `virtual_transport = lmtp:unix:${run('lmtp')}`,
      'smtpd_sasl_auth_enable = yes',
      'smtpd_sasl_type = dovecot',
      `smtpd_sasl_path = ${run('auth')}`,
      `smtpd_sender_login_maps = ${map('senders')}`,
      'smtpd_sender_restrictions = reject_sender_login_mismatch',
      'smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination',
      'smtpd_recipient_restrictions =',
    ],
    secondPort: ['smtpd_reject_unlisted_recipient=no', `smtpd_recipient_restrictions=check_policy_service,unix:${run('policy')}`],
  });
});

after(async () => {
  if (skip) return;
  await postfix?.stop();
  const status = await server?.stop();
  tree?.remove();
  assert.equal(status, 0);
});

test('postmap asks each table over socketmap', options, async () => {
  const cases: [string, string, string][] = [
    ['domains', 'kvt.dk', 'OK\n'],
    ['domains', 'elsewhere.example', ''],
    ['mailboxes', 'abc@kvt.dk', 'OK\n'],
    ['mailboxes', 'abc+tag@kvt.dk', 'OK\n'],
    ['mailboxes', 'nobody@kvt.dk', ''],
    ['mailboxes', 'shut@kvt.dk', ''],
    ['mailboxes', 'any body@catch.example', ''],
    ['mailboxes', '"any body"@catch.example', 'OK\n'],
    ['aliases', 'anybody@catch.example', 'postmaster@catch.example\n'],
    ['aliases', 'abc@kvt.dk', ''],
    ['transport', 'kvt.dk', `lmtp:unix:${join(tree.folder, 'run', 'lmtp')}\n`],
    ['senders', 'abc@kvt.dk', 'abc@kvt.dk\n'],
    // What takes no mail may still send, and who is disabled may not.
    ['senders', 'shut@kvt.dk', 'shut@kvt.dk\n'],
    ['senders', 'gone@kvt.dk', ''],
    ['mailboxes', 'gone@kvt.dk', 'OK\n'],
    ['recent-logins', '127.0.0.1', ''],
  ];
  for (const [name, key, value] of cases) {
    const { status, out } = await postmap(['-q', key, map(name)]);
    assert.deepEqual({ out, status }, { out: value, status: value === '' ? 1 : 0 }, `${name} ${key}`);
  }
});

test('a table that does not exist is an error, and not an answer', options, async () => {
  const { status, err } = await postmap(['-q', 'kvt.dk', map('nothing')]);
  assert.equal(status, 1);
  assert.match(err, /there is no table of that name/);
});

test('many keys go over one connection', options, async () => {
  const keys = Array.from({ length: 2000 }, (_, n) => (n % 2 === 0 ? `abc+${n}@kvt.dk` : `nobody${n}@kvt.dk`));
  for (const table of [map('mailboxes'), `tcp:127.0.0.1:${tcpPort}`]) {
    const { out } = await postmap(['-q', '-', table], `${keys.join('\n')}\n`);
    const found = keys.filter((key) => key.startsWith('abc'));
    assert.equal(out, found.map((key) => `${key}\tOK\n`).join(''), table);
  }
});

test('tcp_table answers for its one map', options, async () => {
  const cases: [string, string][] = [
    ['abc@kvt.dk', 'OK\n'],
    ['"any body%"@catch.example', 'OK\n'],
    ['nobody@kvt.dk', ''],
  ];
  for (const [key, value] of cases) {
    const { status, out } = await postmap(['-q', key, `tcp:127.0.0.1:${tcpPort}`]);
    assert.deepEqual({ out, status }, { out: value, status: value === '' ? 1 : 0 }, key);
  }
});

test('smtpd refuses at RCPT who is not in the table, and delivers to who is', options, async () => {
  const replies = await rcpt(postfix.port, [
    'nobody@kvt.dk',
    'shut@kvt.dk',
    'x@elsewhere.example',
    'abc+tag@kvt.dk',
    'anybody@catch.example',
  ]);
  assert.deepEqual(
    replies.map((reply) => reply.slice(0, 9)),
    ['550 5.1.1', '550 5.1.1', '554 5.7.1', '250 2.1.5', '250 2.1.5'],
  );
  const done = postfix.logged(/ status=sent /, 1);
  const client = await MailClient.connect('smtp', { port: postfix.port, host: '127.0.0.1' });
  const { replies: sent } = await client.send({
    from: 'ada@example.org',
    to: ['kvt@kvt.dk'],
    content: Buffer.from('Subject: hello\r\n\r\nx\r\n'),
  });
  assert.match(sent[0] ?? '', /^250 /);
  await client.close();
  await done;
  const pop = await Pop3Client.login(server.ports.pop3, 'kvt@kvt.dk', 'secret');
  assert.equal((await pop?.uniqueIds())?.length, 1);
  await pop?.ok('QUIT');
});

test('the policy service says the same at RCPT', options, async () => {
  const replies = await rcpt(postfix.secondPort, ['nobody@kvt.dk', 'shut@kvt.dk', 'abc@kvt.dk', 'anybody@catch.example']);
  assert.deepEqual(replies, [
    '554 5.1.1 <nobody@kvt.dk>: Recipient address rejected: no such user here',
    '554 5.2.1 <shut@kvt.dk>: Recipient address rejected: this mailbox takes no mail',
    '250 2.1.5 Ok',
    '250 2.1.5 Ok',
  ]);
});

test('smtpd lets nobody send as somebody else', options, async () => {
  const mismatch = (sender: string) => `553 5.7.1 <${sender}>: Sender address rejected: not owned by user abc@kvt.dk`;
  const stranger = (sender: string) => `553 5.7.1 <${sender}>: Sender address rejected: not logged in`;
  const cases: [login: string | undefined, sender: string, reply: string][] = [
    ['abc@kvt.dk', 'abc@kvt.dk', '250 2.1.5 Ok'],
    ['abc@kvt.dk', 'abc+tag@kvt.dk', '250 2.1.5 Ok'],
    ['ABC%KVT.DK', 'abc@kvt.dk', '250 2.1.5 Ok'],
    ['abc@kvt.dk', 'kvt@kvt.dk', mismatch('kvt@kvt.dk')],
    ['abc@kvt.dk', 'gone@kvt.dk', mismatch('gone@kvt.dk')],
    ['abc@kvt.dk', 'anybody@catch.example', mismatch('anybody@catch.example')],
    ['abc@kvt.dk', 'ada@example.org', mismatch('ada@example.org')],
    ['postmaster@catch.example', 'anybody@catch.example', '250 2.1.5 Ok'],
    ['shut@kvt.dk', 'shut@kvt.dk', '250 2.1.5 Ok'],
    [undefined, 'abc@kvt.dk', stranger('abc@kvt.dk')],
    [undefined, 'ada@example.org', '250 2.1.5 Ok'],
  ];
  for (const [login, sender, reply] of cases)
    assert.deepEqual(await rcpt(postfix.port, ['kvt@kvt.dk'], { sender, login }), [reply], `${login} as ${sender}`);
});

test('a reload of our settings is nothing that a client of Postfix notices', options, async () => {
  for (const port of [postfix.port, postfix.secondPort]) {
    const client = await MailClient.connect('smtp', { port, host: '127.0.0.1' });
    await client.command('MAIL FROM:<ada@example.org>');
    assert.match(await client.command('RCPT TO:<abc+1@kvt.dk>'), /^250 /);
    const reloads = server.log().split(' supervisor.reloaded ').length;
    process.kill(server.pid, 'SIGHUP');
    await server.logged(/ supervisor\.reloaded /, reloads);
    assert.match(await client.command('RCPT TO:<abc+2@kvt.dk>'), /^250 /);
    assert.match(await client.command('RCPT TO:<nobody@kvt.dk>'), /^55\d 5\.1\.1 /);
    await client.command('QUIT');
    await client.close();
  }
});

test('what can not be told just now is put off, and so is everything while we are stopped; nothing is refused', options, async () => {
  const toml = join(tree.folder, 'virtual', 'kvt.dk', 'domain.toml');
  writeFileSync(toml, 'this is no TOML\n');
  tree.own(toml);
  assert.match((await postmap(['-q', 'abc@kvt.dk', map('mailboxes')])).err, /lookup error|accounts can not be looked up/);
  for (const port of [postfix.port, postfix.secondPort]) {
    for (const reply of await rcpt(port, ['abc@kvt.dk', 'nobody@kvt.dk'])) assert.match(reply, /^45\d 4\.3\.0 /, String(port));
  }
  writeFileSync(toml, '');
  assert.equal(await server.stop(), 0);
  for (const port of [postfix.port, postfix.secondPort]) {
    for (const reply of await rcpt(port, ['abc@kvt.dk', 'nobody@kvt.dk'])) assert.match(reply, /^45\d 4\.3\./, String(port));
  }
  server = await server.restart();
  // Other addresses: that it couldn't tell the domain of one, an smtpd remembers for as long as it lives.
  assert.deepEqual(await rcpt(postfix.port, ['abc+back@kvt.dk', 'nobody+back@kvt.dk'], { sender: 'bob@example.org' }), [
    '250 2.1.5 Ok',
    '550 5.1.1 <nobody+back@kvt.dk>: Recipient address rejected: User unknown in virtual mailbox table',
  ]);
});

/** What RCPT is told for each, in one transaction. */
async function rcpt(
  port: number,
  recipients: readonly string[],
  { sender = 'ada@example.org', login }: { sender?: string; login?: string | undefined } = {},
): Promise<string[]> {
  const client = await MailClient.connect('smtp', { port, host: '127.0.0.1' });
  if (login !== undefined) {
    const response = Buffer.from(`\0${login}\0secret`).toString('base64');
    assert.match(await client.command(`AUTH PLAIN ${response}`), /^235 /);
  }
  await client.command(`MAIL FROM:<${sender}>`);
  const replies: string[] = [];
  for (const recipient of recipients) replies.push(await client.command(`RCPT TO:<${recipient}>`));
  await client.command('QUIT');
  await client.close();
  return replies;
}

async function postmap(words: readonly string[], input = ''): Promise<{ status: number | null; out: string; err: string }> {
  const child = spawn('postmap', ['-c', join(tree.folder, 'postfix', 'etc'), ...words], { stdio: 'pipe' });
  let out = '';
  let err = '';
  child.stdout.on('data', (octets: Buffer) => {
    out += octets.toString('latin1');
  });
  child.stderr.on('data', (octets: Buffer) => {
    err += octets.toString('latin1');
  });
  child.stdin.end(input);
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, out, err };
}
