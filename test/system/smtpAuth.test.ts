/** A real Postfix asks us who its SMTP clients are: `smtpd_sasl_type = dovecot`. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { selfSignedFiles } from '../../src/net/selfSigned.ts';
import { proof } from '../dialogues/proofs.ts';
import { Client } from '../support/socketDialogue.ts';
import { MailClient } from './support/mailClient.ts';
import { noPostfix, type Postfix, startPostfix } from './support/postfix.ts';
import { fieldsOf } from './support/processes.ts';
import { missing, run } from './support/programs.ts';
import { makeTree, type Server, startServer, type Tree } from './support/server.ts';

const skip = noPostfix;
const options = { skip, timeout: 60_000 };
const password = 'secret';
const mechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'CRAM-MD5', 'PLAIN', 'LOGIN'];

let tree: Tree;
let server: Server;
let postfix: Postfix;

before(async () => {
  if (skip) return;
  const users = ['abc', 'fetches', 'gone'];
  tree = makeTree({ passwd: new Map([['kvt.dk', users.map((user) => `${user}:{PLAIN}${password}:UID:GID::.:`)]]) });
  chmodSync(tree.folder, 0o755);
  const accounts = join(tree.folder, 'virtual', 'kvt.dk', 'accounts');
  mkdirSync(accounts);
  writeFileSync(join(accounts, 'fetches.toml'), 'services = ["pop3", "receive"]\n');
  writeFileSync(join(accounts, 'gone.toml'), 'disabled = true\n');
  tree.own();
  const saslSocket = join(tree.folder, 'run', 'auth');
  const lookups = join(tree.folder, 'run', 'lookups');
  server = await startServer({
    tree,
    protocols: ['pop3'],
    saslSocket,
    listeners: [['protocol = "socketmap"', `address = "unix:${lookups}"`]],
    settings: {
      login: ['failure_delay_ms = 100', 'plaintext_networks = ["127.0.0.0/8", "198.51.100.0/24"]', 'max_failures = 100'],
      log: ['level = "debug"'],
    },
  });
  const { certificate } = await selfSignedFiles(join(tree.folder, 'tls'), 'mx.example.org', new Date());
  postfix = await startPostfix({
    folder: join(tree.folder, 'postfix'),
    main: [
      'mydestination =',
      'local_recipient_maps =',
      'smtpd_sasl_auth_enable = yes',
      'smtpd_sasl_type = dovecot',
      `smtpd_sasl_path = ${saslSocket}`,
      'smtpd_tls_security_level = may',
      `smtpd_tls_cert_file = ${certificate}`,
      `smtpd_tls_key_file = ${certificate}`,
      'smtpd_relay_restrictions = permit_sasl_authenticated, reject',
      'smtpd_authorized_xclient_hosts = 127.0.0.0/8',
      // As many guesses on a connection as a test wants, and no pause between them.
      'smtpd_hard_error_limit = 1000',
      'smtpd_soft_error_limit = 1000',
      'default_transport = discard',
      'relay_transport = discard',
      `smtpd_sender_login_maps = socketmap:unix:${lookups}:senders`,
    ],
    secondPort: ['smtpd_sender_restrictions=reject_sender_login_mismatch'],
  });
});

after(async () => {
  if (skip) return;
  await postfix?.stop();
  const status = await server?.stop();
  tree?.remove();
  assert.equal(status, 0);
});

/** From that address, as far as Postfix and we are concerned. */
async function smtpFrom(address: string): Promise<MailClient> {
  const client = await MailClient.connect('smtp', { port: postfix.port, host: '127.0.0.1' });
  assert.match(await client.command(`XCLIENT ADDR=${address} NAME=[UNAVAILABLE]`), /^220 /);
  assert.match(await client.command('EHLO client.example.org'), /^250/);
  return client;
}

async function auth(client: MailClient, mechanism: string, login: string, secret: string): Promise<string> {
  const heard: string[] = [];
  const said = async (line: string) => {
    const reply = await client.command(proof(line, heard));
    if (reply.startsWith('334 ')) heard.push(`+ ${reply.slice(4)}`);
    return reply;
  };
  if (mechanism === 'PLAIN') return said(`AUTH PLAIN {base64 \\0${login}\\0${secret}}`);
  if (mechanism === 'LOGIN') {
    await said('AUTH LOGIN');
    await said(`{base64 ${login}}`);
    return said(`{base64 ${secret}}`);
  }
  if (mechanism === 'CRAM-MD5') {
    await said('AUTH CRAM-MD5');
    return said(`{cram-md5 ${login} ${secret}}`);
  }
  const kind = mechanism.toLowerCase();
  await said(`AUTH ${mechanism} {${kind} first ${login}}`);
  const last = await said(`{${kind} final ${login} ${secret}}`);
  return last.startsWith('334 ') ? said('') : last;
}

const success = '235 2.7.0 Authentication successful';
const failure = '535 5.7.8 Error: authentication failed: wrong name or password';

test('Postfix announces what every account can honour, and lets in who shows it by any of these mechanisms', options, async () => {
  const client = await smtpFrom('198.51.100.1');
  const announced = (await client.command('EHLO client.example.org')).split('\n').find((line) => line.startsWith('250-AUTH '));
  assert.deepEqual(announced?.slice(9).split(' '), mechanisms);
  await client.close();
  for (const mechanism of mechanisms) {
    const good = await smtpFrom('198.51.100.1');
    assert.equal(await auth(good, mechanism, 'abc@kvt.dk', password), success, mechanism);
    const { recipients, replies } = await good.send({
      from: 'abc@kvt.dk',
      to: ['far@example.com'],
      content: Buffer.from('Subject: x\r\n\r\nx\r\n'),
    });
    assert.match([...recipients, ...replies].join(), /^250 .*,250 /);
    await good.close();
    await postfix.logged(new RegExp(`sasl_method=${mechanism}, sasl_username=abc@kvt\\.dk`));
    const fields = fieldsOf(await server.logged(new RegExp(` smtp-auth\\.login .*method=${mechanism} `)));
    assert.deepEqual(
      ['remote', 'mailbox', 'tls'].map((name) => fields.get(name)),
      ['198.51.100.1', 'abc@kvt.dk', 'false'],
    );
  }
});

test('a wrong password, an account that is closed and one that may not send hear the same', options, async () => {
  for (const [n, mechanism] of mechanisms.entries()) {
    const client = await smtpFrom(`198.51.100.${10 + n}`);
    for (const [login, secret] of [
      ['abc@kvt.dk', 'wrong'],
      ['nobody@kvt.dk', password],
      ['fetches@kvt.dk', password],
      ['gone@kvt.dk', password],
    ] as const) {
      assert.equal(await auth(client, mechanism, login, secret), failure, `${mechanism} ${login}`);
    }
    assert.match(await client.command('MAIL FROM:<abc@kvt.dk>'), /^250 /);
    assert.match(await client.command('RCPT TO:<far@example.com>'), /^554 5\.7\.1 /);
    await client.close();
  }
});

test('wrong passwords are slowed down, by where the SMTP client comes from, together with those over POP3', options, async () => {
  const before = server.log().split(' smtp-auth.held-back ').length - 1;
  const client = await smtpFrom('198.51.100.30');
  const other = await smtpFrom('198.51.100.31');
  const guesses = [
    [client, 'one', 100],
    [client, 'two', 200],
    [client, 'three', 400],
    [other, 'one', 100],
  ] as const;
  for (const [n, [from, secret, waitMs]] of guesses.entries()) {
    const startedAt = performance.now();
    assert.equal(await auth(from, 'PLAIN', 'nobody@kvt.dk', secret), failure);
    // No sooner, however little the work took; and what it took is part of the wait.
    assert.ok(performance.now() - startedAt >= waitMs - 2);
    const heldBack = fieldsOf(await server.logged(/ smtp-auth\.held-back /, before + n + 1)).get('ms');
    assert.ok(Number(heldBack) <= waitMs, `${heldBack} of ${waitMs}`);
  }
  assert.equal(await auth(client, 'PLAIN', 'abc@kvt.dk', password), success);
  await Promise.all([client.close(), other.close()]);

  const local = await MailClient.connect('smtp', { port: postfix.port, host: '127.0.0.1' });
  for (const secret of ['one', 'two', 'three']) assert.equal(await auth(local, 'PLAIN', 'nobody@kvt.dk', secret), failure);
  await local.close();
  const pop3 = new Client({ port: server.ports.pop3, host: '127.0.0.1' });
  await pop3.line();
  pop3.write('USER nobody@kvt.dk\r\nPASS four\r\n');
  assert.deepEqual([await pop3.line(), await pop3.line()], ['+OK now the password', '-ERR [AUTH] authentication failed']);
  await pop3.end();
  const held = fieldsOf(await server.logged(/ net\.login-held-back /)).get('ms');
  assert.equal(held, '800');
});

test('who is logged in sends as themselves and as nobody else', options, async () => {
  const client = await MailClient.connect('smtp', { port: postfix.secondPort, host: '127.0.0.1' });
  assert.equal(await auth(client, 'PLAIN', 'ABC%kvt.dk', password), success);
  for (const [sender, reply] of [
    ['abc@kvt.dk', /^250 /],
    ['fetches@kvt.dk', /^553 5\.7\.1 .*not owned by user abc@kvt\.dk/],
  ] as const) {
    assert.match(await client.command(`MAIL FROM:<${sender}>`), /^250 /);
    assert.match(await client.command('RCPT TO:<far@example.com>'), reply);
    assert.match(await client.command('RSET'), /^250 /);
  }
  await client.close();
});

test('the connection outlives a reload, and a restart costs no login', options, async () => {
  const client = await smtpFrom('198.51.100.40');
  assert.equal(await auth(client, 'PLAIN', 'abc@kvt.dk', password), success);
  process.kill(server.pid, 'SIGHUP');
  await server.logged(/ supervisor\.reloaded /);
  const again = await smtpFrom('198.51.100.40');
  assert.equal(await auth(again, 'LOGIN', 'abc@kvt.dk', password), success);
  await Promise.all([client.close(), again.close()]);
});

test('passwords cross encrypted only, and then they do', { ...options, skip: skip || missing('curl', 'curl') }, async () => {
  const home = tree.folder;
  const clear = await smtpFrom('203.0.113.1');
  assert.equal(
    await auth(clear, 'PLAIN', 'abc@kvt.dk', password),
    '535 5.7.8 Error: authentication failed: no passwords without encryption here: use TLS',
  );
  assert.equal(await auth(clear, 'CRAM-MD5', 'abc@kvt.dk', password), success);
  await clear.close();
  const url = `smtp://127.0.0.1:${postfix.port}`;
  const { status, said } = await run('curl', ['-sS', '--ssl-reqd', '-k', '-X', 'NOOP', '--user', `abc@kvt.dk:${password}`, url], { home });
  assert.equal(status, 0, said);
  // The only one here that is encrypted.
  assert.match(await server.logged(/ smtp-auth\.login .*tls=true/), / mailbox=abc@kvt\.dk /);
});

for (const mechanism of ['PLAIN', 'LOGIN', 'CRAM-MD5']) {
  test(`curl logs in by ${mechanism}`, { ...options, skip: skip || missing('curl', 'curl') }, async () => {
    const asking = (secret: string) =>
      run(
        'curl',
        ['-sS', '-X', 'NOOP', '--login-options', `AUTH=${mechanism}`, '--user', `abc@kvt.dk:${secret}`, `smtp://127.0.0.1:${postfix.port}`],
        {
          home: tree.folder,
        },
      );
    const good = await asking(password);
    assert.equal(good.status, 0, good.said);
    // CURLE_LOGIN_DENIED
    assert.equal((await asking('wrong')).status, 67);
  });

  test(`swaks logs in by ${mechanism}`, { ...options, skip: skip || missing('swaks', 'swaks') }, async () => {
    const asking = (secret: string) =>
      run(
        'swaks',
        [
          '--server',
          `127.0.0.1:${postfix.port}`,
          '--auth',
          mechanism,
          '--auth-user',
          'abc@kvt.dk',
          '--auth-password',
          secret,
          '--quit-after',
          'AUTH',
        ],
        {
          home: tree.folder,
        },
      );
    const good = await asking(password);
    assert.equal(good.status, 0, good.out.toString());
    // "No authentication attempted or succeeded".
    assert.equal((await asking('wrong')).status, 28);
  });
}

test('while we are not there, Postfix says "try again later"', options, async () => {
  const client = await smtpFrom('198.51.100.50');
  assert.equal(await auth(client, 'PLAIN', 'abc@kvt.dk', password), success);
  await client.close();
  const next = await smtpFrom('198.51.100.50');
  assert.equal(await server.stop(), 0);
  await server.gone();
  assert.match(await auth(next, 'PLAIN', 'abc@kvt.dk', password), /^(454|421) /);
  server = await server.restart();
  const later = await smtpFrom('198.51.100.50');
  assert.equal(await auth(later, 'PLAIN', 'abc@kvt.dk', password), success);
  await Promise.all([next.close(), later.close()]);
});
