/** `postkasse deliver` under a real Postfix, in the predecessor's style and from pipe(8): who gets what, who is told what, and what waits. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Fetched, mailbox, startJthHost, takeAll } from './support/jthHost.ts';
import { MailClient } from './support/mailClient.ts';
import { makeFolder } from './support/owners.ts';
import { noPostfix } from './support/postfix.ts';

const options = { skip: noPostfix, timeout: 60_000 };
const text = 'Subject: Hello\n\nFrom me to you.\nFrom here\n.\n';
const dotted = text.replace('\n.\n', '\n..\n');

/** All but Received lines, which name ports and times. */
function known({ trace, content }: Fetched) {
  return { trace: trace.filter(([name]) => name !== 'Received'), content };
}

function expected(recipient: string, original: string, sender = 'ada@example.org') {
  const trace = [
    ['Return-Path', `<${sender}>`],
    ['Delivered-To', recipient],
    ['X-Original-To', original],
  ];
  return { trace, content: text };
}

test('the listing of the predecessor: a pipe, a file and everybody else', options, async (t) => {
  const host = await startJthHost(t, { user: ['pk_pipe_a', 64301] });
  host.forward('', '"|exit 67"');
  host.forward('+abc--kvt.dk', '"|COMMAND"');
  makeFolder(host.kvt, join(host.kvt.home, 'Mail'));
  host.forward('+kvt--kvt.dk', join(host.kvt.home, 'Mail', 'mailbox'));

  assert.equal((await host.delivery('abc@kvt.dk', dotted)).status, 'sent');
  assert.deepEqual((await takeAll(host.server, 'abc@kvt.dk')).map(known), [expected('abc@kvt.dk', 'abc@kvt.dk')]);
  const filed = await host.delivery('kvt@kvt.dk', dotted);
  assert.equal(filed.status, 'sent', filed.words);
  const [own, ...more] = await takeAll(host.server, 'kvt@kvt.dk');
  assert.deepEqual([own?.content, more], [text, []]);
  const { dsn, status } = await host.delivery('nobody@kvt.dk', dotted);
  assert.deepEqual([dsn, status], ['5.1.1', 'bounced']);
  // In the middle of an upgrade: the program isn't there.
  host.forward('+gone--kvt.dk', '"|/nowhere/postkasse deliver"');
  assert.equal((await host.delivery('gone@kvt.dk', dotted)).status, 'deferred');
});

test('one .forward for all: each address has its mailbox or is told that there is none', options, async (t) => {
  const host = await startJthHost(t, { user: ['pk_pipe_b', 64302] });
  host.forward('', '"|COMMAND"');
  const delivered = async (to: string, recipient: string, original = to, sender?: string) => {
    const { status, words } = await host.delivery(to, dotted, sender);
    assert.equal(status, 'sent', words);
    assert.deepEqual((await takeAll(host.server, recipient)).map(known), [expected(recipient, original, sender)], to);
  };
  await delivered('abc@kvt.dk', 'abc@kvt.dk');
  await delivered('Abc+Tag@KVT.dk', 'abc@kvt.dk', 'Abc+Tag@KVT.dk', '');
  await delivered('abc@z.kvt.dk', 'abc@kvt.dk');
  await delivered('info@kvt.dk', 'abc@kvt.dk');
  await delivered('a--b@kvt.dk', 'a--b@kvt.dk');
  await delivered("o'neil@kvt.dk", "o'neil@kvt.dk", "o'neil@kvt.dk", "o'hara+x@example.org");
  await delivered('$@kvt.dk', '$@kvt.dk');
  await delivered('blåbær@kvt.dk', 'blåbær@kvt.dk');

  // In the environment all of these look like somebody else.
  for (const to of ['o_neil@kvt.dk', '_@kvt.dk', '"a b"@kvt.dk', 'a/b@kvt.dk', `${'x'.repeat(80)}@kvt.dk`, '`id`@kvt.dk', '$x|y@kvt.dk']) {
    const { dsn, status, words } = await host.delivery(to, dotted);
    assert.deepEqual([status, dsn.slice(0, 4)], ['bounced', '5.1.'], `${to}: ${words}`);
  }
  const looped = await host.delivery('abc@kvt.dk', `Received: from here\nDelivered-To: abc@kvt.dk\n${dotted}`);
  assert.deepEqual([looped.status, looped.dsn], ['bounced', '5.4.6']);
  assert.deepEqual(await takeAll(host.server, 'abc@kvt.dk'), []);
});

test('what comes over LMTP is the same', options, async (t) => {
  const host = await startJthHost(t, { user: ['pk_pipe_c', 64303] });
  host.forward('', '"|COMMAND"');
  const content = 'Return-Path: <forged@example.org>\nX-Original-To: forged@kvt.dk\nDelivered-To: forged@kvt.dk\nSubject: x\n\nHello\n';
  assert.equal((await host.delivery('abc@kvt.dk', content)).status, 'sent');
  const [piped] = await takeAll(host.server, 'abc@kvt.dk');
  const client = await MailClient.connect('lmtp', { path: host.socket });
  const received = piped?.trace.findLast(([name]) => name === 'Received')?.[1] ?? '';
  await client.send({
    from: 'ada@example.org',
    to: ['abc@kvt.dk'],
    content: Buffer.from(`Received: ${received.replaceAll('\r\n', '\n')}\n${content}`.replaceAll('\n', '\r\n')),
  });
  await client.close();
  const [handed] = await takeAll(host.server, 'abc@kvt.dk');
  const shape = (fetched: Fetched | undefined) =>
    fetched && { ...fetched, trace: fetched.trace.map(([name, value]) => (name === 'Received' ? name : [name, value])) };
  assert.deepEqual(shape(piped), shape(handed));
});

test('without the server the owner delivers, to the own domains alone, and the rest waits', options, async (t) => {
  const host = await startJthHost(t, { user: ['pk_pipe_d', 64304], main: ['transport_maps = inline:{ other.example=local }'] });
  host.forward('', '"|COMMAND"');
  assert.equal((await host.delivery('abc@kvt.dk', dotted)).status, 'sent');
  await takeAll(host.server, 'abc@kvt.dk');
  assert.equal(await host.server.stop(), 0);

  for (const [to, status, dsn] of [
    ['abc@kvt.dk', 'sent', '2.0.0'],
    ['abc@z.kvt.dk', 'sent', '2.0.0'],
    ['nobody@kvt.dk', 'bounced', '5.1.1'],
  ] as const) {
    const delivery = await host.delivery(to, dotted);
    assert.deepEqual([delivery.status, delivery.dsn], [status, dsn], `${to}: ${delivery.words}`);
  }
  // A domain that this user's own server doesn't know may be one of the server's.
  host.forward('+x--other.example', '"|COMMAND"');
  const waiting = await host.delivery(`${host.kvt.name}+x--other.example@mx.example.org`, dotted);
  assert.deepEqual([waiting.status, waiting.dsn], ['deferred', '4.3.0'], waiting.words);

  host.server = await host.server.restart();
  const got = await takeAll(host.server, 'abc@kvt.dk');
  assert.deepEqual(got.map(known), [expected('abc@kvt.dk', 'abc@kvt.dk'), expected('abc@kvt.dk', 'abc@z.kvt.dk')]);
  assert.match(mailbox(join(host.tree.folder, 'spool', 'kvt.dk', 'abc')) ?? '', /^$/);
});

test('from pipe(8), by the command line', options, async (t) => {
  const host = await startJthHost(t, {
    user: ['pk_pipe_e', 64305],
    services: (command, { name }) => [
      'postkasse unix - n n - - pipe',
      `  flags=DORh user=${name}:mail argv=${command} --from \${sender} --original-recipient \${original_recipient} -- \${recipient}`,
    ],
    main: [
      'postkasse_destination_recipient_limit = 1',
      'virtual_mailbox_domains = kvt.dk',
      'virtual_alias_domains =',
      'virtual_alias_maps = inline:{ info@kvt.dk=abc+x@kvt.dk }',
      'virtual_transport = postkasse:',
    ],
  });
  assert.equal((await host.delivery("o'neil@kvt.dk", dotted, '')).status, 'sent');
  assert.deepEqual((await takeAll(host.server, "o'neil@kvt.dk")).map(known), [expected("o'neil@kvt.dk", "o'neil@kvt.dk", '')]);
  assert.equal((await host.delivery('info@kvt.dk', dotted, '"ada b"@example.org')).status, 'sent');
  assert.deepEqual((await takeAll(host.server, 'abc@kvt.dk')).map(known), [expected('abc@kvt.dk', 'info@kvt.dk', '"ada b"@example.org')]);
  const { status, dsn } = await host.delivery('"a b"@kvt.dk', dotted);
  assert.deepEqual([status, dsn], ['bounced', '5.1.1']);
});

test('without a process: an address of the internal domain, which a transport map carries to the server', options, async (t) => {
  const host = await startJthHost(t, {
    user: ['pk_pipe_h', 64308],
    settings: { delivery: ['internal_domain = "deliver.invalid"'] },
    main: ['transport_maps = inline:{ deliver.invalid=lmtp-one:unix:SOCKET }'],
  });
  host.forward('+abc--kvt.dk', 'abc--kvt.dk@deliver.invalid');
  host.forward('+none--kvt.dk', 'none--kvt.dk@deliver.invalid');
  assert.equal((await host.delivery('abc@kvt.dk', dotted)).status, 'sent');
  await host.postfix.logged(/ to=<abc--kvt\.dk@deliver\.invalid>.* status=sent /);
  assert.deepEqual((await takeAll(host.server, 'abc@kvt.dk')).map(known), [expected('abc@kvt.dk', 'abc@kvt.dk')]);
  await host.send('none@kvt.dk', dotted);
  const [refused] = await host.postfix.logged(/ to=<none--kvt\.dk@deliver\.invalid>.* status=bounced /);
  assert.match(refused ?? '', / dsn=5\.1\.1, /);
});
