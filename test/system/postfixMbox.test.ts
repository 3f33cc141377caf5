/** Postfix's own local(8) and virtual(8) append to an mbox while POP3 sessions fetch and delete: each message arrives once, and whole. */
import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Ledger, session } from './support/ledger.ts';
import { MailClient } from './support/mailClient.ts';
import { composed } from './support/numberedMail.ts';
import { noPostfix, type Postfix, startPostfix } from './support/postfix.ts';
import { seededRandom } from './support/seededRandom.ts';
import { makeTree, owner, type Server, startServer, type Tree } from './support/server.ts';

/** local(8) delivers to users of the host only: on a Debian system uid 8 is this one. Its real mailbox is not touched. */
const systemUser = 'mail';
const skip = noPostfix || (hasSystemUser() ? false : `the host has no user ${systemUser} with uid ${owner.uid}`);
const password = 'secret';
const deliveries = 500;
const connections = 4;

let tree: Tree;
let server: Server;
let postfix: Postfix;

before(async () => {
  if (skip) return;
  const line = (user: string) => `${user}:{PLAIN}${password}:UID:GID::.:`;
  tree = makeTree({ passwd: new Map([['kvt.dk', [line(systemUser), line('abc'), line('kvt')]]]) });
  chmodSync(tree.folder, 0o755);
  server = await startServer({ tree, protocols: ['pop3', 'lmtp'] });
  const spool = join(tree.folder, 'spool');
  postfix = await startPostfix({
    folder: join(tree.folder, 'postfix'),
    main: [
      // <user>@host.example: local(8), into the file that is <user>@kvt.dk's for us.
      'mydestination = host.example',
      'local_recipient_maps =',
      `mail_spool_directory = ${spool}/kvt.dk`,
      'virtual_mailbox_domains = kvt.dk',
      'virtual_transport = virtual',
      `virtual_mailbox_base = ${spool}`,
      'virtual_mailbox_maps = inline:{ abc@kvt.dk=kvt.dk/abc, kvt@kvt.dk=kvt.dk/kvt }',
      `virtual_uid_maps = static:${owner.uid}`,
      `virtual_gid_maps = static:${owner.gid}`,
      'virtual_minimum_uid = 1',
      // Who finds the mailbox locked waits a second before he looks again; let there be others who don't.
      'local_destination_concurrency_limit = 5',
    ],
  });
});

after(async () => {
  if (skip) return;
  await postfix?.stop();
  const status = await server?.stop();
  tree?.remove();
  assert.equal(status, 0);
});

for (const { what, user, recipient, overLmtp } of [
  { what: 'local(8)', user: systemUser, recipient: `${systemUser}@host.example`, overLmtp: 0 },
  { what: 'virtual(8)', user: 'abc', recipient: 'abc@kvt.dk', overLmtp: 0 },
  { what: 'virtual(8) and our own LMTP', user: 'kvt', recipient: 'kvt@kvt.dk', overLmtp: deliveries / 2 },
]) {
  test(`${deliveries} deliveries by ${what}, fetched and deleted meanwhile`, { skip, timeout: 180_000 }, async (t) => {
    const random = seededRandom(t);
    const ledger = new Ledger();
    const names = Array.from({ length: deliveries }, (_, n) => `${user}.${n}`);
    const delivered = postfix.logged(new RegExp(` to=<${recipient}>, .* status=sent `), deliveries - overLmtp);
    const address = `${user}@kvt.dk`;
    let arriving = true;
    const sending = Promise.all([
      sendAll('smtp', postfix.port, recipient, names.slice(overLmtp)),
      sendAll('lmtp', server.ports.lmtp, address, names.slice(0, overLmtp), ledger),
      flushed(delivered),
    ]).finally(() => {
      arriving = false;
    });
    let sessions = 0;
    const plan = { port: server.ports.pop3, user: address, password, ledger, random };
    for (; arriving; sessions++) await session(plan);
    await sending;
    for (const name of names) ledger.confirmed.add(name);
    const startedAt = performance.now();
    while (ledger.removed.size < deliveries && performance.now() - startedAt < 10_000) await session({ ...plan, all: true });
    ledger.settle(false);
    assert.deepEqual([...ledger.removed].sort(), [...names].sort());

    const path = join(tree.folder, 'spool', 'kvt.dk', user);
    assert.equal(readFileSync(path, 'latin1'), '');
    assert.deepEqual(
      readdirSync(join(tree.folder, 'spool', 'kvt.dk')).filter((name) => name.includes(`${user}.`)),
      [],
      'lock files and new files are gone',
    );
    assert.deepEqual(await postfix.queue(), []);
    assert.equal(/ status=bounced .*/.exec(postfix.log())?.[0], undefined);
    t.diagnostic(`${sessions} sessions, ${postfix.log().match(/ status=deferred /g)?.length ?? 0} deferrals`);
  });
}

/** Over several connections at a time. */
async function sendAll(protocol: 'smtp' | 'lmtp', port: number, to: string, names: readonly string[], ledger?: Ledger): Promise<void> {
  const waiting = [...names];
  const connection = async () => {
    if (waiting.length === 0) return;
    const client = await MailClient.connect(protocol, { port, host: '127.0.0.1' });
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const { recipients, replies } = await client.send({ from: 'ada@example.org', to: [to], content: composed(name) });
      for (const reply of [...recipients, ...replies]) assert.match(reply, /^250 /);
      ledger?.confirmed.add(name);
    }
    await client.command('QUIT');
    await client.close();
  };
  await Promise.all(Array.from({ length: connections }, connection));
}

/** Who finds the mailbox locked twenty times in a row gives up until later; that is now. */
async function flushed(delivered: Promise<unknown>): Promise<void> {
  let waiting = true;
  const done = delivered.then(() => {
    waiting = false;
  });
  for (let n = 1; waiting; n++) {
    await Promise.race([done, postfix.logged(/ status=deferred /, n)]);
    if (waiting) await postfix.flush();
  }
}

function hasSystemUser(): boolean {
  return readFileSync('/etc/passwd', 'latin1').includes(`\n${systemUser}:x:${owner.uid}:`);
}
