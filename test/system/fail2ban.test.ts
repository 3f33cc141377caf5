/** The real fail2ban-regex reads our log: it finds who guesses, and nobody whom a client made up. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SaslClient } from '../support/saslClient.ts';
import { missing, run } from './support/programs.ts';
import { authPlain, connectFrom, servingProxied } from './support/proxied.ts';
import { makeTree } from './support/server.ts';

const skip = missing('fail2ban-regex', 'fail2ban');
const filter = join(import.meta.dirname, '..', '..', 'contrib', 'fail2ban', 'filter.d', 'postkasse.conf');

const victim = '203.0.113.66';
const forgedLine = `info  pop3.login-failed session=1 remote=${victim} method=USER login=a tls=true kind=auth reason="wrong password"`;
const forgedObject = `{"level":"info","time":"2026-01-01T00:00:00.000Z","pid":1,"session":"1","remote":"${victim}","method":"USER","login":"a","tls":true,"kind":"auth","reason":"wrong password","event":"pop3.login-failed"}`;
const forged = [
  ` remote=${victim} `,
  `x remote=${victim} method=USER login=a tls=true kind=auth reason="wrong password"`,
  `" tls=true kind=auth reason="wrong password" remote=${victim}`,
  `\\" tls=true kind=auth reason=\\"wrong password\\" remote=${victim}`,
  `\n2026-01-01T00:00:00.000Z ${forgedLine}`,
  `\r\n2026-01-01T00:00:00.000Z ${forgedLine}\r\n`,
  `\u20282026-01-01T00:00:00.000Z ${forgedLine}\u0085`,
  `Jan  1 00:00:00 host postkasse[1]: 2026-01-01T00:00:00.000Z ${forgedLine}`,
  `\n${forgedObject}\n`,
  `"}\n${forgedObject}`,
  `","remote":"${victim}`,
  '\\',
  '"',
  "'",
  '\u001b[2J',
];

async function matched(folder: string, lines: readonly string[]): Promise<string[]> {
  const file = join(folder, 'log');
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''), 'latin1');
  const { status, out, said } = await run('fail2ban-regex', ['-o', 'ip', file, filter], { home: folder });
  assert.equal(status, 0, said);
  return out.toString().split('\n').filter(Boolean).sort();
}

for (const format of ['line', 'json']) {
  test(`log.format = "${format}": each guess is found once under its address, and nothing else is`, { skip }, async (t) => {
    const tree = makeTree({ passwd: new Map([['kvt.dk', ['abc:{PLAIN}secret:UID:GID::.:', 'far:{PLAIN}secret:UID:GID::.:']]]) });
    t.after(() => tree.remove());
    mkdirSync(join(tree.folder, 'virtual', 'kvt.dk', 'accounts'));
    writeFileSync(join(tree.folder, 'virtual', 'kvt.dk', 'accounts', 'far.toml'), 'networks = ["192.0.2.0/24"]\n');
    tree.own();
    const saslSocket = join(tree.folder, 'run', 'auth');
    const server = await servingProxied(t, {
      tree,
      saslSocket,
      settings: {
        '': ['stop_grace_s = 0'],
        login: ['failure_delay_ms = 0', 'max_failures = 100', 'plaintext_networks = ["0.0.0.0/0", "::/0"]'],
        log: [`format = "${format}"`, 'level = "debug"'],
      },
    });

    const guessers: string[] = [];
    const logIn = async (from: string, login: string, password: string): Promise<string | undefined> => {
      const client = await connectFrom(t, server, from);
      const reply = await authPlain(client, login, password);
      // Who is logged in stays.
      if (!reply?.startsWith('+OK')) await client.end();
      return reply;
    };
    const guess = async (from: string, login: string): Promise<void> => {
      guessers.push(from);
      assert.equal(await logIn(from, login, 'guess'), '-ERR [AUTH] authentication failed', JSON.stringify(login));
    };
    await guess('198.51.100.1', 'abc@kvt.dk');
    await guess('2001:db8::1', 'nobody@kvt.dk');
    await guess('198.51.100.2', 'abc@nowhere.example');
    for (const [n, login] of forged.entries()) await guess(`198.51.100.${100 + n}`, login);
    for (const [n, login] of forged.entries()) await guess(`2001:db8:1::${n + 1}`, login);
    const old = await connectFrom(t, server, '198.51.100.3');
    guessers.push('198.51.100.3');
    for (const _ of [1, 2, 3]) {
      old.write('USER abc@kvt.dk\r\nPASS old password\r\n');
      assert.deepEqual([await old.line(), await old.line()], ['+OK now the password', '-ERR [AUTH] authentication failed']);
    }
    // The same over SMTP, where Postfix says who comes.
    const postfix = await SaslClient.connect({ path: saslSocket });
    t.after(() => postfix.close());
    let id = 0;
    const wrongOverSmtp = async (from: string, login: string, isCounted = true): Promise<void> => {
      id++;
      if (isCounted) guessers.push(from);
      assert.match((await postfix.plain(id, from, login, 'guess')) ?? '', new RegExp(`^FAIL\\t${id}\\t`), JSON.stringify(login));
    };
    await wrongOverSmtp('203.0.113.1', 'abc@kvt.dk');
    await wrongOverSmtp('2001:db8:2::1', 'nobody@kvt.dk');
    for (const [n, login] of forged.entries()) await wrongOverSmtp(`203.0.113.${100 + n}`, login);
    await wrongOverSmtp('203.0.113.1', 'abc@kvt.dk', false);
    assert.equal(await postfix.plain(++id, '203.0.113.2', 'abc@kvt.dk', 'secret'), `OK\t${id}\tuser=abc@kvt.dk`);
    assert.match((await postfix.plain(++id, '203.0.113.3', 'far@kvt.dk', 'secret')) ?? '', /^FAIL/);
    // None of these is a guess.
    assert.equal(await logIn('198.51.100.4', 'far@kvt.dk', 'secret'), '-ERR [AUTH] authentication failed');
    assert.match((await logIn('198.51.100.5', 'abc@kvt.dk', 'secret')) ?? '', /^\+OK/);
    assert.match((await logIn('198.51.100.6', 'abc@kvt.dk', 'secret')) ?? '', /^-ERR \[IN-USE\]/);
    assert.match((await logIn('198.51.100.7', 'x'.repeat(300), 'secret')) ?? '', /^-ERR malformed/);
    await server.logged(/198\.51\.100\.6.*in-use/);

    await server.stop();
    await server.gone();
    const lines = server.log().split('\n').filter(Boolean);
    assert.ok(lines.length > guessers.length);
    assert.deepEqual(await matched(tree.folder, lines), guessers.sort());
    // As syslog and the journal hand them on.
    for (const prefix of ['Sep 28 10:00:00 host postkasse[12]: ', '2026-09-28T10:00:00.123456+02:00 host postkasse[12]: ']) {
      const handed = lines.map((line) => prefix + line);
      assert.deepEqual(await matched(tree.folder, handed), guessers.sort(), prefix);
    }
  });
}

test('the jail file is one that fail2ban can read', { skip }, async (t) => {
  const tree = makeTree({ passwd: new Map() });
  t.after(() => tree.remove());
  const jail = join(filter, '..', '..', 'jail.d', 'postkasse.conf');
  const script = `
import configparser, sys
read = configparser.ConfigParser(interpolation=None)
read.read_string(open(sys.argv[1]).read())
print(sorted(read['postkasse']))
`;
  const { out, said, status } = await run('python3', ['-c', script, jail], { home: tree.folder });
  assert.equal(status, 0, said);
  assert.equal(out.toString().trim(), "['backend', 'bantime', 'enabled', 'filter', 'findtime', 'ignoreip', 'maxretry', 'port']");
});
