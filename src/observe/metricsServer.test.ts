import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { frontReport, houseReport } from '../../test/support/houseReport.ts';
import { silent } from '../model/log.ts';
import { type MetricsOptions, serveMetrics } from './metricsServer.ts';
import { metricsText } from './metricsText.ts';

const rules = { domains: 20 };

async function serving(t: TestContext, more: Partial<MetricsOptions> = {}): Promise<number> {
  const server = await serveMetrics({
    listen: { host: '127.0.0.1', port: 0 },
    rules,
    report: async () => houseReport,
    log: silent,
    ...more,
  });
  t.after(() => server.close());
  return server.port;
}

/** All that is said on one connection, without the Date. */
async function said(port: number, octets: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.write(octets);
  return (await text(socket)).replace(/^Date: .*\r\n/gm, '');
}

const type = 'Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n';
const others = 'Content-Type: text/plain; charset=utf-8\r\n';

test('GET and HEAD of /metrics, whatever the Host', async (t) => {
  const port = await serving(t);
  const expected = await metricsText(houseReport, rules);
  const head = `HTTP/1.1 200 OK\r\n${type}Content-Length: ${Buffer.byteLength(expected)}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n`;
  for (const host of ['127.0.0.1', 'elsewhere.example', ''])
    assert.equal(await said(port, `GET /metrics HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`), head + expected);
  assert.equal(await said(port, 'GET /metrics?x=1 HTTP/1.1\r\nConnection: close\r\n\r\n'), head + expected);
  assert.equal(await said(port, 'HEAD /metrics HTTP/1.1\r\nConnection: close\r\n\r\n'), head);
});

test('nothing else is there, and nothing can be changed', async (t) => {
  const port = await serving(t, { report: () => assert.fail('asked for figures') });
  const refusal = (line: string, more: string, body: string) =>
    `HTTP/1.1 ${line}\r\n${more}${others}Content-Length: ${body.length}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n${body}`;
  for (const path of ['/', '/metrics/', '/metrics%00', '//metrics', 'http://127.0.0.1/metrics', '*'])
    assert.equal(
      await said(port, `${path === '*' ? 'OPTIONS' : 'GET'} ${path} HTTP/1.1\r\nConnection: close\r\n\r\n`),
      refusal('404 Not Found', '', 'Here is only /metrics.\n'),
    );
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
    assert.equal(
      await said(port, `${method} /metrics HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`),
      refusal('405 Method Not Allowed', 'Allow: GET, HEAD\r\n', 'Only GET and HEAD.\n'),
    );
});

test('a supervisor that does not answer is no end of us', async (t) => {
  const port = await serving(t, { report: () => Promise.reject(new Error('no answer')) });
  assert.match(await said(port, 'GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 503 Service Unavailable\r\n/);
});

test('what is no request, or a long one, is refused', async (t) => {
  const port = await serving(t);
  const refused = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n';
  assert.equal(await said(port, 'USER abc\r\n'), refused);
  assert.equal(await said(port, `GET /metrics HTTP/1.1\r\nX: ${'x'.repeat(9000)}\r\n\r\n`), refused);
  assert.equal(await said(port, `GET /${'x'.repeat(9000)} HTTP/1.1\r\n\r\n`), refused);
});

test('who is slow with a request is not waited for', async (t) => {
  const port = await serving(t, { limitMs: 50 });
  const silentClient = connect({ port, host: '127.0.0.1' }).resume();
  const slow = connect({ port, host: '127.0.0.1' }).resume();
  slow.on('error', () => {});
  slow.write('GET /metrics HT');
  await Promise.all([once(silentClient, 'close'), once(slow, 'close')]);
});

test('who does not take the answer is cut off', async () => {
  const sessions = Array.from({ length: 30_000 }, (_, n) => ({
    domain: `d${n}.${'x'.repeat(60)}.${'x'.repeat(60)}.${'x'.repeat(60)}.example`,
    sessions: 1,
  }));
  const report = { ...houseReport, fronts: [{ front: 0, pid: 1, retiring: false, report: { ...frontReport, sessions } }] };
  const large = { limitMs: 100, rules: { domains: 30_000 }, report: async () => report };
  const server = await serveMetrics({ listen: { host: '127.0.0.1', port: 0 }, log: silent, ...large });
  const socket = connect({ port: server.port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.write('GET /metrics HTTP/1.1\r\n\r\n');
  await once(socket, 'readable');
  // Resolves when the last connection is closed, and this client neither reads nor closes.
  await server.close();
  let read = 0;
  socket.on('data', (octets) => {
    read += octets.length;
  });
  await once(socket, 'close');
  assert.ok(read < Buffer.byteLength(await metricsText(report, large.rules)));
});

test('so many connections and no more', async (t) => {
  const port = await serving(t);
  const open = Array.from({ length: 16 }, () => connect({ port, host: '127.0.0.1' }));
  for (const socket of open) if (socket.connecting) await once(socket, 'connect');
  const answer = 'HTTP/1.1 404 Not Found';
  for (const socket of open) {
    socket.write('GET / HTTP/1.1\r\n\r\n');
    const [octets] = (await once(socket, 'data')) as [Buffer];
    assert.equal(octets.toString('latin1', 0, answer.length), answer);
  }
  assert.equal(await said(port, 'GET / HTTP/1.1\r\n\r\n'), '');
  open.pop()?.destroy();
  for (let heard = ''; heard === ''; ) heard = await said(port, 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n');
  for (const socket of open) socket.destroy();
});
