/** Mail through a real Postfix that `postkasse postfix apply` has set up: each address ends where it should in each style, with us and without us. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { postkasse, type Ran } from './support/cli.ts';
import { MailClient } from './support/mailClient.ts';
import { mailUser, makeDomain, makeFile, makeFolder, makeOwnersTree, makeUser, needsRoot, type UnixUser } from './support/owners.ts';
import { noPostfix, type Postfix, startPostfix } from './support/postfix.ts';
import { type Server, startServer, type Tree } from './support/server.ts';

const options = { skip: needsRoot || noPostfix, timeout: 180_000 };

interface Host {
  readonly tree: Tree;
  readonly kvt: UnixUser;
  readonly postfix: Postfix;
  server: Server;
  kit(...args: readonly string[]): Promise<Ran>;
  /** Subject lines of what a mailbox or folder below the tree holds. */
  subjects(path: string): string[];
}

/** A domain for each style; of kvt_dk are the two that need an owner. */
async function startHost(
  t: TestContext,
  [name, uid]: readonly [string, number],
  jail: readonly string[] = [],
  socketmap = false,
): Promise<Host> {
  let running: Pick<Host, 'server' | 'postfix'> | undefined;
  // Registered before the tree's own, which removes what they need to stop.
  t.after(async () => {
    await running?.postfix.stop();
    await running?.server.stop();
  });
  const tree = makeOwnersTree(t);
  const inTree = (...path: string[]) => join(tree.folder, ...path);
  const kvt = makeUser(t, tree, { name, uid, group: 'users' });
  const line = (user: string) => `${user}:{PLAIN}x:UID:GID::.:`;
  makeDomain(tree, kvt, 'kvt.dk', [line('abc'), `kvt:{PLAIN}x:UID:GID::${kvt.home}/:`, line('a--b'), line('a_b'), line('root')]);
  makeDomain(tree, kvt, 'inner.example', [line('abc')]);
  makeFolder(kvt, join(kvt.home, 'Mail'));
  for (const domain of ['lmtp.example', 'virtual.example']) {
    makeFile(mailUser, inTree('virtual', domain, 'passwd'), 'x:{PLAIN}x\ny:{PLAIN}x\n');
    makeFile(mailUser, inTree('virtual', domain, 'aliases'), 'two: x, y\n');
    makeFolder(mailUser, inTree('spool', domain));
  }
  const server = await startServer({
    tree,
    protocols: ['pop3'],
    lmtpSocket: inTree('run', 'lmtp'),
    ...(socketmap && { listeners: [['protocol = "socketmap"', `address = "unix:${inTree('run', 'lookups')}"`]] }),
  });
  const postfix = await startPostfix({
    folder: inTree('postfix'),
    main: [
      'mynetworks =',
      // Unlike Postfix' own default this one is set, so what is needed of it is looked at.
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix' own
      'forward_path = $home/.forward${recipient_delimiter}${extension}, $home/.forward',
      'alias_maps = inline:{ postmaster=root }',
    ],
  });
  const etc = inTree('postfix', 'etc');
  for (const service of jail) execFileSync('postconf', ['-c', etc, '-F', `${service}/chroot=y`]);
  const config = ['--config', server.settingsFile, '--config-dir', etc];
  const host: Host = {
    tree,
    kvt,
    postfix,
    server,
    kit: (act = '', ...args) => postkasse(['postfix', act, ...(act === 'rollback' ? config.slice(2) : config), ...args]),
    subjects(path) {
      const whole = inTree(path);
      if (!existsSync(whole)) return [];
      return [...readFileSync(whole, 'latin1').matchAll(/^Subject: (.*)$/gm)].map(([, subject = '']) => subject);
    },
  };
  running = host;
  return host;
}

/** What RCPT says; a message whose subject is the address goes there. The null sender: nothing comes back. */
async function send({ postfix }: Host, ...to: readonly string[]): Promise<string[]> {
  const client = await MailClient.connect('smtp', { port: postfix.port, host: '127.0.0.1' });
  const replies: string[] = [];
  for (const address of to) {
    const { recipients } = await client.send({ from: '', to: [address], content: Buffer.from(`Subject: ${address}\r\n\r\nHello\r\n`) });
    replies.push(recipients[0]?.slice(0, 9) ?? '');
  }
  await client.close();
  return replies;
}

/** Resolves with the words of the log on what became of mail to each of these addresses. */
async function outcomes({ postfix }: Host, ...to: readonly string[]): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const address of to) {
    const name = address.replace(/[.*+^$"\\]/g, '\\$&');
    const lines = await postfix.logged(new RegExp(` (?:orig_)?to=<${name}>, .* status=`));
    const [, relay = '', status = ''] = /relay=([^,[]+).* status=(\w+)/.exec(lines.at(-1) ?? '') ?? [];
    found[address] = `${status} ${relay}`;
  }
  return found;
}

test('three styles on one host, by domain: each address ends where it should', options, async (t) => {
  const host = await startHost(t, ['pk_kit_mail', 6072]);
  const { kvt, kit, subjects } = host;
  for (const [style, domain] of [
    ['jth', 'kvt.dk'],
    ['jth-lmtp', 'inner.example'],
    ['virtual', 'virtual.example'],
    ['lmtp', 'lmtp.example'],
  ] as const) {
    const applied = await kit('apply', '--style', style, '--domain', domain);
    assert.deepEqual([applied.status, applied.err], [0, ''], style);
  }
  const again = await kit('apply');
  assert.deepEqual([again.out, again.err], ['nothing to change\n', '']);
  const check = await kit('check');
  assert.deepEqual([check.status, check.out, check.err], [0, 'no findings\n', '']);
  // What an owner has written for a subdomain: A72.
  makeFile(kvt, join(kvt.home, '.forward+abc--def.kvt.dk'), readFileSync(join(kvt.home, '.forward+abc--kvt.dk'), 'utf8'));

  const home = 'home/pk_kit_mail/Mail/mailbox';
  const delivered: readonly (readonly [to: string, mailboxes: readonly string[], outcome: string])[] = [
    ['abc@kvt.dk', ['spool/kvt.dk/abc'], 'sent local'],
    ['kvt@kvt.dk', [home], 'sent local'],
    ['KVT@Kvt.DK', [home], 'sent local'],
    ['abc+tag@kvt.dk', ['spool/kvt.dk/abc'], 'sent local'],
    ['a--b@kvt.dk', ['spool/kvt.dk/a--b'], 'sent local'],
    ['root@kvt.dk', ['spool/kvt.dk/root'], 'sent local'],
    ['abc@def.kvt.dk', ['spool/kvt.dk/abc'], 'sent local'],
    ['abc@inner.example', ['spool/inner.example/abc'], 'sent'],
    ['x@virtual.example', ['spool/virtual.example/x'], 'sent virtual'],
    ['x+tag@virtual.example', ['spool/virtual.example/x'], 'sent virtual'],
    ['two@virtual.example', ['spool/virtual.example/x', 'spool/virtual.example/y'], 'sent virtual'],
    ['x@lmtp.example', ['spool/lmtp.example/x'], 'sent'],
    ['x+tag@lmtp.example', ['spool/lmtp.example/x'], 'sent'],
    ['two@lmtp.example', ['spool/lmtp.example/x', 'spool/lmtp.example/y'], 'sent'],
  ];
  const to = delivered.map(([address]) => address);
  assert.deepEqual(
    await send(host, ...to),
    to.map(() => '250 2.1.5'),
  );
  const became = await outcomes(host, ...to, 'abc--inner.example@postkasse.invalid');
  const log = host.postfix.log();
  for (const [address, , outcome] of delivered) assert.ok(became[address]?.startsWith(outcome), `${address}: ${became[address]}\n${log}`);
  assert.match(became['abc--inner.example@postkasse.invalid'] ?? '', /^sent /);
  const expected = new Map<string, string[]>();
  for (const [address, mailboxes] of delivered)
    for (const path of mailboxes) expected.set(path, [...(expected.get(path) ?? []), address].sort());
  for (const [path, addresses] of expected) assert.deepEqual(subjects(path).sort(), addresses, path);

  // Unknown users: refused at RCPT where the style can, else bounced by the owner's `.forward` (A59).
  assert.deepEqual(await send(host, 'nobody@lmtp.example', 'nobody@virtual.example'), ['550 5.1.1', '550 5.1.1']);
  const unknown = ['nobody@kvt.dk', 'y@z.kvt.dk', 'a*b@kvt.dk', 'nobody@inner.example'];
  await send(host, ...unknown);
  for (const [address, outcome] of Object.entries(await outcomes(host, ...unknown))) assert.equal(outcome, 'bounced local', address);
  assert.deepEqual(subjects('spool/kvt.dk/a_b'), []);
  // Exact entries win over the pattern (A64), and what only looks like the domain is none of ours (A65).
  await send(host, 'postmaster@kvt.dk');
  await host.postfix.logged(/ to=<root@mx\.example\.org>, orig_to=<postmaster@kvt\.dk>, relay=local/);
  assert.deepEqual(await send(host, 'x@kvtxdk', 'x@xkvt.dk'), ['454 4.7.1', '454 4.7.1']);

  // Without us: mail flows where the style lets it, and waits where it doesn't.
  assert.equal(await host.server.stop(), 0);
  const down = await kit('check');
  assert.deepEqual([down.status, down.out.split(' (')[0]], [1, `nobody listens at ${join(host.tree.folder, 'run', 'lmtp')}`]);
  const flows = ['kvt+down@kvt.dk', 'y@virtual.example'];
  const waits = ['y@lmtp.example', 'abc+down@inner.example'];
  assert.deepEqual(
    await send(host, ...flows, ...waits),
    [...flows, ...waits].map(() => '250 2.1.5'),
  );
  for (const outcome of Object.values(await outcomes(host, ...flows))) assert.match(outcome, /^sent /);
  assert.deepEqual(subjects(home).slice(-1), ['kvt+down@kvt.dk']);
  await host.postfix.logged(/ to=<y@lmtp\.example>, .* status=deferred /);
  await host.postfix.logged(/ to=<abc--inner\.example@postkasse\.invalid>, .* status=deferred /);
  host.server = await host.server.restart();
  await host.postfix.flush();
  await host.postfix.logged(/ to=<y@lmtp\.example>, .* status=sent /);
  await host.postfix.logged(/ to=<abc--inner\.example@postkasse\.invalid>, .* status=sent /, 2);
  assert.deepEqual(subjects('spool/lmtp.example/y').slice(-1), ['y@lmtp.example']);
  assert.deepEqual(subjects('spool/inner.example/abc').slice(-1), ['abc+down@inner.example']);
});

test("lmtp with look-ups, in Debian's chroots: a new user is known at once, an unknown one refused at RCPT", options, async (t) => {
  const host = await startHost(t, ['pk_kit_jail', 6073], ['*/inet', 'lmtp/unix', 'cleanup/unix', 'rewrite/unix'], true);
  const { tree, kit, subjects } = host;
  const applied = await kit('apply', '--style', 'lmtp');
  assert.deepEqual([applied.status, applied.err], [0, '']);
  const main = readFileSync(join(tree.folder, 'postfix', 'etc', 'main.cf'), 'utf8');
  assert.match(main, /^virtual_mailbox_maps = proxy:socketmap:unix:.*\/run\/lookups:mailboxes$/m);
  assert.match(main, /^virtual_transport = postkasse:unix:.*\/run\/lmtp$/m);
  const check = await kit('check');
  assert.deepEqual([check.status, check.out, check.err], [0, 'no findings\n', '']);

  const passwd = join(tree.folder, 'virtual', 'lmtp.example', 'passwd');
  assert.deepEqual(await send(host, 'ny@lmtp.example'), ['550 5.1.1']);
  writeFileSync(passwd, `${readFileSync(passwd, 'utf8')}ny:{PLAIN}x\n`);
  const to = ['x@lmtp.example', 'x+tag@lmtp.example', 'two@lmtp.example', 'ny@lmtp.example', 'abc@kvt.dk'];
  assert.deepEqual(
    await send(host, ...to),
    to.map(() => '250 2.1.5'),
  );
  for (const [address, outcome] of Object.entries(await outcomes(host, ...to))) assert.match(outcome, /^sent /, address);
  assert.deepEqual(subjects('spool/lmtp.example/ny'), ['ny@lmtp.example']);
  assert.deepEqual(subjects('spool/lmtp.example/y'), ['two@lmtp.example']);

  // While we are stopped our recipients wait at their senders, and nobody else's.
  assert.equal(await host.server.stop(), 0);
  assert.deepEqual(await send(host, 'x@lmtp.example', 'x@elsewhere.example'), ['451 4.3.0', '454 4.7.1']);
  host.server = await host.server.restart();
  const back = await kit('rollback');
  assert.deepEqual([back.status, back.err], [0, '']);
  assert.deepEqual(readdirSync(join(tree.folder, 'postfix', 'etc')).sort(), ['main.cf', 'master.cf']);
  assert.deepEqual(await send(host, 'x@lmtp.example'), ['454 4.7.1']);
});
