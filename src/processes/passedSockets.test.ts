import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseSettings } from '../config/index.ts';
import type { PassedSocket } from '../os/listenFds.ts';
import type { SocketAddress } from '../os/sockets.ts';
import { checkPassed, passedTo } from './passedSockets.ts';

function listenersAt(...addresses: string[]) {
  const text = addresses.map((address) => `[[listen]]\nprotocol = "lmtp"\naddress = "${address}"\n`).join('');
  const { settings } = parseSettings('/etc/postkasse/postkasse.toml', Buffer.from(text));
  assert.ok(settings);
  return settings.listen;
}

function socket(fd: number, address: SocketAddress, takesIpv4 = false): PassedSocket {
  return { fd, address, takesIpv4 };
}

test('a listener has the socket with its very address', () => {
  const passed = [socket(3, { host: '127.0.0.1', port: 110 }), socket(4, { host: '::1', port: 110 }), socket(5, { path: '/run/x' })];
  const found = (address: string) => listenersAt(address).map((listen) => passedTo(listen, passed)?.fd)[0];
  assert.equal(found('127.0.0.1:110'), 3);
  assert.equal(found('[0:0::1]:110'), 4);
  assert.equal(found('unix:/run/x'), 5);
  assert.equal(found('127.0.0.1:111'), undefined);
  assert.equal(found('0.0.0.0:110'), undefined);
  assert.equal(found('unix:/run/y'), undefined);
});

test('a path by way of a link is the same path', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'run'));
  symlinkSync('run', join(folder, 'var'));
  const [listen] = listenersAt(`unix:${folder}/run/lmtp`);
  assert.ok(listen);
  assert.equal(passedTo(listen, [socket(3, { path: `${folder}/var/lmtp` })])?.fd, 3);
});

test('a socket nobody wants is named', () => {
  const listen = listenersAt('127.0.0.1:110');
  checkPassed(listen, []);
  checkPassed(listen, [socket(3, { host: '127.0.0.1', port: 110 })]);
  assert.throws(() => checkPassed(listen, [socket(3, { host: '::', port: 995 }, true)]), {
    message: 'systemd passed the socket [::]:995, but no [[listen]] in the settings has this address',
    exitCode: 78,
  });
  assert.throws(() => checkPassed(listen, [socket(3, { path: '/run/x' })]), {
    message: 'systemd passed the socket unix:/run/x, but no [[listen]] in the settings has this address',
  });
});

test('a socket that takes the IPv4 connections of another listener is named', () => {
  const passed = [socket(3, { host: '::', port: 110 }, true)];
  checkPassed(listenersAt('[::]:110'), passed);
  checkPassed(listenersAt('[::]:110', '0.0.0.0:995'), passed);
  checkPassed(listenersAt('[::]:110', '0.0.0.0:110'), [socket(3, { host: '::', port: 110 })]);
  for (const address of ['0.0.0.0:110', '192.0.2.1:110']) {
    assert.throws(() => checkPassed(listenersAt('[::]:110', address), passed), {
      message: `lmtp ${address}: the socket [::]:110 that systemd passed takes IPv4 too; set BindIPv6Only=ipv6-only in its unit`,
      exitCode: 78,
    });
  }
});
