/** One client of the auth protocol speaks to Dovecot's own auth process and to ours: what it says is understood by both, and the answers have one shape. */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { dovecotAvailable, startDovecot } from '../../bench/dovecot.ts';
import { proof } from '../dialogues/proofs.ts';
import { SaslClient } from '../support/saslClient.ts';
import { serving } from './support/processes.ts';
import { makeTree, owner } from './support/server.ts';

const skip = dovecotAvailable() ? false : 'the packages dovecot-pop3d and dovecot-lmtpd are not installed, or this is not root';
const options = { skip, timeout: 120_000 };
const login = 'ada@kvt.dk';
const password = 'secret';

async function both(t: TestContext): Promise<{ theirs: SaslClient; ours: SaslClient }> {
  const tree = makeTree({ passwd: new Map([['kvt.dk', [`ada:{PLAIN}${password}:UID:GID::.:`]]]) });
  t.after(() => tree.remove());
  chmodSync(tree.folder, 0o755);
  const saslSocket = join(tree.folder, 'run', 'auth');
  await serving(t, { tree, protocols: ['pop3'], saslSocket, settings: { login: ['failure_delay_ms = 0'] } });
  const dovecot = await startDovecot({
    dir: join(tree.folder, 'dovecot'),
    spool: join(tree.folder, 'spool'),
    format: 'mbox',
    owner,
    domains: [{ name: 'kvt.dk', owner, logins: [{ user: login, password }] }],
    tuned: false,
    mechanisms: ['plain', 'login', 'cram-md5', 'scram-sha-1', 'scram-sha-256'],
  });
  t.after(() => dovecot.stop());
  const [theirs, ours] = [await SaslClient.connect({ path: dovecot.authSocket }), await SaslClient.connect({ path: saslSocket })];
  t.after(() => {
    theirs.close();
    ours.close();
  });
  return { theirs, ours };
}

const from = ['service=smtp', 'nologin', 'lip=192.0.2.25', 'rip=198.51.100.7', 'secured'];
const plain = (secret: string) => `resp=${Buffer.from(`\0${login}\0${secret}`).toString('base64')}`;

/** A handshake without what differs in each. */
function shape(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/^(SPID|CUID)\t\d+$/, '$1').replace(/^COOKIE\t[0-9a-f]{32}$/, 'COOKIE'));
}

/** One exchange, answers as they come; a challenge without its octets. */
async function exchange(
  client: SaslClient,
  id: number,
  mechanism: string,
  secret: string,
  more: readonly string[] = [],
): Promise<string[]> {
  const name = mechanism.toLowerCase();
  const heard: string[] = [];
  const answers: string[] = [];
  const steps =
    mechanism === 'LOGIN'
      ? [`{base64 ${login}}`, `{base64 ${secret}}`]
      : mechanism === 'PLAIN'
        ? [`{base64 \\0${login}\\0${secret}}`]
        : mechanism === 'CRAM-MD5'
          ? [`{cram-md5 ${login} ${secret}}`]
          : [`{${name} first ${login}}`, `{${name} final ${login} ${secret}}`, ''];
  client.say('AUTH', id, mechanism, ...from, ...more);
  for (const step of [...steps, undefined]) {
    const line = (await client.line()) ?? '(closed)';
    const isChallenge = line.startsWith('CONT\t');
    answers.push(isChallenge ? line.replace(/\t[^\t]*$/, '\t…') : line.replace(/\tresp=\S+/, '\tresp=…'));
    if (!isChallenge || step === undefined) break;
    heard.push(`+ ${line.split('\t')[2]}`);
    client.say('CONT', id, proof(step, heard));
  }
  return answers;
}

test('the same handshake, but for the order of the mechanisms', options, async (t) => {
  const { theirs, ours } = await both(t);
  assert.deepEqual(shape(ours.handshake).sort(), shape(theirs.handshake).sort());
  assert.deepEqual(
    [theirs, ours].map(({ handshake }) => [handshake[0], handshake.at(-1)]),
    [
      ['VERSION\t1\t2', 'DONE'],
      ['VERSION\t1\t2', 'DONE'],
    ],
  );
});

test('each mechanism has as many steps, and ends with the same word', options, async (t) => {
  const { theirs, ours } = await both(t);
  let id = 0;
  for (const mechanism of ['PLAIN', 'LOGIN', 'CRAM-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256']) {
    for (const more of [[], ['final-resp-ok']]) {
      id++;
      const answers = await exchange(ours, id, mechanism, password, more);
      assert.deepEqual(answers, await exchange(theirs, id, mechanism, password, more), `${mechanism} ${more}`);
      assert.match(answers.at(-1) ?? '', /^OK\t\d+\tuser=ada@kvt\.dk/);
    }
  }
});

test('refusals: FAIL with the id and the name, and what is malformed is known for it', options, async (t) => {
  const { theirs, ours } = await both(t);
  const fields = (line: string | undefined) => line?.replace(/\treason=[^\t]*/, '').split('\t');
  for (const client of [theirs, ours]) {
    client.say('AUTH', 1, 'PLAIN', ...from, plain('wrong'));
    assert.deepEqual(fields(await client.line()), ['FAIL', '1', `user=${login}`]);
    client.say('AUTH', 2, 'PLAIN', ...from, 'resp=%%%');
    assert.deepEqual(fields(await client.line()), ['FAIL', '2', 'code=invalid_base64']);
    client.say('CONT', 77, 'YWRh');
    assert.deepEqual(fields(await client.line()), ['FAIL', '77']);
    // One that was given up is answered no more.
    client.say('AUTH', 3, 'LOGIN', ...from);
    assert.equal(await client.line(), 'CONT\t3\tVXNlcm5hbWU6');
    client.say('CANCEL', 3);
    client.say('AUTH', 3, 'PLAIN', ...from, plain(password));
    assert.equal(await client.line(), `OK\t3\tuser=${login}`);
  }
});

for (const [what, line] of [
  ['an unknown command', 'NOOP'],
  ['an id that is none', 'AUTH\t0\tPLAIN\tservice=smtp'],
  ['a request without a service', 'AUTH\t1\tPLAIN\tsecured'],
  ['a parameter after resp', 'AUTH\t1\tPLAIN\tservice=smtp\tresp=YQ==\tsecured'],
  ['an id that is in use', 'AUTH\t1\tLOGIN\tservice=smtp\tsecured\nAUTH\t1\tLOGIN\tservice=smtp\tsecured'],
] as const) {
  test(`${what}: both close the connection`, options, async (t) => {
    for (const client of Object.values(await both(t))) {
      client.write(`${line}\n`);
      let last: string | undefined;
      do last = await client.line();
      while (last?.startsWith('CONT\t'));
      assert.equal(last, undefined);
    }
  });
}
