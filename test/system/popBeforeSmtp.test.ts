/** A real Postfix lets an address send that has just fetched mail, where the domain says so, and for as long as the settings say. */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { statusText } from '../../src/cli/statusText.ts';
import { createSpeaker } from '../../src/texts/speaker.ts';
import { postkasse } from './support/cli.ts';
import { MailClient } from './support/mailClient.ts';
import { noPostfix, type Postfix, startPostfix } from './support/postfix.ts';
import { fieldsOf } from './support/processes.ts';
import { authPlain, connectFrom, servingProxied } from './support/proxied.ts';
import { makeTree, type Server } from './support/server.ts';

const options = { skip: noPostfix, timeout: 120_000 };

async function fetchFrom(t: TestContext, server: Server, address: string, login: string): Promise<void> {
  const client = await connectFrom(t, server, address);
  assert.match((await authPlain(client, login, 'secret')) ?? '', /^\+OK/);
  client.write('QUIT\r\n');
  assert.match((await client.line()) ?? '', /^\+OK/);
  await client.end();
}

/** What Postfix says to somebody from there who wants to send elsewhere. */
async function relayFrom(port: number, address: string): Promise<string> {
  const client = await MailClient.connect('smtp', { port, host: '127.0.0.1' });
  try {
    assert.match(await client.command(`XCLIENT ADDR=${address} NAME=[UNAVAILABLE]`), /^220 /);
    await client.command('EHLO client.example.org');
    await client.command('MAIL FROM:<abc@kvt.dk>');
    return (await client.command('RCPT TO:<far@example.com>')).slice(0, 9);
  } finally {
    await client.close();
  }
}

const yes = '250 2.1.5';
const no = '454 4.7.1';

test('who fetched mail may send; ten others may not, nor anybody when the time is up', options, async (t) => {
  const tree = makeTree({ passwd: new Map(['kvt.dk', 'other.example'].map((domain) => [domain, ['abc:{PLAIN}secret:UID:GID::.:']])) });
  let server: Server | undefined;
  let postfix: Postfix | undefined;
  // In this order, and in one: Postfix is stopped by files in the tree.
  t.after(async () => {
    await postfix?.stop();
    await server?.stop();
    await server?.gone();
    tree.remove();
  });
  chmodSync(tree.folder, 0o755);
  writeFileSync(join(tree.folder, 'virtual', 'kvt.dk', 'domain.toml'), 'pop_before_smtp = true\n');
  tree.own();
  const lookups = join(tree.folder, 'run', 'lookups');
  server = await servingProxied(t, {
    tree,
    listeners: [['protocol = "socketmap"', `address = "unix:${lookups}"`]],
    settings: {
      relay: ['recent_login_minutes = 30'],
      throttle: ['exempt_networks = ["192.0.2.0/24"]'],
      login: ['plaintext_networks = ["0.0.0.0/0", "::/0"]'],
    },
  });
  postfix = await startPostfix({
    folder: join(tree.folder, 'postfix'),
    main: [
      'mydestination =',
      'local_recipient_maps =',
      'default_transport = discard',
      'mynetworks = 192.0.2.255/32',
      'smtpd_authorized_xclient_hosts = 127.0.0.0/8',
      `smtpd_relay_restrictions = check_client_access socketmap:unix:${lookups}:recent-logins, defer_unauth_destination`,
    ],
  });
  const { port } = postfix;
  const relay = (address: string) => relayFrom(port, address);

  assert.equal(await relay('198.51.100.1'), no);
  await fetchFrom(t, server, '198.51.100.1', 'abc@kvt.dk');
  // A domain that doesn't want it, and a webmail.
  await fetchFrom(t, server, '198.51.100.2', 'abc@other.example');
  await fetchFrom(t, server, '192.0.2.80', 'abc@kvt.dk');
  // Each front may be asked, and the others hear of it a moment later.
  for (const _ of [1, 2, 3, 4]) while ((await relay('198.51.100.1')) !== yes);
  for (let n = 2; n < 12; n++) assert.equal(await relay(`198.51.100.${n}`), no);
  assert.equal(await relay('192.0.2.80'), no);

  const used = fieldsOf(await server.logged(/ relay\.recent-login /));
  assert.deepEqual([used.get('account'), used.get('remote')], ['abc@kvt.dk', '198.51.100.1']);
  assert.equal(server.log().match(/ relay\.recent-login /g)?.length, 1);
  const { out } = await postkasse(['status', '--json', '--config', server.settingsFile]);
  const { say } = createSpeaker();
  const lines = statusText(JSON.parse(out), (text, values = {}) => say(text, values, 'en'));
  const at = lines.findIndex((line) => line.startsWith('sends after fetching'));
  assert.match(lines[at + 1] ?? '', /^abc@kvt\.dk +198\.51\.100\.1 +\d{4}-\d\d-\d\d$/);

  // A restart forgets nothing.
  assert.equal(await server.stop(), 0);
  await server.gone();
  const shorter = readFileSync(server.settingsFile, 'utf8').replace('recent_login_minutes = 30', 'recent_login_minutes = 0.02');
  server = await server.restart();
  assert.equal(await relay('198.51.100.1'), yes);
  // The time is up: 1.2 seconds after a new login.
  writeFileSync(server.settingsFile, shorter);
  assert.equal(await server.stop(), 0);
  await server.gone();
  server = await server.restart();
  await fetchFrom(t, server, '198.51.100.1', 'abc@kvt.dk');
  while ((await relay('198.51.100.1')) === yes);
  assert.equal(await relay('198.51.100.1'), no);
});
