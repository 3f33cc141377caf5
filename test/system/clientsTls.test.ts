/** TLS as `openssl s_client` sees it, and what needs TLS underneath: names, versions, channel binding; LANG and UTF8 by hand. */
import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync, randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { generate } from 'selfsigned';
import { linesOf } from '../dialogues/socketWire.ts';
import { Client } from '../support/socketDialogue.ts';
import { type ClientHouse, openClientHouse, password } from './support/clientHouse.ts';
import { ordinary } from './support/nastyMail.ts';
import { missing, type Ran, run } from './support/programs.ts';
import { makeTree, startServer } from './support/server.ts';

const [dots] = ordinary;

describe('openssl s_client', { skip: missing('openssl', 'openssl') }, () => {
  let house: ClientHouse;
  let home: string;
  before(async () => {
    house = await openClientHouse({ tls: ['min_version = "1.3"'] });
    home = house.home('openssl');
  });
  after(() => house.close());

  /** -quiet: what is typed is sent, even a line that begins with Q or R, and what comes is all that is printed. */
  function openssl(way: 'STLS' | 'POP3S', input: string, ...args: readonly string[]): Promise<Ran> {
    const { pop3, pop3s } = house.server.ports;
    const to = way === 'STLS' ? ['-starttls', 'pop3', '-connect', `localhost:${pop3}`] : ['-connect', `localhost:${pop3s}`];
    return run('openssl', ['s_client', ...to, '-crlf', '-quiet', ...args], { home, input });
  }

  for (const way of ['STLS', 'POP3S'] as const) {
    test(`a whole session over ${way}, the certificate verified by name`, async () => {
      const login = house.mailbox('mbox', ordinary);
      const typed = `USER ${login}\nPASS ${password}\nRETR 1\nDELE 1\nQUIT\n`;
      const trust = ['-CAfile', house.certificate, '-verify_hostname', 'localhost', '-verify_return_error'];
      const { status, out } = await openssl(way, typed, ...trust);
      assert.equal(status, 0);
      const octets = ordinary.reduce((sum, { wire }) => sum + wire.length, 0);
      const body = dots?.wire.toString('latin1').replace(/^\./gm, '..');
      // After STLS no greeting comes again, and s_client prints none of what went before.
      const greeting = way === 'POP3S' ? /^\+OK POP3 server ready <\d+\.\d+@localhost>\r\n/ : /^/;
      assert.match(out.toString('latin1'), greeting);
      assert.equal(
        out.toString('latin1').replace(greeting, ''),
        `+OK now the password\r\n+OK ${ordinary.length} messages (${octets} octets)\r\n+OK ${dots?.wire.length} octets\r\n${body}.\r\n` +
          `+OK message 1 deleted\r\n+OK goodbye (${ordinary.length - 1} messages left)\r\n`,
      );
    });

    test(`a name the certificate is not for is noticed over ${way}`, async () => {
      const trust = ['-CAfile', house.certificate, '-verify_hostname', 'pop.example.org', '-verify_return_error'];
      const { status, said } = await openssl(way, 'QUIT\n', ...trust);
      assert.equal(status, 1);
      assert.match(said, /verify error:num=62:hostname mismatch/);
    });

    test(`min_version is kept over ${way}`, async () => {
      const older = await openssl(way, 'QUIT\n', '-tls1_2');
      assert.equal(older.status, 1);
      assert.match(older.said, /alert protocol version/);
      assert.equal((await openssl(way, 'QUIT\n', '-tls1_3')).status, 0);
    });
  }
});

test('the certificate for the name asked for, that name as the domain of bare logins, and new files after SIGHUP', {
  skip: missing('openssl', 'openssl'),
}, async (t) => {
  const tree = makeTree({ passwd: new Map(['kvt.dk', 'jth.net'].map((domain) => [domain, [`abc:{PLAIN}${domain}passwd:UID:GID::.:`]])) });
  mkdirSync(join(tree.folder, 'tls'));
  const put = async (name: string): Promise<string> => {
    const pem = await generate([{ name: 'commonName', value: name }], { keyType: 'ec', algorithm: 'sha256' });
    for (const [kind, text] of [
      ['key', pem.private],
      ['pem', pem.cert],
    ] as const) {
      writeFileSync(join(tree.folder, 'tls', `new.${kind}`), text, { mode: 0o600 });
      renameSync(join(tree.folder, 'tls', `new.${kind}`), join(tree.folder, 'tls', `${name}.${kind}`));
    }
    tree.own(join(tree.folder, 'tls'));
    return new X509Certificate(pem.cert).fingerprint256;
  };
  const files = (name: string) => [`certificate = "tls/${name}.pem"`, `key = "tls/${name}.key"`];
  const expected = new Map([
    ['pop.example.org', await put('pop.example.org')],
    ['kvt.dk', await put('kvt.dk')],
    ['jth.net', await put('jth.net')],
  ]);
  const settings = {
    tls: files('pop.example.org'),
    'tls.names."kvt.dk"': files('kvt.dk'),
    'tls.names."jth.net"': files('jth.net'),
  };
  const server = await startServer({ tree, protocols: ['pop3', 'pop3s'], settings });
  t.after(async () => {
    await server.stop();
    tree.remove();
  });

  const shown = async (name: string, ...to: readonly string[]): Promise<string> => {
    const { out } = await run('openssl', ['s_client', ...to, '-servername', name], { home: tree.folder });
    const [pem = ''] = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/.exec(out.toString()) ?? [];
    return new X509Certificate(pem).fingerprint256;
  };
  const stls = ['-starttls', 'pop3', '-connect', `127.0.0.1:${server.ports.pop3}`];
  const pop3s = ['-connect', `127.0.0.1:${server.ports.pop3s}`];
  for (const to of [stls, pop3s]) {
    for (const [name, fingerprint] of expected) assert.equal(await shown(name, ...to), fingerprint, name);
    assert.equal(await shown('nobody.example', ...to), expected.get('pop.example.org'));
    for (const domain of ['kvt.dk', 'jth.net']) {
      const input = `USER abc\nPASS ${domain}passwd\nQUIT\n`;
      const { out } = await run('openssl', ['s_client', ...to, '-servername', domain, '-crlf', '-quiet'], { home: tree.folder, input });
      assert.match(out.toString(), /\+OK now the password\r\n\+OK 0 messages \(0 octets\)\r\n\+OK goodbye \(maildrop empty\)\r\n$/);
    }
  }

  const renewed = await put('kvt.dk');
  process.kill(server.pid, 'SIGHUP');
  await server.logged(/supervisor\.reloaded/);
  assert.equal(await shown('kvt.dk', ...pop3s), renewed);
  assert.equal(await shown('jth.net', ...pop3s), expected.get('jth.net'));
});

describe('channel binding over a real connection', () => {
  let house: ClientHouse;
  before(async () => {
    house = await openClientHouse({ login: ['failure_delay_ms = 0'] });
  });
  after(() => house.close());

  async function secured(maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<TLSSocket> {
    const socket = connectTls({ port: house.server.ports.pop3s, host: 'localhost', ca: readFileSync(house.certificate), maxVersion });
    await once(socket, 'secureConnect');
    return socket;
  }

  /** RFC 5802 with gs2 header `p=…`. @returns the reply to the last line */
  async function scramPlus(socket: TLSSocket, login: string, type: string, bound: Buffer): Promise<string> {
    const lines = linesOf(socket);
    const next = async () => String((await lines.next()).value);
    const challenge = async () => Buffer.from((await next()).replace(/^\+ /, ''), 'base64').toString();
    await next();
    const gs2 = `p=${type},,`;
    const nonce = randomBytes(18).toString('base64');
    const bare = `n=${login},r=${nonce}`;
    socket.write(`AUTH SCRAM-SHA-256-PLUS ${Buffer.from(gs2 + bare).toString('base64')}\r\n`);
    const serverFirst = await challenge();
    const [, combined = '', salt = '', iterations = ''] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(serverFirst) ?? [];
    assert.ok(combined.startsWith(nonce));
    const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();
    const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256');
    const clientKey = hmac(salted, 'Client Key');
    const final = `c=${Buffer.concat([Buffer.from(gs2), bound]).toString('base64')},r=${combined}`;
    const message = `${bare},${serverFirst},${final}`;
    const signature = hmac(createHash('sha256').update(clientKey).digest(), message);
    const proof = clientKey.map((octet, index) => octet ^ (signature[index] ?? 0));
    socket.write(`${Buffer.from(`${final},p=${Buffer.from(proof).toString('base64')}`).toString('base64')}\r\n`);
    const last = await next();
    if (last.startsWith('-ERR')) return last;
    assert.equal(Buffer.from(last.slice(2), 'base64').toString(), `v=${hmac(hmac(salted, 'Server Key'), message).toString('base64')}`);
    socket.write('\r\n');
    return next();
  }

  function certificateHash(socket: TLSSocket): Buffer {
    return createHash('sha256')
      .update(socket.getPeerX509Certificate()?.raw ?? '')
      .digest();
  }

  for (const [type, version, bound] of [
    ['tls-exporter', 'TLSv1.3', (socket: TLSSocket) => socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))],
    ['tls-server-end-point', 'TLSv1.3', certificateHash],
    ['tls-server-end-point', 'TLSv1.2', certificateHash],
  ] as const) {
    test(`SCRAM-SHA-256-PLUS with ${type}, ${version}`, async () => {
      const login = house.mailbox('mbox', ordinary);
      const octets = ordinary.reduce((sum, { wire }) => sum + wire.length, 0);
      const socket = await secured(version);
      assert.equal(await scramPlus(socket, login, type, bound(socket)), `+OK ${ordinary.length} messages (${octets} octets)`);
      socket.destroy();
      const between = await secured(version);
      assert.equal(await scramPlus(between, login, type, randomBytes(32)), '-ERR [AUTH] authentication failed');
      between.destroy();
    });
  }
});

test('UTF8 and LANG by hand: a name and a password beyond ASCII, and every language there is', async (t) => {
  const tree = makeTree({
    passwd: new Map([['xn--bcher-kva.example', ['jörg:{PLAIN}Straße:UID:GID::.:']]]),
  });
  const server = await startServer({ tree, protocols: ['pop3'], settings: { '': ['language = "da"'] } });
  t.after(async () => {
    await server.stop();
    tree.remove();
  });
  const client = new Client({ port: server.ports.pop3, host: '127.0.0.1' });
  assert.match((await client.line()) ?? '', /^\+OK POP3 server ready <\S+>$/);
  const dialogue = `C: UTF8
       S: +OK UTF-8 it is
       C: LANG
       S: +OK languages follow
       S: en English
       S: da Dansk
       S: de Deutsch
       S: .
       C: LANG *
       S: +OK da sproget er skiftet
       C: USER jörg@bücher.example
       S: +OK nu adgangskoden
       C: PASS Straße
       S: +OK 0 beskeder (0 oktetter)
       C: RETR 1
       S: -ERR den besked findes ikke, postkassen er tom
       C: LANG de
       S: +OK de Sprache gewechselt
       C: UTF8
       S: -ERR nur vor der Anmeldung
       C: LANG fr
       S: -ERR diese Sprache wird hier nicht gesprochen
       C: QUIT
       S: +OK auf Wiedersehen (Postfach leer)
       S: (closed)`;
  // What comes is compared octet by octet.
  await client.play(dialogue.replace(/^ *S: .*$/gm, (line) => Buffer.from(line).toString('latin1')));
});
