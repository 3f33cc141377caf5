/** Full mailboxes behind a real Postfix: what its clients and senders are told, and that what became of each message is found again. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { postkasse } from './support/cli.ts';
import { MailClient } from './support/mailClient.ts';
import { delivered, loggedIn, makeFile, makeNumberedOwner, makeOwnersTree, needsRoot } from './support/owners.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { noPostfix, type Postfix, startPostfix } from './support/postfix.ts';
import { serving } from './support/processes.ts';
import { makeTree, type Server, type Tree } from './support/server.ts';

const limit = 20_000;

/** abc@kvt.dk and kvt@kvt.dk, an mbox and a Maildir, each with room for 20 kB; ny@kvt.dk without a limit. */
async function house(t: TestContext, whenFull: 'defer' | 'refuse'): Promise<{ tree: Tree; server: Server; postfix: Postfix }> {
  const line = (user: string) => `${user}:{PLAIN}secret:UID:GID::.:`;
  const tree = makeTree({ passwd: new Map([['kvt.dk', ['abc', 'kvt', 'ny'].map(line)]]) });
  chmodSync(tree.folder, 0o755);
  mkdirSync(join(tree.folder, 'spool', 'kvt.dk', 'kvt'));
  mkdirSync(join(tree.folder, 'virtual', 'kvt.dk', 'accounts'));
  for (const user of ['abc', 'kvt'])
    writeFileSync(join(tree.folder, 'virtual', 'kvt.dk', 'accounts', `${user}.toml`), `quota = "20 kB"\nlanguage = "da"\n`);
  writeFileSync(join(tree.folder, 'virtual', 'kvt.dk', 'aliases'), 'both: abc, kvt\n');
  tree.own();
  const settings = { quota: [`when_full = "${whenFull}"`], '': ['fronts = 1', 'hostname = "mail.kvt.dk"'] };
  const server = await serving(t, { tree, protocols: ['pop3', 'lmtp'], settings });
  const postfix = await startPostfix({
    folder: join(tree.folder, 'postfix'),
    main: ['mydestination =', 'virtual_mailbox_domains = kvt.dk', `virtual_transport = lmtp:inet:127.0.0.1:${server.ports.lmtp}`],
    secondPort: ['smtpd_recipient_restrictions=reject_unverified_recipient', 'unverified_recipient_reject_code=550'],
  });
  t.after(async () => {
    await postfix.stop();
    tree.remove();
  });
  return { tree, server, postfix };
}

async function sent({ port }: Pick<Postfix, 'port'>, from: string, to: string, name: string, octets = 100): Promise<void> {
  const client = await MailClient.connect('smtp', { port, host: '127.0.0.1' });
  const content = Buffer.from(
    `From: ${from}\r\nTo: ${to}\r\nSubject: ${name}\r\nMessage-ID: <${name}@example.org>\r\n\r\n${`${'x'.repeat(98)}\r\n`.repeat(octets / 100)}`,
  );
  const { replies } = await client.send({ from, to: [to], content });
  assert.match(replies[0] ?? '', /^250 /);
  await client.command('QUIT');
  await client.close();
}

const subjectsOf = async (server: Server, user: string): Promise<string[]> => {
  const client = await Pop3Client.login(server.ports.pop3, user, 'secret');
  assert.ok(client);
  const count = (await client.uniqueIds()).length;
  const subjects: string[] = [];
  for (let n = 1; n <= count; n++) subjects.push(/^Subject: (.*)\r$/m.exec((await client.retrieve(n)).toString('latin1'))?.[1] ?? '');
  await client.ok('QUIT');
  return subjects;
};

test('refused as set: the sender gets the mail back with 5.2.2, a client that is told at RCPT keeps it; the rest arrives', {
  skip: noPostfix,
  timeout: 120_000,
}, async (t) => {
  const { tree, server, postfix } = await house(t, 'refuse');
  await sent(postfix, 'ada@example.org', 'abc@kvt.dk', 'first', 18_500);
  await postfix.logged(/ to=<abc@kvt\.dk>, .* status=sent /);
  // Nearly full, and told so once.
  assert.deepEqual(await subjectsOf(server, 'abc@kvt.dk'), ['first', '=?utf-8?B?RGluIHBvc3RrYXM=?=']);

  // Postfix tells the size at MAIL: refused at RCPT, and its sender, ny@kvt.dk, has the report.
  await sent(postfix, 'ny@kvt.dk', 'abc@kvt.dk', 'too-much', 1000);
  const [bounced = ''] = await postfix.logged(/ to=<abc@kvt\.dk>, .* status=bounced /);
  assert.match(bounced, /dsn=5\.2\.2, .* said: 552 5\.2\.2 the mailbox is full \(in reply to RCPT TO command\)/);
  await postfix.logged(/ to=<ny@kvt\.dk>, .* status=sent /);

  // Asked before the message is taken.
  const client = await MailClient.connect('smtp', { port: postfix.secondPort, host: '127.0.0.1' });
  writeFileSync(
    join(tree.folder, 'spool', 'kvt.dk', 'abc'),
    `${readFileSync(join(tree.folder, 'spool', 'kvt.dk', 'abc'), 'latin1')}From x@y Thu Jan  1 00:00:00 2026\n\n${'y'.repeat(1000)}\n\n`,
  );
  await client.command('MAIL FROM:<ada@example.org>');
  assert.match(
    await client.command('RCPT TO:<abc@kvt.dk>'),
    /^550 5\.1\.1 <abc@kvt\.dk>: Recipient address rejected: .* said: 552 5\.2\.2 the mailbox is full/,
  );
  assert.match(await client.command('RCPT TO:<kvt@kvt.dk>'), /^250 /);
  await client.command('QUIT');
  await client.close();

  const queueId = /^.*? ([0-9A-Za-z]+): to=<abc@kvt\.dk>.* status=sent /m.exec(postfix.log())?.[1] ?? assert.fail();
  const config = ['--config', server.settingsFile];
  const byQueueId = await postkasse(['trace', queueId, ...config]);
  assert.equal(byQueueId.status, 0, byQueueId.err);
  const told = byQueueId.out
    .replace(/^\S+ \S+/, 'TIME')
    .replace(/message: \d+/, 'message: N')
    .replace(/here [0-9a-f]+\.\d+/, 'here ID');
  assert.equal(
    told,
    [
      'TIME delivered: from ada@example.org to abc@kvt.dk',
      '  rule: address: user abc, domain kvt.dk',
      '  rule: domain: kvt.dk',
      '  rule: account: abc@kvt.dk',
      '  goes to: abc@kvt.dk',
      '  message: N octets, <first@example.org>',
      `  from host 127.0.0.1, queue id ${queueId}, here ID`,
      '',
    ].join('\n'),
  );
  const byMessageId = await postkasse(['trace', '<first@example.org>', ...config]);
  assert.deepEqual(byMessageId.out, byQueueId.out);
  const arrived = await postkasse(['trace', '--recipient', 'ABC@kvt.dk', '--since', '1h', '--json', ...config]);
  const records = arrived.out.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as { result: string; why?: string }]));
  assert.deepEqual(
    records.map(({ result }) => result),
    ['delivered', 'refused', 'refused'],
  );
  assert.equal(records[1]?.why, '5.2.2 the mailbox is full');
  assert.deepEqual(await postkasse(['trace', 'NOSUCHID', ...config]), { status: 67, out: '', err: 'nothing is known of it\n' });
  const file = join(tree.folder, 'state', 'trace', `${new Date().toISOString().slice(0, 10)}.jsonl`);
  assert.equal(statSync(file).mode & 0o777, 0o600);

  const quota = await postkasse(['quota', 'abc@kvt.dk', ...config]);
  assert.match(quota.out, /^abc@kvt\.dk holds 2\d{4} octets \(2\d kB\)\nlimit: 20000 octets \(20 kB\), 1\d\d % of it used\n$/);
  const all = await postkasse(['quota', 'kvt.dk', ...config]);
  assert.match(all.out, /^kvt\.dk holds 2\d{4} octets \(2\d kB\)\nlimit: none\n$/);
});

test('deferred as set: the mail waits at Postfix and arrives when there is room, in a Maildir, and others have theirs once', {
  skip: noPostfix,
  timeout: 120_000,
}, async (t) => {
  const { server, postfix } = await house(t, 'defer');
  await sent(postfix, 'ada@example.org', 'kvt@kvt.dk', 'first', 17_000);
  await postfix.logged(/ to=<kvt@kvt\.dk>, .* status=sent /);
  await sent(postfix, 'ada@example.org', 'both@kvt.dk', 'second', 4000);
  const [deferred = ''] = await postfix.logged(/ to=<both@kvt\.dk>, .* status=deferred /);
  assert.match(deferred, /dsn=4\.2\.2, .* said: 452 4\.2\.2 the mailbox is full \(in reply to end of DATA command\)/);
  await postfix.flush();
  await postfix.logged(/ to=<both@kvt\.dk>, .* status=deferred /, 2);
  assert.deepEqual(await subjectsOf(server, 'abc@kvt.dk'), ['second']);
  assert.deepEqual(await subjectsOf(server, 'kvt@kvt.dk'), ['first']);

  const client = await Pop3Client.login(server.ports.pop3, 'kvt@kvt.dk', 'secret');
  await client?.ok('DELE 1');
  await client?.ok('QUIT');
  await postfix.flush();
  await postfix.logged(/ to=<both@kvt\.dk>, .* status=sent /);
  assert.deepEqual(await subjectsOf(server, 'kvt@kvt.dk'), ['second']);
  assert.deepEqual(await subjectsOf(server, 'abc@kvt.dk'), ['second']);
  assert.deepEqual(await postfix.queue(), []);
});

test("with an owner's process: told at RCPT, kept by that process, warned once, and the trace is the fronts'", {
  skip: needsRoot,
  timeout: 120_000,
}, async (t) => {
  const tree = makeOwnersTree(t);
  const owner = makeNumberedOwner(tree, 64321, 'one.example', ['ny:{PLAIN}secret']);
  const at = (...path: string[]) => join(tree.folder, 'virtual', 'one.example', ...path);
  makeFile(owner, at('accounts', 'abc.toml'), `quota = ${limit}\n`);
  makeFile(owner, at('domain.toml'), 'quota = 60000\n');
  makeFile(owner, owner.mailbox, `From x@y Thu Jan  1 00:00:00 2026\nSubject: old\n\n${'y'.repeat(limit - 100)}\n\n`);
  const settings = { '': ['fronts = 1'], owners: ['mode = "many"'] };
  const server = await serving(t, { tree, protocols: ['pop3', 'lmtp'], settings });
  assert.equal(await delivered(server, 'abc@one.example', 'one'), '452 4.2.2 the mailbox is full');
  makeFile(owner, owner.mailbox, `From x@y Thu Jan  1 00:00:00 2026\nSubject: old\n\n${'y'.repeat(limit - 1500)}\n\n`);
  assert.match(await delivered(server, 'abc@one.example', 'two'), /^250 /);
  const client = await loggedIn(server, 'abc@one.example');
  assert.equal((await client.uniqueIds()).length, 3);
  assert.match((await client.retrieve(3)).toString(), /^Subject: Your mailbox abc@one\.example is nearly full\r$/m);
  await client.ok('QUIT');
  await client.drop();
  // The domain has room for 60 kB.
  const mail = await MailClient.connect('lmtp', { port: server.ports.lmtp, host: '127.0.0.1' });
  const content = Buffer.from(`Subject: three\r\n\r\n${`${'y'.repeat(98)}\r\n`.repeat(380)}`);
  const sendThree = () => mail.send({ from: 'ada@example.org', to: ['ny@one.example'], content });
  assert.match((await sendThree()).replies[0] ?? '', /^250 /);
  assert.deepEqual(await sendThree(), { recipients: ['250 2.1.5 Accepted'], replies: ['452 4.2.2 the domain has no room left'] });
  await mail.close();

  const found = await postkasse(['trace', '--recipient', 'abc@one.example', '--config', server.settingsFile]);
  assert.deepEqual(found.out.match(/(?<=Z )[\w ]+(?=: from)/g), ['to be tried again', 'delivered'], found.err);
  assert.equal(statSync(join(tree.folder, 'state', 'fronts', 'trace')).mode & 0o777, 0o700);
  const quota = await postkasse(['quota', 'ny@one.example', '--config', server.settingsFile]);
  assert.match(
    quota.out,
    /^ny@one\.example holds 3[78]\d{3} octets \(3[78] kB\)\nlimit: none\none\.example holds 5[789]\d{3} octets \(\d\d kB\)\nlimit: 60000 octets \(60 kB\), 9\d % of it used\n$/,
  );
});
