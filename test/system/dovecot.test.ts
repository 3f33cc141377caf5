/**
 * Dovecot's server and ours on the same Maildirs, one after the other and at the same time: whoever delivers, reads or deletes, the other
 * has exactly the messages that are left, whole, and ours keep their unique-ids. (Dovecot's own differ, as its `pop3_uidl_format` says.)
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Dovecot, dovecotAvailable, startDovecot } from '../../bench/dovecot.ts';
import { MailClient } from './support/mailClient.ts';
import { assertWhole, extreme, type NastyMessage, ordinary } from './support/nastyMail.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { makeTree, owner, type Server, startServer, type Tree } from './support/server.ts';

const all = [...ordinary, ...extreme];
const password = 'secret';
const skip = dovecotAvailable() ? false : 'the packages dovecot-pop3d and dovecot-lmtpd are not installed, or this is not root';

describe('Dovecot and Postkasse', { skip }, () => {
  let tree: Tree;
  let ours: Server;
  let theirs: Dovecot;
  before(async () => {
    const users = ['ada', 'bea', 'eva'];
    tree = makeTree({ passwd: new Map([['kvt.dk', users.map((user) => `${user}:{PLAIN}${password}:UID:GID::.:`)]]) });
    // Its log-in processes are users of their own.
    fs.chmodSync(tree.folder, 0o755);
    ours = await startServer({ tree, protocols: ['pop3', 'lmtp'], settings: { mailboxes: ['format = "maildir"'] } });
    theirs = await startDovecot({
      dir: join(tree.folder, 'dovecot'),
      spool: join(tree.folder, 'spool'),
      format: 'maildir',
      owner,
      domains: [{ name: 'kvt.dk', owner, logins: users.map((user) => ({ user: `${user}@kvt.dk`, password })) }],
      tuned: false,
    });
  });
  after(async () => {
    await theirs?.stop();
    await ours?.stop();
    tree?.remove();
  });

  async function deliver(port: number, login: string, messages: readonly NastyMessage[]): Promise<void> {
    const client = await MailClient.connect('lmtp', { port, host: '127.0.0.1' });
    for (const { wire } of messages) {
      const { replies } = await client.send({ from: 'ada@example.org', to: [login], content: wire });
      assert.match(replies.join(), /^250 /);
    }
    await client.close();
  }

  async function session(port: number, login: string): Promise<Pop3Client> {
    const client = await Pop3Client.login(port, login, password);
    assert.ok(client, 'another session has the maildrop');
    return client;
  }

  interface Listed {
    readonly sizes: readonly number[];
    readonly ids: readonly string[];
    readonly messages: readonly Buffer[];
  }

  /** All there is, and then these deleted. Sizes must be those of what is sent. */
  async function read(port: number, login: string, ...deleted: readonly number[]): Promise<Listed> {
    const client = await session(port, login);
    const sizes = (await client.rows('LIST')).map((row) => Number(row.split(' ')[1]));
    const ids = await client.uniqueIds();
    const messages: Buffer[] = [];
    for (const number of sizes.keys()) messages.push(await client.retrieve(number + 1));
    assert.deepEqual(
      sizes,
      messages.map(({ length }) => length),
    );
    for (const number of deleted) await client.ok(`DELE ${number}`);
    await client.ok('QUIT');
    await client.drop();
    return { sizes, ids, messages };
  }

  /** `,S=` and `,W=` in the names are the octets in the file and on the wire. */
  function assertNamesTellSizes(login: string, { messages }: Listed): void {
    const path = join(tree.folder, 'spool', 'kvt.dk', login.replace('@kvt.dk', ''));
    const files = ['new', 'cur'].flatMap((folder) => fs.readdirSync(join(path, folder)).map((name) => join(path, folder, name)));
    const told = files.map((file) => /,S=(\d+),W=(\d+)(?=:|$)/.exec(file)?.slice(1).map(Number));
    assert.deepEqual(
      told.map((sizes) => sizes?.[0]),
      files.map((file) => fs.statSync(file).size),
    );
    const sorted = (sizes: readonly (number | undefined)[]) => sizes.toSorted((one = 0, other = 0) => one - other);
    assert.deepEqual(sorted(told.map((sizes) => sizes?.[1])), sorted(messages.map(({ length }) => length)));
  }

  /** As they were handed in: what the deliverer put before is left out. */
  function assertTheSame({ messages }: Pick<Listed, 'messages'>, expected: readonly NastyMessage[]): void {
    const handedIn = (octets: Buffer) => octets.subarray(octets.indexOf('From: Ada'));
    assertWhole(messages.map(handedIn), expected, handedIn);
  }

  test('Dovecot delivers; Postkasse reads and deletes some; Dovecot has the rest; and Postkasse again', async () => {
    const login = 'ada@kvt.dk';
    await deliver(theirs.lmtpPort, login, all);
    const first = await read(ours.ports.pop3, login, 2, 5, all.length);
    assertTheSame(first, all);
    const left = all.filter((_, index) => ![2, 5, all.length].includes(index + 1));
    const second = await read(theirs.pop3Port, login, 1);
    assertTheSame(second, left);
    const third = await read(ours.ports.pop3, login);
    assertTheSame(third, left.slice(1));
    assertNamesTellSizes(login, third);
    assert.deepEqual(third.sizes, second.sizes.slice(1));
    assert.deepEqual(third.ids, first.ids.filter((_, index) => ![2, 5, all.length].includes(index + 1)).slice(1));
    // Dovecot's ids, too, are what they were before we came by.
    assert.deepEqual((await read(theirs.pop3Port, login)).ids, second.ids.slice(1));
  });

  test('Postkasse delivers; Dovecot reads and deletes some; Postkasse has the rest', async () => {
    const login = 'bea@kvt.dk';
    await deliver(ours.ports.lmtp, login, all);
    const first = await read(ours.ports.pop3, login);
    assertTheSame(first, all);
    assertNamesTellSizes(login, first);
    const second = await read(theirs.pop3Port, login, 1, 3);
    assertTheSame(second, all);
    assert.deepEqual(second.sizes, first.sizes);
    const left = all.filter((_, index) => ![1, 3].includes(index + 1));
    const third = await read(ours.ports.pop3, login);
    assertTheSame(third, left);
    assertNamesTellSizes(login, third);
    assert.deepEqual(
      third.ids,
      first.ids.filter((_, index) => ![1, 3].includes(index + 1)),
    );
    // Both deliver now, and both have it all.
    await deliver(theirs.lmtpPort, login, ordinary.slice(0, 1));
    await deliver(ours.ports.lmtp, login, ordinary.slice(1, 2));
    const fourth = await read(ours.ports.pop3, login);
    assertTheSame(fourth, [...left, ...ordinary.slice(0, 2)]);
    assertTheSame(await read(theirs.pop3Port, login), [...left, ...ordinary.slice(0, 2)]);
    assert.deepEqual(fourth.ids.slice(0, left.length), third.ids);
  });

  test('both have the maildrop open: what one deletes the other misses, and nothing else', async () => {
    const login = 'eva@kvt.dk';
    await deliver(ours.ports.lmtp, login, ordinary);
    const open = await session(ours.ports.pop3, login);
    const ids = await open.uniqueIds();
    // Moves everything from new/ to cur/ and takes one away.
    assertTheSame(await read(theirs.pop3Port, login, 2), ordinary);
    assert.match(await open.command('RETR 2'), /^-ERR \[SYS\/TEMP\] /);
    const messages: Buffer[] = [];
    for (const number of ordinary.keys()) if (number !== 1) messages.push(await open.retrieve(number + 1));
    assertTheSame({ messages }, ordinary.toSpliced(1, 1));
    await open.ok('DELE 3');
    await open.ok('QUIT');
    await open.drop();
    const left = ordinary.filter((_, index) => ![2, 3].includes(index + 1));
    const after = await read(ours.ports.pop3, login);
    assertTheSame(after, left);
    assert.deepEqual(
      after.ids,
      ids.filter((_, index) => ![2, 3].includes(index + 1)),
    );
    assertTheSame(await read(theirs.pop3Port, login), left);
  });

  test('Dovecot found nothing to complain of', () => {
    const log = fs.readFileSync(join(tree.folder, 'dovecot', 'log'), 'utf8');
    assert.deepEqual(
      log.split('\n').filter((line) => /Error|Warning|Panic|Fatal|Corrupt/.test(line)),
      [],
    );
  });
});
