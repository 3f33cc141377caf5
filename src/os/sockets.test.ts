import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { furtherSockets, groupsOf, listeningSockets, setSocketMode } from './sockets.ts';

async function greetedBy(fds: readonly number[], target: { port: number; host: string } | { path: string }): Promise<string> {
  const servers = fds.map((fd) => createServer((socket) => socket.on('error', () => {}).end('hello')).listen({ fd }));
  try {
    return await new Promise<string>((resolve, reject) => {
      let said = '';
      connect(target)
        .on('data', (octets) => {
          said += octets;
        })
        .on('end', () => resolve(said))
        .on('error', reject);
    });
  } finally {
    for (const server of servers) server.close();
  }
}

for (const host of ['127.0.0.1', '::1']) {
  test(`several sockets share a port of ${host}`, async () => {
    const { fds, port } = await listeningSockets({ host, port: 0 }, 2);
    assert.equal(fds.length, 2);
    assert.ok(port !== undefined && port > 0);
    assert.equal(await greetedBy(fds, { host, port }), 'hello');
  });
}

test('further sockets join those of ours', async () => {
  const { fds, port } = await listeningSockets({ host: '127.0.0.1', port: 0 }, 1);
  assert.ok(port !== undefined);
  const further = furtherSockets({ host: '127.0.0.1', port }, 2);
  assert.equal(new Set([...fds, ...further]).size, 3);
  assert.equal(await greetedBy([...fds, ...further], { host: '127.0.0.1', port }), 'hello');
});

test('a port in use is found although sockets of ours would share it', async () => {
  const { fds, port } = await listeningSockets({ host: '127.0.0.1', port: 0 }, 1);
  assert.ok(port !== undefined);
  await assert.rejects(listeningSockets({ host: '127.0.0.1', port }, 2), { code: 'EADDRINUSE', message: `EADDRINUSE: 127.0.0.1:${port}` });
  for (const fd of fds) createServer().listen({ fd }).close();
});

test('a Unix socket has the mode asked for, replaces a stale one and respects a living one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  try {
    const path = join(folder, 'lmtp');
    const first = await listeningSockets({ path }, 3, 0o600);
    assert.equal(first.fds.length, 1);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await assert.rejects(listeningSockets({ path }, 1), { code: 'EADDRINUSE' });
    assert.equal(await greetedBy(first.fds, { path }), 'hello'); // closing the server leaves the path behind, as a kill would
    const second = await listeningSockets({ path }, 1, 0o600);
    assert.equal(await greetedBy(second.fds, { path }), 'hello');
    assert.equal(setSocketMode(path, 0o660), true);
    assert.equal(statSync(path).mode & 0o777, 0o660);
    assert.equal(setSocketMode(join(folder, 'none'), 0o660), false);
    if (process.getuid?.() === 0) {
      assert.equal(setSocketMode(path, 0o640, 12), true);
      const grouped = join(folder, 'auth');
      const third = await listeningSockets({ path: grouped }, 1, 0o660, 8);
      assert.deepEqual(
        [path, grouped].map((each) => [statSync(each).uid, statSync(each).gid, statSync(each).mode & 0o777]),
        [
          [0, 12, 0o640],
          [0, 8, 0o660],
        ],
      );
      assert.equal(await greetedBy(third.fds, { path: grouped }), 'hello');
    }
    const file = join(folder, 'file');
    writeFileSync(file, '', { mode: 0o600 });
    symlinkSync(file, join(folder, 'link'));
    assert.equal(setSocketMode(join(folder, 'link'), 0o666), false);
    assert.equal(statSync(file).mode & 0o777, 0o600);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('groups of an IPv6 address', () => {
  const table: [string, number[]][] = [
    ['::', [0, 0, 0, 0, 0, 0, 0, 0]],
    ['::1', [0, 0, 0, 0, 0, 0, 0, 1]],
    ['2001:db8::7:8', [0x2001, 0xdb8, 0, 0, 0, 0, 7, 8]],
    ['1:2:3:4:5:6:7:8', [1, 2, 3, 4, 5, 6, 7, 8]],
    ['fe80::', [0xfe80, 0, 0, 0, 0, 0, 0, 0]],
    ['::ffff:192.0.2.1', [0, 0, 0, 0, 0, 0xffff, 0xc000, 0x201]],
  ];
  for (const [host, groups] of table) assert.deepEqual(groupsOf(host), groups, host);
});
