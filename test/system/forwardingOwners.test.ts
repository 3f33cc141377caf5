/** Mail that goes on, and answers, where domains have owners: the front sends, and the owner's process remembers who was answered. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fieldValues } from '../../src/message/header.ts';
import { MailClient } from './support/mailClient.ts';
import { type OutsideWorld, startOutsideWorld } from './support/outsideWorld.ts';
import { makeFile, makeNumberedOwner, makeOwnersTree, needsRoot as skip, whose } from './support/owners.ts';
import { serving } from './support/processes.ts';
import type { Server, Tree } from './support/server.ts';

const options = { skip, timeout: 60_000 };

async function setUp(t: TestContext): Promise<{ tree: Tree; world: OutsideWorld; start(): Promise<Server> }> {
  const tree = makeOwnersTree(t);
  const world = await startOutsideWorld([]);
  t.after(() => world.close());
  const start = () =>
    serving(t, {
      tree,
      protocols: ['lmtp'],
      settings: { submission: ['via = "smtp"', `smtp = "127.0.0.1:${world.port}"`], log: ['level = "debug"'] },
    });
  return { tree, world, start };
}

async function deliver({ ports }: Server, from: string, to: string): Promise<string> {
  const client = await MailClient.connect('lmtp', { port: ports.lmtp, host: '127.0.0.1' });
  const content = Buffer.from(`To: ${to}\r\nSubject: lunch\r\n\r\nHello.\r\n`);
  const { recipients, replies } = await client.send({ from, to: [to], content });
  await client.close();
  return replies[0] ?? recipients[0] ?? '';
}

test('what an owner wants to go on goes on, and who is away answers once, over a restart too', options, async (t) => {
  const { tree, world, start } = await setUp(t);
  const owner = makeNumberedOwner(tree, 61301, 'one.example', ['away:{PLAIN}secret']);
  const accounts = join(tree.folder, 'virtual', 'one.example', 'accounts');
  makeFile(owner, join(accounts, 'abc.toml'), 'forward = ["bob@elsewhere.example"]\nkeep_copy = false\n');
  makeFile(owner, join(accounts, 'away.toml'), '[vacation]\ntext = "Away."\n');
  const server = await start();

  assert.match(await deliver(server, 'ada@sender.example', 'abc@one.example'), /^250 2\.0\.0 /);
  const { sender } = await world.mailFor('bob@elsewhere.example');
  assert.match(sender, /^SRS0=.*=sender\.example=ada@one\.example$/);
  // Its bounce is for the sender, whichever front it comes to.
  assert.match(await deliver(server, '', sender), /^250 2\.0\.0 /);
  assert.equal((await world.mailFor('ada@sender.example')).sender, '');

  assert.match(await deliver(server, 'eve@sender.example', 'away@one.example'), /^250 2\.0\.0 /);
  const answer = await world.mailFor('eve@sender.example');
  assert.deepEqual([answer.sender, fieldValues(answer.content, 'Subject')], ['', ['Auto: lunch']]);
  assert.equal(whose(join(tree.folder, 'state', 'owners', '61301', 'once', 'vacation', 'one.example', 'away')), '61301:61301 600');
  assert.equal(await server.stop(), 0);

  const again = await start();
  assert.match(await deliver(again, 'eve@sender.example', 'away@one.example'), /^250 2\.0\.0 /);
  await again.logged(/ vacation\.not-answered .*answered lately/);
  assert.match(await deliver(again, '', sender), /^250 2\.0\.0 /);
  await world.mailFor('ada@sender.example', 2);
  assert.equal(world.arrived.length, 4);
});
