/** Where domains have owners, what Postfix asks is answered by their workers: and when those can't, it is "try again". */
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { SocketmapClient } from '../support/socketmapClient.ts';
import { makeFile, makeNumberedOwner, makeOwnersTree, needsRoot as skip, workersOf } from './support/owners.ts';
import { serving } from './support/processes.ts';

const options = { skip, timeout: 120_000 };

async function house(t: TestContext, settings: readonly string[] = []) {
  const tree = makeOwnersTree(t);
  const one = makeNumberedOwner(tree, 61_301, 'one.example', ['shut:{PLAIN}secret', 'gone:{PLAIN}secret']);
  makeNumberedOwner(tree, 61_302, 'other.example');
  const inOne = (name: string, text: string) => makeFile(one, join(tree.folder, 'virtual', one.domain, name), text);
  inOne('aliases', 'both: abc, ada@example.org\n');
  inOne('accounts/shut.toml', 'services = ["pop3", "smtp-auth"]\n');
  inOne('accounts/gone.toml', 'disabled = true\n');
  const socket = join(tree.folder, 'run', 'lookups');
  const server = await serving(t, {
    tree,
    protocols: ['pop3', 'lmtp'],
    listeners: [['protocol = "socketmap"', `address = "unix:${socket}"`]],
    settings: { login: ['failure_delay_ms = 0'], lookups: settings },
  });
  const client = await SocketmapClient.connect({ path: socket });
  t.after(() => client.end());
  /** However long it takes until the worker is there. */
  async function patiently(map: string, key: string, asker = client): Promise<string | undefined> {
    for (;;) {
      const answer = await asker.ask(map, key);
      if (!/^(?:TEMP|TIMEOUT) /.test(answer ?? '')) return answer;
    }
  }
  return { one, server, socket, client, patiently };
}

test('each table, over the workers of two owners', options, async (t) => {
  const { patiently, server } = await house(t);
  const cases: [map: string, key: string, answer: string][] = [
    ['domains', 'one.example', 'OK OK'],
    ['domains', 'other.example', 'OK OK'],
    ['domains', 'third.example', 'NOTFOUND '],
    ['mailboxes', 'abc@one.example', 'OK OK'],
    ['mailboxes', 'abc+tag@other.example', 'OK OK'],
    ['mailboxes', 'both@one.example', 'OK OK'],
    ['mailboxes', 'nobody@one.example', 'NOTFOUND '],
    ['mailboxes', 'shut@one.example', 'NOTFOUND '],
    ['mailboxes', 'gone@one.example', 'OK OK'],
    ['aliases', 'both@one.example', 'OK abc@one.example, ada@example.org'],
    ['aliases', 'abc@one.example', 'NOTFOUND '],
    ['senders', 'both@one.example', 'OK abc@one.example'],
    ['senders', 'shut@one.example', 'OK shut@one.example'],
    ['senders', 'gone@one.example', 'NOTFOUND '],
    ['transport', 'other.example', `OK lmtp:inet:[127.0.0.1]:${server.ports.lmtp}`],
    ['transport', 'third.example', 'NOTFOUND '],
  ];
  for (const [map, key, answer] of cases) assert.equal(await patiently(map, key), answer, `${map} ${key}`);
});

test("a worker that doesn't answer, that dies or that nobody may start: mail waits, and other owners are served", options, async (t) => {
  const { client, patiently, server, one } = await house(t, ['answer_s = 1']);
  assert.equal(await patiently('mailboxes', 'abc@one.example'), 'OK OK');
  const [{ pid = 0 } = {}] = workersOf(server);
  process.kill(pid, 'SIGSTOP');
  assert.equal(await client.ask('mailboxes', 'nobody@one.example'), 'TIMEOUT no answer in time');
  assert.equal(await patiently('mailboxes', 'abc@other.example'), 'OK OK');
  process.kill(pid, 'SIGKILL');
  await server.logged(/ worker\.died /);
  // A new one is there as soon as somebody asks for it; until it is, it is "try again".
  assert.equal(await patiently('mailboxes', 'nobody@one.example'), 'NOTFOUND ');
  // Whose it is can't be told any more: anybody could have written it.
  chmodSync(one.passwd, 0o666);
  writeFileSync(one.passwd, 'abc:{PLAIN}secret\n');
  for (const [map, key] of [
    ['domains', 'one.example'],
    ['mailboxes', 'abc@one.example'],
    ['mailboxes', 'nobody@one.example'],
    ['senders', 'abc@one.example'],
    ['aliases', 'both@one.example'],
  ] as const)
    assert.match((await client.ask(map, key)) ?? '', /^(?:TEMP|TIMEOUT) /, `${map} ${key}`);
  assert.equal(await patiently('mailboxes', 'nobody@other.example'), 'NOTFOUND ');
});

test('after SIGHUP connections end, and who comes again is told what the new settings say', options, async (t) => {
  const { client, patiently, server, socket } = await house(t);
  assert.equal(await patiently('domains', 'one.example'), 'OK OK');
  process.kill(server.pid, 'SIGHUP');
  await server.logged(/ supervisor\.reloaded /);
  await client.closed();
  const again = await SocketmapClient.connect({ path: socket });
  t.after(() => again.end());
  assert.equal(await patiently('domains', 'one.example', again), 'OK OK');
});
