import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { receiveDatagrams } from '../../test/support/datagramReceiver.ts';
import { createNotifier } from './notify.ts';

for (const kind of ['a path', 'an abstract name'] as const) {
  test(`each message arrives as one datagram, by ${kind}`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const path = kind === 'a path' ? join(folder, 'notify') : `@postkasse-test-${process.pid}`;
    const receiver = receiveDatagrams(path);
    t.after(() => receiver.close());
    const notifier = createNotifier({ NOTIFY_SOCKET: path });
    notifier.ready('2 fronts');
    notifier.status('two\nlines');
    notifier.alive();
    notifier.stopping('waits');
    assert.deepEqual(receiver.received(), ['READY=1\nSTATUS=2 fronts', 'STATUS=two lines', 'WATCHDOG=1', 'STOPPING=1\nSTATUS=waits']);
    const before = process.hrtime.bigint() / 1000n;
    notifier.reloading();
    const after = process.hrtime.bigint() / 1000n;
    const [reloading = ''] = receiver.received();
    const [, microseconds = '0'] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(reloading) ?? [];
    assert.ok(BigInt(microseconds) >= before && BigInt(microseconds) <= after, reloading);
  });
}

test('without a socket, with one that is gone, or with an address that is none, nothing fails', () => {
  for (const path of [undefined, '/nonexistent/notify', '@', 'relative', '', 'vsock:2:1234', `/${'x'.repeat(200)}`]) {
    const notifier = createNotifier(path === undefined ? {} : { NOTIFY_SOCKET: path });
    notifier.ready('serving');
    notifier.reloading();
    notifier.alive();
  }
});

test('a receiver that comes back at the same path is found again', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'notify');
  const first = receiveDatagrams(path);
  const notifier = createNotifier({ NOTIFY_SOCKET: path });
  notifier.alive();
  assert.deepEqual(first.received(), ['WATCHDOG=1']);
  first.close();
  notifier.alive();
  const second = receiveDatagrams(path);
  t.after(() => second.close());
  notifier.status('again');
  assert.deepEqual(second.received(), ['STATUS=again']);
});

test('the watchdog is ours only where systemd says so, and the variables are gone afterwards', () => {
  const watched = (env: NodeJS.ProcessEnv) => {
    const { watchdogMs } = createNotifier(env, 77);
    return [watchdogMs, env];
  };
  const socket = { NOTIFY_SOCKET: '@x' };
  assert.deepEqual(watched({ ...socket, WATCHDOG_USEC: '30000000', HOME: '/' }), [30_000, { HOME: '/' }]);
  assert.deepEqual(watched({ ...socket, WATCHDOG_USEC: '30000000', WATCHDOG_PID: '77' }), [30_000, {}]);
  assert.deepEqual(watched({ ...socket, WATCHDOG_USEC: '30000000', WATCHDOG_PID: '78' }), [undefined, {}]);
  assert.deepEqual(watched({ ...socket, WATCHDOG_USEC: '0' }), [undefined, {}]);
  assert.deepEqual(watched({ ...socket, WATCHDOG_USEC: '-1' }), [undefined, {}]);
  assert.deepEqual(watched({ ...socket }), [undefined, {}]);
  assert.deepEqual(watched({ WATCHDOG_USEC: '30000000' }), [undefined, {}]);
});
