/** SMTP AUTH where domains have owners: proofs are checked by the owner's process, and what is announced is what every account can do. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { proof } from '../dialogues/proofs.ts';
import { SaslClient } from '../support/saslClient.ts';
import { makeNumberedOwner, makeOwnersTree, needsRoot as skip } from './support/owners.ts';
import { serving } from './support/processes.ts';

const options = { skip, timeout: 120_000 };

async function houseOf(t: TestContext, login: readonly string[]) {
  const tree = makeOwnersTree(t);
  const one = makeNumberedOwner(tree, 60_311, 'one.example');
  const two = makeNumberedOwner(tree, 60_312, 'two.example', ['gone:{PLAIN}secret']);
  const saslSocket = join(tree.folder, 'auth');
  const server = await serving(t, { tree, protocols: ['pop3'], saslSocket, settings: { login: ['failure_delay_ms = 0', ...login] } });
  const client = await SaslClient.connect({ path: saslSocket });
  t.after(() => client.close());
  return { tree, server, client, one, two };
}

const mechanismsOf = ({ handshake }: SaslClient) =>
  handshake.filter((line) => line.startsWith('MECH\t')).map((line) => line.split('\t')[1]);

test('accounts of any owner log in, and a wrong password, an unknown user and an unknown domain hear the same', options, async (t) => {
  const { client, one, two } = await houseOf(t, []);
  assert.deepEqual(mechanismsOf(client), ['PLAIN', 'LOGIN']);
  let id = 0;
  for (const { address } of [one, two, one]) {
    assert.equal(await client.plain(++id, '198.51.100.1', address, 'secret'), `OK\t${id}\tuser=${address}`);
  }
  for (const address of [one.address, 'nobody@one.example', 'abc@nowhere.example']) {
    assert.equal(await client.plain(++id, '198.51.100.1', address, 'wrong'), `FAIL\t${id}\tuser=${address}\treason=wrong name or password`);
  }
});

test('SCRAM and CRAM-MD5 where the settings announce them', options, async (t) => {
  const { client, two } = await houseOf(t, ['mechanisms = ["PLAIN", "CRAM-MD5", "SCRAM-SHA-256"]']);
  assert.deepEqual(mechanismsOf(client), ['SCRAM-SHA-256', 'CRAM-MD5', 'PLAIN']);
  const from = ['service=smtp', 'nologin', 'rip=198.51.100.1'];
  const heard: string[] = [];
  const challenge = async () => {
    const line = (await client.line()) ?? '';
    assert.match(line, /^CONT\t\d+\t/);
    heard.push(`+ ${line.split('\t')[2]}`);
  };
  client.say('AUTH', 1, 'SCRAM-SHA-256', ...from, `resp=${proof(`{scram-sha-256 first ${two.address}}`, heard)}`);
  await challenge();
  client.say('CONT', 1, proof(`{scram-sha-256 final ${two.address} secret}`, heard));
  await challenge();
  client.say('CONT', 1, '');
  assert.equal(await client.line(), `OK\t1\tuser=${two.address}`);
  client.say('AUTH', 2, 'CRAM-MD5', ...from);
  await challenge();
  client.say('CONT', 2, proof(`{cram-md5 ${two.address} secret}`, heard));
  assert.equal(await client.line(), `OK\t2\tuser=${two.address}`);
});

test('a domain of the owner’s that makes no sense is trouble, and no wrong password', options, async (t) => {
  const { tree, server, client, one, two } = await houseOf(t, []);
  writeFileSync(join(tree.folder, 'virtual', 'one.example', 'domain.toml'), 'owner = \n');
  assert.match((await client.plain(1, '198.51.100.1', one.address, 'secret')) ?? '', /^FAIL\t1\ttemp\tcode=temp_fail\treason=/);
  assert.equal(await client.plain(2, '198.51.100.1', two.address, 'secret'), `OK\t2\tuser=${two.address}`);
  await server.logged(/ smtp-auth\.trouble /);
});
