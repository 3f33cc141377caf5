/** Return receipts on a real host: a message comes in through Postfix and is fetched by a real mail program, and the receipt goes out through Postfix, once. */
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { postkasse, type Ran } from './support/cli.ts';
import { MailClient } from './support/mailClient.ts';
import { makeFile, makeNumberedOwner, makeOwnersTree } from './support/owners.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { noPostfix, type Postfix, startPostfix } from './support/postfix.ts';
import { endedAfter, serving } from './support/processes.ts';
import { missing, run } from './support/programs.ts';
import { makeTree, type Server, type Tree } from './support/server.ts';

const skip = noPostfix || missing('curl', 'curl') || missing('fetchmail', 'fetchmail');
const options = { skip, timeout: 180_000 };
const password = 'secret';

/** Of the sender's host and of ours at once: receipts for ada@example.org come back to us. */
async function withPostfix(tree: Tree, work: (postfix: Postfix, lmtpSocket: string) => Promise<void>): Promise<void> {
  // Postfix's lmtp client and the mail itself belong to different users.
  chmodSync(tree.folder, 0o755);
  const lmtpSocket = join(tree.folder, 'run', 'lmtp');
  const postfix = await startPostfix({
    folder: join(tree.folder, 'postfix'),
    main: [
      'mydestination =',
      'virtual_mailbox_domains = kvt.dk, example.org',
      `virtual_transport = lmtp-one:unix:${lmtpSocket}`,
      'virtual_alias_maps = inline:{ alias@kvt.dk=abc@kvt.dk }',
    ],
  });
  try {
    await work(postfix, lmtpSocket);
  } finally {
    // Before the tree is removed, which is the first thing to be done after a test.
    await postfix.stop();
  }
}

function oneOwner(t: TestContext, policy: string): Tree {
  const line = (user: string) => `${user}:{PLAIN}${password}:UID:GID::.:`;
  const tree = makeTree({
    passwd: new Map([
      ['kvt.dk', [line('abc')]],
      ['example.org', [line('ada')]],
    ]),
  });
  t.after(() => tree.remove());
  writeFileSync(join(tree.folder, 'virtual', 'kvt.dk', 'domain.toml'), `receipts = "${policy}"\n`);
  tree.own();
  return tree;
}

function serverOf(t: TestContext, tree: Tree, lmtpSocket: string, smtpPort: number): Promise<Server> {
  const submission = ['via = "smtp"', `smtp = "127.0.0.1:${smtpPort}"`];
  return serving(t, { tree, protocols: ['pop3'], lmtpSocket, settings: { submission } });
}

/** Asks for a receipt. Resolves when it is in the mailbox. @param sender of the envelope */
async function sendAsking(postfix: Postfix, to: string, sender = 'ada@example.org'): Promise<void> {
  const client = await MailClient.connect('smtp', { port: postfix.port, host: '127.0.0.1' });
  const lines = ['From: Ada <ada@example.org>', `To: ${to}`, 'Subject: Hello', 'Message-ID: <1@example.org>'];
  const content = Buffer.from([...lines, 'Disposition-Notification-To: Ada <ada@example.org>', '', 'Hello.', ''].join('\r\n'));
  const { replies } = await client.send({ from: sender, to: [to], content });
  assert.match(replies.join(), /^250 /);
  await client.command('QUIT');
  await client.close();
  await postfix.logged(/ to=<abc@kvt\.dk>, .* status=sent /);
}

async function curlFetches(tree: Tree, { ports }: Server): Promise<void> {
  const url = `pop3://127.0.0.1:${ports.pop3}/1`;
  const { status, out, said } = await run('curl', ['-q', '-sS', '--max-time', '60', '-u', `abc@kvt.dk:${password}`, url], {
    home: tree.folder,
  });
  assert.deepEqual([status, said], [0, '']);
  assert.match(out.toString(), /\r\n\r\nHello\.\r\n$/);
}

/** Leaves it on the server, and forgets that it has had it. */
async function fetchmailFetches(tree: Tree, { ports }: Server): Promise<void> {
  const settings = [
    `set idfile "${join(tree.folder, 'ids')}"`,
    `poll localhost protocol pop3 service ${ports.pop3} auth password uidl`,
    `  user "abc@kvt.dk" there password "${password}" keep fetchall sslproto "" mda "cat >> ${join(tree.folder, 'fetched')}"`,
  ];
  writeFileSync(join(tree.folder, '.fetchmailrc'), `${settings.join('\n')}\n`, { mode: 0o600 });
  const { status, said } = await run('fetchmail', ['--nodetach', '--pidfile', join(tree.folder, 'pid')], { home: tree.folder });
  assert.equal(status, 0, said);
}

/** Everything that has come for ada. */
async function receipts({ ports }: Server): Promise<string[]> {
  const client = await Pop3Client.login(ports.pop3, 'ada@example.org', password);
  assert.ok(client);
  const all: string[] = [];
  for (let n = 1; n <= (await client.uniqueIds()).length; n += 1) all.push((await client.retrieve(n)).toString());
  await client.ok('QUIT');
  return all;
}

/** What a receipt says, and where it is from. */
function gist(receipt: string): string[] {
  const names =
    /^(?:Return-Path|X-Original-To|From|To|Auto-Submitted|Original-Recipient|Final-Recipient|Original-Message-ID|Disposition): .*$/gm;
  return (receipt.match(names) ?? []).map((line) => line.trim());
}

const automatic = [
  'Return-Path: <>',
  'X-Original-To: ada@example.org',
  'From: alias@kvt.dk',
  'To: ada@example.org',
  'Auto-Submitted: auto-replied',
  'Original-Recipient: rfc822;alias@kvt.dk',
  'Final-Recipient: rfc822;alias@kvt.dk',
  'Original-Message-ID: <1@example.org>',
  'Disposition: automatic-action/MDN-sent-automatically; processed',
  // The header of the message.
  'From: Ada <ada@example.org>',
  'To: alias@kvt.dk',
];

test('A1, A11: a message is fetched, and a receipt comes from <>, once, whoever fetches it again and whatever dies', options, async (t) => {
  const tree = oneOwner(t, 'always');
  await withPostfix(tree, async (postfix, lmtpSocket) => {
    let server = await serverOf(t, tree, lmtpSocket, postfix.port);
    await sendAsking(postfix, 'alias@kvt.dk');
    await curlFetches(tree, server);
    await server.logged(/ mdn\.sent /);
    await postfix.logged(/ to=<ada@example\.org>, .* status=sent /);
    assert.deepEqual((await receipts(server)).map(gist), [automatic]);

    await fetchmailFetches(tree, server);
    await killed(server);
    server = endedAfter(t, await server.restart());
    await curlFetches(tree, server);
    // It ends when everything that was fetched has been looked after.
    assert.equal(await server.stop(), 0);
    assert.doesNotMatch(server.log(), / mdn\./);
    server = endedAfter(t, await server.restart());
    assert.equal((await receipts(server)).length, 1);
    assert.deepEqual(await postfix.queue(), []);
  });
});

test('killed while the receipt is handed over: it is lost rather than doubled', options, async (t) => {
  const tree = oneOwner(t, 'always');
  await withPostfix(tree, async (postfix, lmtpSocket) => {
    const deaf = await deafMailServer(t);
    let server = await serverOf(t, tree, lmtpSocket, deaf.port);
    await sendAsking(postfix, 'alias@kvt.dk');
    await curlFetches(tree, server);
    await deaf.asked;
    await killed(server);

    server = await serverOf(t, tree, lmtpSocket, postfix.port);
    await curlFetches(tree, server);
    assert.equal(await server.stop(), 0);
    assert.doesNotMatch(server.log(), / mdn\./);
    assert.deepEqual(await postfix.queue(), []);
  });
});

test('many owners: it waits for the user with the worker of the owner, and goes out when the user says so', options, async (t) => {
  const tree = makeOwnersTree(t);
  const owner = makeNumberedOwner(tree, 64_810, 'kvt.dk');
  makeNumberedOwner(tree, 64_811, 'example.org', ['ada:{PLAIN}secret']);
  makeFile(owner, join(tree.folder, 'virtual', 'kvt.dk', 'accounts', 'abc.toml'), 'receipts = "ask"\nlanguage = "da"\n');
  await withPostfix(tree, async (postfix, lmtpSocket) => {
    const server = await serverOf(t, tree, lmtpSocket, postfix.port);
    await sendAsking(postfix, 'alias@kvt.dk');
    await curlFetches(tree, server);
    await server.logged(/ mdn\.waits /);
    assert.deepEqual(await receipts(server), []);

    const cli = (...words: string[]): Promise<Ran> => postkasse(['receipts', ...words, '--config', server.settingsFile]);
    const listed = await cli('list', 'abc@kvt.dk');
    assert.deepEqual([listed.status, listed.err], [0, '']);
    const [, id = ''] = /^([0-9a-f]{12}) {2}\S+Z {2}ada@example\.org {2}Hello\n$/.exec(listed.out) ?? [];
    assert.deepEqual(await cli('send', 'abc@kvt.dk', id), { status: 0, out: 'receipt sent to ada@example.org\n', err: '' });
    await postfix.logged(/ to=<ada@example\.org>, .* status=sent /);
    const [receipt = '', ...more] = await receipts(server);
    assert.deepEqual(more, []);
    assert.deepEqual(gist(receipt), automatic.with(8, 'Disposition: automatic-action/MDN-sent-manually; processed'));
    assert.match(receipt, /^Subject: Kvittering: Hello\r$/m);
    assert.equal((await cli('list', 'abc@kvt.dk')).out, '');

    assert.equal(await server.stop(), 0);
  });
});

/** All of its processes at once. */
async function killed(server: Server): Promise<void> {
  const fronts = server.fronts();
  await server.stop('SIGKILL');
  for (const pid of fronts) process.kill(pid, 'SIGKILL');
  await server.gone();
}

/** Takes a connection and says nothing. */
async function deafMailServer(t: TestContext): Promise<{ port: number; asked: Promise<void> }> {
  let asked = (): void => {};
  const first = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const server = createServer((socket) => {
    socket.on('error', () => {});
    asked();
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  return { port: address.port, asked: first };
}
