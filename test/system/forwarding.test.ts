/** Mail that goes on through a real Postfix, either way: with a sender whose bounce comes back, and as it was; and answers of who is away. */
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fieldValues, headerFields } from '../../src/message/header.ts';
import { postkasse } from './support/cli.ts';
import { MailClient } from './support/mailClient.ts';
import { type OutsideWorld, startOutsideWorld } from './support/outsideWorld.ts';
import { noPostfix, type Postfix, startPostfix } from './support/postfix.ts';
import { makeTree, type Server, startServer, type Tree } from './support/server.ts';

const options = { skip: noPostfix, timeout: 60_000 };

const accounts: Readonly<Record<string, string>> = {
  abc: '',
  moved: 'forward = ["bob@elsewhere.example"]\nkeep_copy = false\n',
  gone: 'forward = ["unknown@elsewhere.example"]\nkeep_copy = false\n',
  round: 'forward = ["round@loop.example"]\nkeep_copy = false\n',
  away: 'language = "da"\n[vacation]\ntext = "Jeg er på ferie."\naddresses = ["me@private.example"]\n',
  awaymoved: 'forward = ["eve@elsewhere.example"]\nkeep_copy = false\n[vacation]\ntext = "Gone."\nsubject = "Moved"\n',
};

interface Setting {
  readonly world: OutsideWorld;
  readonly postfix: Postfix;
  readonly server: Server;
  /** By SMTP, to Postfix, as somebody outside does. */
  send(from: string, to: readonly string[], content: Buffer): Promise<void>;
}

async function setUp(t: TestContext, via: 'sendmail' | 'smtp'): Promise<Setting> {
  const ends: (() => unknown)[] = [];
  // What was started last ends first.
  t.after(async () => {
    for (const end of ends.reverse()) await end();
  });
  const tree = makeTree({ passwd: new Map([['kvt.dk', Object.keys(accounts).map((user) => `${user}:{PLAIN}secret:UID:GID::.:`)]]) });
  ends.push(() => tree.remove());
  chmodSync(tree.folder, 0o755);
  const domain = join(tree.folder, 'virtual', 'kvt.dk');
  mkdirSync(join(domain, 'accounts'), { mode: 0o755 });
  for (const [user, rules] of Object.entries(accounts)) writeFileSync(join(domain, 'accounts', `${user}.toml`), rules, { mode: 0o644 });
  writeFileSync(join(domain, 'aliases'), 'team: bob@elsewhere.example, abc\n', { mode: 0o644 });
  tree.own();
  const world = await startOutsideWorld(['unknown@elsewhere.example']);
  ends.push(() => world.close());
  const lmtpSocket = join(tree.folder, 'run', 'lmtp');
  const postfix = await startPostfix({
    folder: join(tree.folder, 'postfix'),
    main: [
      'mydestination =',
      'virtual_mailbox_domains = kvt.dk',
      `virtual_transport = lmtp:unix:${lmtpSocket}`,
      // Somebody elsewhere whose mail goes on to us.
      'virtual_alias_domains = loop.example',
      'virtual_alias_maps = inline:{ round@loop.example=round@kvt.dk }',
      `default_transport = smtp:[127.0.0.1]:${world.port}`,
    ],
  });
  ends.push(() => postfix.stop());
  const server = await startServer({
    tree,
    protocols: ['pop3'],
    lmtpSocket,
    settings: {
      submission: [`via = "${via}"`, `smtp = "127.0.0.1:${postfix.port}"`, `sendmail = "${ownSendmail(tree)}"`],
      log: ['level = "debug"'],
    },
  });
  ends.push(() => server.stop());
  return {
    world,
    postfix,
    server,
    async send(from, to, content) {
      const client = await MailClient.connect('smtp', { port: postfix.port, host: '127.0.0.1' });
      const { recipients, replies } = await client.send({ from, to, content });
      for (const reply of [...recipients, ...replies]) assert.match(reply, /^250 /);
      await client.command('QUIT');
      await client.close();
    },
  };
}

/**
 * Postfix' sendmail with the queue of the private Postfix. Its postdrop has the rights of a group only where the host's own settings know the private
 * ones; here it is a copy without them, and the folders it needs are open to all.
 */
function ownSendmail({ folder }: Tree): string {
  const at = join(folder, 'postfix');
  for (const name of ['bin', 'client']) mkdirSync(join(at, name), { recursive: true, mode: 0o755 });
  copyFileSync('/usr/sbin/postdrop', join(at, 'bin', 'postdrop'));
  chmodSync(join(at, 'bin', 'postdrop'), 0o755);
  const settings = [
    'compatibility_level = 3.6',
    `queue_directory = ${at}/queue`,
    `data_directory = ${at}/lib`,
    `command_directory = ${at}/bin`,
    `maillog_file =`,
    'myhostname = mx.example.org',
    'inet_protocols = ipv4',
    'message_size_limit = 200000',
  ];
  writeFileSync(join(at, 'client', 'main.cf'), `${settings.join('\n')}\n`);
  chmodSync(join(at, 'queue', 'maildrop'), 0o777);
  chmodSync(join(at, 'queue', 'public'), 0o755);
  const path = join(at, 'bin', 'sendmail');
  writeFileSync(path, `#!/bin/sh\nMAIL_CONFIG='${at}/client' exec /usr/sbin/sendmail "$@"\n`, { mode: 0o755 });
  return path;
}

function message(to: string, subject: string, further = '', body = 'Hello.\r\n'): Buffer {
  return Buffer.from(
    `From: Ada <ada@sender.example>\r\nTo: ${to}\r\nSubject: ${subject}\r\nDate: Sun, 29 Nov 2026 12:00:00 +0000\r\nMessage-ID: <${subject}@sender.example>\r\n${further}\r\n${body}`,
    'latin1',
  );
}

/** What a signature is made over, and what it isn't. */
const traceNames = new Set(['received', 'delivered-to']);

function withoutTrace(content: Buffer): string {
  let end = 0;
  for (const field of headerFields(content)) {
    if (!traceNames.has(field.name.toLowerCase())) break;
    end = field.end;
  }
  return content.toString('latin1', end);
}

const rewritten = /^SRS0=[A-Z2-7]{6}=[A-Z2-7]{2}=sender\.example=ada@kvt\.dk$/;

for (const via of ['smtp', 'sendmail'] as const) {
  test(`by ${via}: what goes on arrives as it was, once, and its bounce comes back`, options, async (t) => {
    const { world, send, server } = await setUp(t, via);
    const signed = 'DKIM-Signature: v=1; a=rsa-sha256; h=from:to :subject;\r\n\tbh=x;  b=\r\n y\r\nX-Odd:  two  blanks \t\r\n';
    const body = `.\r\n..\r\nFrom me\r\n\xe6\xf8\xe5\r\n${'x'.repeat(990)}\r\n \r\n\r\n`;
    const content = message('moved@kvt.dk', 'one', signed, body);
    await send('ada@sender.example', ['moved@kvt.dk', 'team@kvt.dk'], content);
    const { sender, recipients, content: arrived } = await world.mailFor('bob@elsewhere.example');
    assert.match(sender, rewritten);
    assert.deepEqual(recipients, ['bob@elsewhere.example']);
    assert.equal(withoutTrace(arrived), content.toString('latin1'));
    assert.deepEqual(fieldValues(arrived, 'Return-Path'), []);

    // Of our own domain, and a bounce: the sender stays.
    await send('abc@kvt.dk', ['moved@kvt.dk'], message('moved@kvt.dk', 'two'));
    assert.equal((await world.mailFor('bob@elsewhere.example', 2)).sender, 'abc@kvt.dk');
    await send('', ['moved@kvt.dk'], message('moved@kvt.dk', 'three'));
    assert.equal((await world.mailFor('bob@elsewhere.example', 3)).sender, '');

    await send('ada@sender.example', ['gone@kvt.dk'], message('gone@kvt.dk', 'four'));
    const bounce = await world.mailFor('ada@sender.example');
    assert.deepEqual([bounce.sender, bounce.recipients], ['', ['ada@sender.example']]);
    assert.match(bounce.content.toString('latin1'), /^Final-Recipient: rfc822; unknown@elsewhere\.example\r$/m);
    assert.match(bounce.content.toString('latin1'), /^Subject: four\r$/m);
    const explained = await postkasse(['explain', sender, '--config', server.settingsFile]);
    assert.match(explained.out, /^ *bounce of mail that went on: SRS0=.*: ada@sender\.example$/m);
    const hash = /=([A-Z2-7]{6})=/.exec(sender)?.[1] ?? '';
    const forged = sender.replace(hash, hash === 'AAAAAA' ? 'BBBBBB' : 'AAAAAA');
    await send('', [forged], message('x', 'forged'));
    await server.logged(/ lmtp\.refused .*recipient="?SRS0=/);

    await send('ada@sender.example', ['round@kvt.dk'], message('round@kvt.dk', 'five'));
    const looped = await world.mailFor('ada@sender.example', 2);
    assert.match(looped.content.toString('latin1'), /^Status: 5\.4\.6\r$/m);
    assert.equal(world.arrived.length, 5);

    // Postfix' sendmail says so with a status that would mean "try again later".
    if (via !== 'sendmail') return;
    await send('ada@sender.example', ['moved@kvt.dk'], message('moved@kvt.dk', 'six', '', `${'x'.repeat(98)}\r\n`.repeat(3000)));
    const tooLarge = await world.mailFor('ada@sender.example', 3);
    assert.match(tooLarge.content.toString('latin1'), /^Status: 5\.3\.0\r$/m);
  });
}

test('who is away answers once, and not to lists', options, async (t) => {
  const { world, send, server } = await setUp(t, 'sendmail');
  await send('list-bounces@sender.example', ['away@kvt.dk'], message('away@kvt.dk', 'list'));
  await send('ada@sender.example', ['away@kvt.dk'], message('away@kvt.dk', 'list2', 'List-Id: <x.sender.example>\r\n'));
  await send('ada@sender.example', ['away@kvt.dk'], message('undisclosed-recipients:;', 'hidden'));
  await server.logged(/ vacation\.not-answered /, 3);
  await send('ada@sender.example', ['away@kvt.dk'], message('me@private.example, away@kvt.dk', 'lunch'));
  const answer = await world.mailFor('ada@sender.example');
  assert.deepEqual([answer.sender, answer.recipients], ['', ['ada@sender.example']]);
  const said = (name: string) => fieldValues(answer.content, name);
  assert.deepEqual(['From', 'To', 'Subject', 'In-Reply-To', 'References', 'Auto-Submitted'].map(said), [
    ['me@private.example'],
    ['ada@sender.example'],
    ['Auto: lunch'],
    ['<lunch@sender.example>'],
    ['<lunch@sender.example>'],
    ['auto-replied'],
  ]);
  assert.match(answer.content.toString('latin1'), /\r\n\r\nJeg er p=C3=A5 ferie\.\r\n$/);
  await send('ada@sender.example', ['away@kvt.dk'], message('away@kvt.dk', 'lunch2'));
  await server.logged(/ vacation\.not-answered .*answered lately/);

  // Also where the mail only goes on.
  await send('ada@sender.example', ['awaymoved@kvt.dk'], message('awaymoved@kvt.dk', 'moved'));
  assert.deepEqual(fieldValues((await world.mailFor('ada@sender.example', 2)).content, 'Subject'), ['Moved']);
  assert.match((await world.mailFor('eve@elsewhere.example')).sender, rewritten);
  assert.equal(world.arrived.length, 3);
});
