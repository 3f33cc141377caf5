import assert from 'node:assert/strict';
import { createHash, type X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { generate } from 'selfsigned';
import type { Log } from '../model/log.ts';
import { Networks } from '../model/networks.ts';
import { type CertificateFiles, Certificates } from './certificates.ts';
import { Client, FakeDialogue, ok, serve, settled } from './fakes.test.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'net-tls-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

async function pemFor(name: string): Promise<{ cert: string; private: string }> {
  return generate([{ name: 'commonName', value: name }], { keyType: 'ec', algorithm: 'sha256' });
}

/** Writes a new pair, as renewal programs do: whole files, renamed into place. */
function put(files: CertificateFiles, pem: { cert?: string; private?: string }): void {
  for (const [path, text] of [
    [files.certificate, pem.cert],
    [files.key, pem.private],
  ] as const) {
    if (text === undefined) continue;
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  }
}

function filesIn(path: string, name: string): CertificateFiles {
  return { certificate: join(path, `${name}.crt`), key: join(path, `${name}.key`) };
}

async function certificates(t: TestContext, names: readonly string[] = [], log?: Log) {
  const path = folder(t);
  const clock = { now: 0 };
  const files = filesIn(path, 'default');
  put(files, await pemFor('default.example'));
  const byName = new Map(names.map((name) => [name, filesIn(path, `name${names.indexOf(name)}`)]));
  for (const [name, pair] of byName) put(pair, await pemFor(name));
  const recorded: [string, unknown][] = [];
  const made = new Certificates({ default: files, names: byName, log: log ?? recording(recorded), clock: () => clock.now });
  return { made, files, byName, clock, recorded };
}

function recording(into: [string, unknown][]): Log {
  const add = (event: string, fields?: unknown) => into.push([event, fields]);
  return { debug() {}, info: add, warn: add, error: add };
}

/** The same stream, with these octets in one write with whatever is written first. */
function withFirst(octets: Buffer, socket: Socket): Duplex {
  let prefix = octets;
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      socket.write(Buffer.concat([prefix, chunk]), done);
      prefix = Buffer.alloc(0);
    },
  });
  socket.on('data', (chunk: Buffer) => stream.push(chunk)).on('end', () => stream.push(null));
  return stream;
}

function shown(client: Client): string {
  return (client.socket as TLSSocket).getPeerX509Certificate()?.subject ?? 'none';
}

test('implicit TLS: the greeting comes encrypted, and the session knows', async (t) => {
  const { made } = await certificates(t);
  const { port, dialogue } = await serve(t, { certificates: made, listen: { tls: true, protocol: 'pop3s' } });
  const client = await Client.connectTls(port, 'mail.kvt.dk');
  assert.equal(await client.line(), '+OK hello');
  const facts = dialogue.sessions[0]?.facts;
  assert.deepEqual(
    { tls: facts?.tls, secure: facts?.secure, canStartTls: facts?.canStartTls, arrival: facts?.arrival, from: facts?.remoteAddress },
    {
      tls: true,
      secure: true,
      canStartTls: false,
      arrival: { localAddress: '127.0.0.1', serverName: 'mail.kvt.dk', remoteAddress: '127.0.0.1' },
      from: '127.0.0.1',
    },
  );
  client.send('NOOP\r\nQUIT\r\n');
  assert.equal(await client.rest(), '+OK NOOP\r\n+OK bye\r\n');
});

test('STLS: what was sent in the clear behind it is thrown away, and the session starts anew', async (t) => {
  const { made } = await certificates(t);
  const { port, dialogue } = await serve(t, { certificates: made });
  const client = await Client.connect(port);
  client.send('USER a\r\nSTLS\r\nINJECTED 1\r\nINJECTED 2\r\nINJ');
  assert.deepEqual(await client.lines(3), ['+OK hello', '+OK USER a', '+OK begin']);
  assert.equal(client.waiting, 0);
  await client.startTls('kvt.dk');
  client.send('NOOP\r\nQUIT\r\n');
  // No second greeting: RFC 2595 section 4.
  assert.equal(await client.rest(), '+OK NOOP\r\n+OK bye\r\n');
  const [before, after] = dialogue.sessions;
  assert.deepEqual(after?.lines, ['USER a', 'STLS', 'NOOP', 'QUIT']);
  assert.deepEqual([before?.facts.tls, before?.facts.canStartTls, after?.facts.tls, after?.facts.canStartTls], [false, true, true, false]);
  assert.equal(after?.facts.id, before?.facts.id);
  assert.equal(after?.facts.arrival.serverName, 'kvt.dk');
  assert.equal(dialogue.sessions.length, 2);
});

test('implicit TLS behind a proxy: the header comes first, alone or with the handshake', async (t) => {
  const { made } = await certificates(t);
  const listen = { tls: true, proxyFrom: new Networks(['127.0.0.1']) };
  const { port, dialogue } = await serve(t, { certificates: made, listen });
  const header = Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 56324 995\r\n');
  const alone = await Client.connect(port);
  alone.send(header);
  await alone.startTls('kvt.dk');
  const raw = connect({ port, host: '127.0.0.1' });
  const together = new Client(connectTls({ socket: withFirst(header, raw), rejectUnauthorized: false, servername: 'kvt.dk' }));
  for (const client of [alone, together]) {
    assert.equal(await client.line(), '+OK hello');
    client.send('QUIT\r\n');
    assert.equal(await client.line(), '+OK bye');
  }
  raw.destroy();
  for (const { facts } of dialogue.sessions) {
    assert.deepEqual(
      [facts.remoteAddress, facts.arrival, facts.tls],
      ['192.0.2.1', { localAddress: '198.51.100.2', serverName: 'kvt.dk', remoteAddress: '192.0.2.1' }, true],
    );
  }
});

test('plaintext that arrives after the reply to STLS ends the connection, not the server', async (t) => {
  const { made } = await certificates(t);
  const { port, dialogue } = await serve(t, { certificates: made });
  const client = await Client.connect(port);
  client.send('STLS\r\n');
  assert.deepEqual(await client.lines(2), ['+OK hello', '+OK begin']);
  client.send('INJECTED\r\nQUIT\r\n');
  await client.rest();
  const other = await Client.connect(port);
  other.send('QUIT\r\n');
  assert.equal(await other.rest(), '+OK hello\r\n+OK bye\r\n');
  assert.deepEqual(
    dialogue.sessions.map(({ lines }) => lines),
    [['STLS'], ['QUIT']],
  );
});

test('junk, a reset and an end of input in the middle of a handshake end that connection only', async (t) => {
  const { made } = await certificates(t);
  const { port, server } = await serve(t, { certificates: made, listen: { tls: true } });
  const junk = await Client.connect(port);
  junk.send('GET / HTTP/1.0\r\n\r\n');
  await junk.rest();
  const half = await Client.connect(port);
  half.send(Buffer.from('160301020001', 'hex'));
  half.socket.end();
  await half.rest();
  const reset = await Client.connect(port);
  reset.send(Buffer.from('160301020001', 'hex'));
  await settled(() => server.bytes.received);
  reset.socket.resetAndDestroy();
  await settled(() => server.counts().connections);
  assert.equal(server.counts().connections, 0);
  const client = await Client.connectTls(port);
  assert.equal(await client.line(), '+OK hello');
});

test('a reset under TLS ends that session once', async (t) => {
  const { made } = await certificates(t);
  const dialogue = new FakeDialogue();
  const gone = Promise.withResolvers<void>();
  dialogue.disconnected = async (session) => {
    dialogue.gone.push(session);
    gone.resolve();
  };
  const { port, server } = await serve(t, { dialogue, certificates: made });
  const client = await Client.connect(port);
  client.send('STLS\r\n');
  await client.lines(2);
  const plain = client.socket;
  await client.startTls();
  client.send('LOGIN\r\n');
  assert.equal(await client.line(), '+OK in');
  plain.resetAndDestroy();
  await gone.promise;
  await settled(() => server.counts().connections);
  assert.deepEqual(
    dialogue.gone.map(({ state, facts }) => [state, facts.tls]),
    [['TRANSACTION', true]],
  );
});

test('a handshake has a time limit', async (t) => {
  const { made } = await certificates(t);
  const clock = { now: 0 };
  const { port, server } = await serve(t, { certificates: made, clock: () => clock.now, listen: { tls: true } });
  const client = await Client.connect(port);
  while (server.counts().connections === 0) await new Promise(setImmediate);
  clock.now = 29_999;
  server.sweep();
  assert.equal(server.counts().connections, 1);
  clock.now = 30_000;
  server.sweep();
  assert.equal(await client.rest(), '');
});

test('TLS 1.1 is refused', async (t) => {
  const { made } = await certificates(t);
  const { port } = await serve(t, { certificates: made, listen: { tls: true } });
  const old = connectTls({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0',
  });
  const [error] = await once(old, 'error');
  assert.match(String(error), /protocol version/);
});

test('each name has its certificate, and whoever asks for another gets the default', async (t) => {
  const { made } = await certificates(t, ['mail.kvt.dk', '*.example.org']);
  const { port } = await serve(t, { certificates: made, listen: { tls: true } });
  const table: [string | undefined, string][] = [
    ['mail.kvt.dk', 'CN=mail.kvt.dk'],
    ['MAIL.KVT.DK', 'CN=mail.kvt.dk'],
    ['a.example.org', 'CN=*.example.org'],
    ['a.b.example.org', 'CN=default.example'],
    ['example.org', 'CN=default.example'],
    ['constructor', 'CN=default.example'],
    [undefined, 'CN=default.example'],
  ];
  for (const [name, expected] of table) assert.equal(shown(await Client.connectTls(port, name)), expected, name ?? 'no name');
});

test('a certificate that changes is taken up at the next connection, at most a second later', async (t) => {
  const { made, files, byName, clock } = await certificates(t, ['mail.kvt.dk']);
  const { port } = await serve(t, { certificates: made, listen: { tls: true } });
  const kept = await Client.connectTls(port);
  put(files, await pemFor('new.example'));
  const named = byName.get('mail.kvt.dk');
  if (named) put(named, await pemFor('new.kvt.dk'));
  clock.now = 999;
  assert.equal(shown(await Client.connectTls(port)), 'CN=default.example');
  clock.now = 1000;
  assert.equal(shown(await Client.connectTls(port)), 'CN=new.example');
  assert.equal(shown(await Client.connectTls(port, 'mail.kvt.dk')), 'CN=new.kvt.dk');
  kept.send('QUIT\r\n');
  assert.equal(await kept.rest(), '+OK hello\r\n+OK bye\r\n');
});

test('new files that do not fit together leave the old ones in use, and the log says so once', async (t) => {
  const { made, files, clock, recorded } = await certificates(t);
  const { port } = await serve(t, { certificates: made, listen: { tls: true } });
  const next = await pemFor('new.example');
  put(files, { cert: next.cert });
  for (clock.now = 1000; clock.now <= 3000; clock.now += 1000) {
    assert.equal(shown(await Client.connectTls(port)), 'CN=default.example');
  }
  assert.deepEqual(recorded, [
    ['tls.certificate-refused', { file: files.certificate, error: `${files.key} is not the key of ${files.certificate}` }],
  ]);
  // Nor does a folder that can no longer be looked into.
  const folder = dirname(files.certificate);
  renameSync(folder, `${folder}.moved`);
  writeFileSync(folder, 'not a folder');
  clock.now = 10_000;
  assert.equal(shown(await Client.connectTls(port)), 'CN=default.example');
  assert.equal(recorded.splice(1).length, 1);
  rmSync(folder);
  renameSync(`${folder}.moved`, folder);
  put(files, { private: next.private });
  clock.now = 20_000;
  assert.equal(shown(await Client.connectTls(port)), 'CN=new.example');
  assert.deepEqual(recorded.slice(1), [['tls.certificate-loaded', { file: files.certificate }]]);
});

test('with min_version 1.3 a client that speaks 1.2 at most is refused', async (t) => {
  const { files } = await certificates(t);
  const made = new Certificates({ default: files, names: new Map(), log: recording([]), clock: () => 0, minVersion: '1.3' });
  const { port } = await serve(t, { certificates: made, listen: { tls: true } });
  const late = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
  const inTime = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(inTime, 'secureConnect');
  assert.equal(inTime.getProtocol(), 'TLSv1.3');
  inTime.destroy();
});

test('told not to watch, files that change are left alone', async (t) => {
  const { files, clock } = await certificates(t);
  const made = new Certificates({ default: files, names: new Map(), log: recording([]), clock: () => clock.now, watches: false });
  const { port } = await serve(t, { certificates: made, listen: { tls: true } });
  put(files, await pemFor('new.example'));
  clock.now = 60_000;
  assert.equal(shown(await Client.connectTls(port)), 'CN=default.example');
});

test('certificates that are missing, empty or foreign stop the start, by name', async (t) => {
  const { files } = await certificates(t);
  const attempt = (broken: CertificateFiles) => () =>
    new Certificates({ default: broken, names: new Map(), log: recording([]), clock: () => 0 });
  const missing = { ...files, key: `${files.key}.missing` };
  assert.throws(attempt(missing), (error: Error) => error.message.includes(missing.key));
  put(files, { cert: '' });
  assert.throws(attempt(files), (error: Error) => error.message.startsWith(`${files.certificate}: `));
});

test('channel binding: the same octets on both sides, RFC 9266 and RFC 5929', async (t) => {
  const { made } = await certificates(t);
  const { port, dialogue } = await serve(t, { certificates: made, listen: { tls: true } });
  const client = await Client.connectTls(port);
  await client.line();
  const socket = client.socket as TLSSocket;
  const binding = dialogue.sessions[0]?.facts.channelBinding;
  const exported = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
  assert.deepEqual(binding?.data('tls-exporter'), exported);
  const certificate: X509Certificate | undefined = socket.getPeerX509Certificate();
  assert.ok(certificate);
  assert.deepEqual(binding?.data('tls-server-end-point'), createHash('sha256').update(certificate.raw).digest());
  assert.equal(binding?.data('tls-unique'), undefined);

  const older = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
  const second = new Client(older);
  await second.line();
  const olderBinding = dialogue.sessions[1]?.facts.channelBinding;
  assert.equal(olderBinding?.data('tls-exporter'), undefined);
  assert.deepEqual(olderBinding?.data('tls-server-end-point'), createHash('sha256').update(certificate.raw).digest());
});

test('the end point is the certificate that was shown for the name', async (t) => {
  const { made } = await certificates(t, ['mail.kvt.dk']);
  const { port, dialogue } = await serve(t, { certificates: made, listen: { tls: true } });
  const client = await Client.connectTls(port, 'mail.kvt.dk');
  await client.line();
  const certificate = (client.socket as TLSSocket).getPeerX509Certificate();
  assert.ok(certificate);
  assert.equal(certificate.subject, 'CN=mail.kvt.dk');
  const binding = dialogue.sessions[0]?.facts.channelBinding;
  assert.deepEqual(binding?.data('tls-server-end-point'), createHash('sha256').update(certificate.raw).digest());
});

test('under TLS a large message arrives whole, and one that is not read waits', async (t) => {
  const { made } = await certificates(t);
  const dialogue = new FakeDialogue();
  const piece = Buffer.alloc(60_000, '.line\n');
  let fetched = 0;
  let sent = 0;
  dialogue.answers.set('RETR', (_session, line) => ({
    ...ok('here'),
    body: (function* () {
      for (const pieces = Number(line.slice(5)); fetched < pieces; fetched++) yield piece;
    })(),
    sent: () => sent++,
  }));
  const { port } = await serve(t, { dialogue, certificates: made, listen: { tls: true } });
  const client = await Client.connectTls(port);
  client.send('RETR 50\r\nNOOP\r\nQUIT\r\n');
  const expected = Buffer.from(`+OK hello\r\n+OK here\r\n${'..line\r\n'.repeat(500_000)}.\r\n+OK NOOP\r\n+OK bye\r\n`);
  assert.ok((await client.octets()).equals(expected));
  assert.equal(sent, 1);

  fetched = 0;
  const slow = await Client.connectTls(port);
  await slow.line();
  slow.socket.pause();
  slow.send('RETR 100000\r\n');
  await settled(() => fetched);
  assert.ok(fetched > 0 && fetched < 1000, `${fetched} pieces were fetched`);
  slow.socket.destroy();
});
