/** A real Postfix hands mail over by LMTP: what came in by SMTP comes out by POP3 as it was, and nothing is lost or bounced that needn't be. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { headerFields } from '../../src/message/header.ts';
import { MailClient, type Sent } from './support/mailClient.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { noPostfix, type Postfix, startPostfix } from './support/postfix.ts';
import { missing, run } from './support/programs.ts';
import { makeTree, type Server, startServer, type Tree } from './support/server.ts';

const skip = noPostfix;
const options = { skip, timeout: 180_000 };
const password = 'secret';
/** abc is an mbox, kvt a Maildir; mail to the second domain goes over the Unix socket. */
const users = ['abc@kvt.dk', 'kvt@kvt.dk', 'abc@socket.example'];
const maxMessageOctets = 2_000_000;

let tree: Tree;
let server: Server;
let postfix: Postfix;

before(async () => {
  if (skip) return;
  const line = (user: string) => `${user}:{PLAIN}${password}:UID:GID::.:`;
  tree = makeTree({
    passwd: new Map([
      ['kvt.dk', [line('abc'), line('kvt')]],
      ['socket.example', [line('abc')]],
    ]),
  });
  // Postfix's lmtp client and the mail itself belong to different users.
  chmodSync(tree.folder, 0o755);
  mkdirSync(join(tree.folder, 'spool', 'kvt.dk', 'kvt'));
  tree.own();
  const lmtpSocket = join(tree.folder, 'run', 'lmtp');
  server = await startServer({
    tree,
    protocols: ['pop3', 'lmtp'],
    lmtpSocket,
    settings: { delivery: [`max_message_octets = ${maxMessageOctets}`] },
  });
  postfix = await startPostfix({
    folder: join(tree.folder, 'postfix'),
    main: [
      'mydestination =',
      'virtual_mailbox_domains = kvt.dk, socket.example',
      `virtual_transport = lmtp:inet:127.0.0.1:${server.ports.lmtp}`,
      `transport_maps = inline:{ socket.example=lmtp-one:unix:${lmtpSocket} }`,
      'virtual_alias_maps = inline:{ alias@kvt.dk=abc@kvt.dk, alias@socket.example=abc@socket.example }',
      'recipient_delimiter = +',
      // RFC 5321 allows 998 octets; a deliverer that trusts its neighbour needn't break longer lines.
      'lmtp_line_length_limit = 0',
    ],
    // Asks us by RCPT whether there is such a user, before it takes the message.
    secondPort: ['smtpd_recipient_restrictions=reject_unverified_recipient', 'unverified_recipient_reject_code=550'],
  });
});

after(async () => {
  if (skip) return;
  // What could not be started needs no stopping.
  await postfix?.stop();
  const status = await server?.stop();
  tree?.remove();
  assert.equal(status, 0);
});

test('what is sent by SMTP comes out of POP3 octet by octet, over TCP and a Unix socket, from an mbox and a Maildir', options, async () => {
  const contents = [...nastyContents()];
  await delivered(contents.length * users.length, async () => {
    for (const user of users) for (const content of contents) await accepted(send({ to: [user], content }));
  });
  for (const user of users) {
    const got = await takeAll(user);
    assert.deepEqual(
      got.map(({ trace }) => trace.map(([name]) => name)),
      contents.map(() => ['Return-Path', 'Delivered-To', 'X-Original-To', 'Received', 'Received']),
    );
    for (const { trace } of got) {
      assert.deepEqual(trace.slice(0, 3), [
        ['Return-Path', '<ada@example.org>'],
        ['Delivered-To', user],
        ['X-Original-To', user],
      ]);
    }
    const bySubject = (one: Buffer, other: Buffer) => Buffer.compare(one, other);
    assert.deepEqual(got.map(({ content }) => content).sort(bySubject), [...contents].sort(bySubject));
  }
});

test('a message without a final line end gets one', options, async () => {
  const content = message('by BDAT', 'the end');
  await delivered(1, async () => {
    const client = await MailClient.connect('smtp', { port: postfix.port, host: '127.0.0.1' });
    await client.command('MAIL FROM:<ada@example.org>');
    await client.command('RCPT TO:<abc@kvt.dk>');
    // RFC 3030: CHUNKING sends octets, where DATA can only send lines.
    client.write(`BDAT ${content.length} LAST\r\n`);
    client.write(content);
    assert.match(await client.command('QUIT'), /^250 /);
    await client.close();
  });
  const got = await takeAll('abc@kvt.dk');
  assert.deepEqual(
    got.map((each) => each.content.toString('latin1')),
    [`${content.toString('latin1')}\r\n`],
  );
});

test('swaks, as a person would use it', { ...options, skip: skip || missing('swaks', 'swaks') }, async () => {
  const content = message('from swaks', '.\r\nFrom me\r\n');
  const file = join(tree.folder, 'swaks.eml');
  // swaks ends what it sends with a line end of its own.
  writeFileSync(file, content.subarray(0, -2));
  const args = ['--server', `127.0.0.1:${postfix.port}`, '--from', 'ada@example.org', '--to', 'kvt@kvt.dk', '--data', `@${file}`];
  await delivered(1, async () => {
    const { status, out } = await run('swaks', [...args, '--suppress-data'], { home: tree.folder });
    assert.equal(status, 0, out.toString());
  });
  assert.deepEqual(
    (await takeAll('kvt@kvt.dk')).map((each) => each.content.toString('latin1')),
    [content.toString('latin1')],
  );
});

test('several recipients in one transaction: each mailbox gets its own copies', options, async () => {
  const content = message('for three', 'Hello.\r\n');
  const to = ['abc@kvt.dk', 'kvt@kvt.dk', 'kvt+news@kvt.dk'];
  await delivered(to.length, () => accepted(send({ to, content })));
  const abc = await takeAll('abc@kvt.dk');
  const kvt = await takeAll('kvt@kvt.dk');
  assert.deepEqual(
    [...abc, ...kvt].map((each) => each.content),
    [content, content, content],
  );
  assert.deepEqual(abc.map(whom), [['abc@kvt.dk', 'abc@kvt.dk']]);
  assert.deepEqual(kvt.map(whom).sort(), [
    ['kvt@kvt.dk', 'kvt+news@kvt.dk'],
    ['kvt@kvt.dk', 'kvt@kvt.dk'],
  ]);
});

test('the address from before an alias is told by Postfix and kept', options, async () => {
  const content = message('by an alias', 'Hello.\r\n');
  await delivered(1, () => accepted(send({ to: ['alias@socket.example'], content })));
  const got = await takeAll('abc@socket.example');
  assert.deepEqual(got.map(whom), [['abc@socket.example', 'alias@socket.example']]);
  assert.deepEqual(
    got.map((each) => each.content),
    [content],
  );
});

test('an unknown user is refused at RCPT when Postfix asks us first', options, async () => {
  const client = await MailClient.connect('smtp', { port: postfix.secondPort, host: '127.0.0.1' });
  await client.command('MAIL FROM:<ada@example.org>');
  const unknown = await client.command('RCPT TO:<nobody@kvt.dk>');
  assert.match(unknown, /^550 5\.1\.1 <nobody@kvt\.dk>: Recipient address rejected: undeliverable address: .* said: 550 5\.1\.1 /);
  assert.match(await client.command('RCPT TO:<kvt@kvt.dk>'), /^250 /);
  assert.match(await client.command('RCPT TO:<kvt+tag@kvt.dk>'), /^250 /);
  await client.command('QUIT');
  await client.close();
  assert.deepEqual(await takeAll('kvt@kvt.dk'), [], 'a question leaves no message');
});

test('what we refuse for good goes back to its sender at once, who is told why', options, async () => {
  const large = message('too large', `${'x'.repeat(98)}\r\n`.repeat(maxMessageOctets / 100 + 100));
  const returned = postfix.logged(/ to=<kvt@kvt\.dk>, .* status=sent /, countOf(/ to=<kvt@kvt\.dk>, .* status=sent /) + 2);
  await accepted(send({ from: 'kvt@kvt.dk', to: ['nobody@kvt.dk'], content: message('nobody', 'x\r\n') }));
  await accepted(send({ from: 'kvt@kvt.dk', to: ['abc@kvt.dk'], content: large }));
  await returned;
  const reports = await takeAll('kvt@kvt.dk');
  assert.deepEqual(
    reports.map(({ trace }) => trace[0]),
    [
      ['Return-Path', '<>'],
      ['Return-Path', '<>'],
    ],
  );
  assert.deepEqual(reports.map(({ content }) => /^Status: (.*)\r$/m.exec(content.toString('latin1'))?.[1]).sort(), ['5.1.1', '5.3.4']);
  assert.deepEqual(await takeAll('abc@kvt.dk'), []);
});

test('while the server is stopped mail waits in the queue, and none goes back', options, async () => {
  assert.equal(await server.stop(), 0);
  const bounced = countOf(/ status=bounced /);
  const deferred = postfix.logged(/ status=deferred /, countOf(/ status=deferred /) + users.length);
  const content = message('patience', 'Hello.\r\n');
  await accepted(send({ to: users, content }));
  await deferred;
  assert.deepEqual((await postfix.queue()).flatMap(({ recipients }) => recipients.map(({ address }) => address)).sort(), [...users].sort());

  await delivered(users.length, async () => {
    server = await server.restart();
    await postfix.flush();
  });
  for (const user of users) {
    assert.deepEqual(
      (await takeAll(user)).map((each) => each.content),
      [content],
      user,
    );
  }
  assert.equal(countOf(/ status=bounced /), bounced);
});

/** Resolves when so many recipients more than before `act` have been delivered to. */
async function delivered(recipients: number, act: () => Promise<unknown>): Promise<void> {
  const done = postfix.logged(/ status=sent /, countOf(/ status=sent /) + recipients);
  await act();
  await done;
}

/** Delivered-To and X-Original-To. */
function whom({ trace }: Fetched): string[] {
  return trace.flatMap(([name, value]) => (name === 'Delivered-To' || name === 'X-Original-To' ? [value] : []));
}

interface Fetched {
  /** Name and value of each field that a transport put on top, in order. */
  readonly trace: readonly (readonly [string, string])[];
  /** What is left: the message as its sender wrote it. */
  readonly content: Buffer;
}

/** Everything in the maildrop, which is empty afterwards. */
async function takeAll(user: string): Promise<Fetched[]> {
  const client = await Pop3Client.login(server.ports.pop3, user, password);
  assert.ok(client);
  const count = (await client.uniqueIds()).length;
  const all: Fetched[] = [];
  for (let n = 1; n <= count; n++) {
    all.push(parted(await client.retrieve(n)));
    await client.ok(`DELE ${n}`);
  }
  await client.ok('QUIT');
  return all;
}

/** RFC 5321 section 4.4; a Received line of the sender's own isn't among what is sent here. */
const traceNames = new Set(['return-path', 'delivered-to', 'x-original-to', 'received']);

function parted(whole: Buffer): Fetched {
  const trace: [string, string][] = [];
  let end = 0;
  for (const field of headerFields(whole)) {
    if (!traceNames.has(field.name.toLowerCase())) break;
    trace.push([field.name, whole.toString('latin1', field.start + field.name.length + 1, field.end).trim()]);
    end = field.end;
  }
  return { trace, content: whole.subarray(end) };
}

async function send({ from = 'ada@example.org', to, content }: { from?: string; to: readonly string[]; content: Buffer }): Promise<Sent> {
  const client = await MailClient.connect('smtp', { port: postfix.port, host: '127.0.0.1' });
  const sent = await client.send({ from, to, content });
  await client.command('QUIT');
  await client.close();
  return sent;
}

async function accepted(sending: Promise<Sent>): Promise<void> {
  const { recipients, replies } = await sending;
  for (const reply of [...recipients, ...replies]) assert.match(reply, /^250 /);
}

/** Lines of Postfix's log. */
function countOf(pattern: RegExp): number {
  return postfix
    .log()
    .split('\n')
    .filter((line) => pattern.test(line)).length;
}

function message(subject: string, body: string | Buffer): Buffer {
  const header = `From: Ada <ada@example.org>\r\nTo: abc@kvt.dk\r\nSubject: ${subject}\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n`;
  return Buffer.concat([Buffer.from(`${header}Message-ID: <1@example.org>\r\n\r\n`), Buffer.from(body as string, 'latin1')]);
}

/** All that SMTP can carry and a mail program might stumble over. */
function* nastyContents(): Generator<Buffer> {
  const octets = (from: number, to: number) => String.fromCharCode(...Array.from({ length: to - from }, (_, n) => from + n));
  yield message('plain', 'Hello.\r\n');
  yield message('empty', '');
  yield message('dots', '.\r\n..\r\n.x\r\n. \r\n\r\n.\r\n');
  yield message('From lines', 'From ada\r\n\r\nFrom ada Thu Jan  1 00:00:00 1970\r\n>From ada\r\n\r\n>>From ada\r\nFrom: x\r\n');
  yield message('8-bit', `${octets(128, 256)}\r\n\u00ff\u00fe\r\n`);
  yield message('controls', `${octets(1, 10)}${octets(11, 13)}${octets(14, 32)}\u007f\r\n`);
  yield message('998 octets', `${'x'.repeat(998)}\r\n.${'y'.repeat(997)}\r\n`);
  yield message('one long line', `${'z'.repeat(70_000)}\r\n`);
  yield message('blank lines', '\r\n\r\nx\r\n\r\n\r\n\r\n');
  yield message('white space', ' \t\r\n x \r\n\t\r\n');
  yield message('folded\r\n\tsubject and\r\n  more', 'x\r\n');
  yield Buffer.from('Subject: a header alone\r\n');
  yield Buffer.from('\r\nno header\r\n');
  yield Buffer.from('Subject: forged\r\nX-Forged: x\r\nStatus: RO\r\nLines: 1000\r\n\r\nbody\r\n');
  // Larger than what is kept in memory at its reception, and than any buffer on the way.
  const line = (n: number) => `${n % 7 === 0 ? '.' : ''}${n % 11 === 0 ? 'From ' : ''}${'æ'.repeat(n % 90)}\r\n`;
  yield message('large', Array.from({ length: 30_000 }, (_, n) => line(n)).join(''));
}
