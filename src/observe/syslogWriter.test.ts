import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { receiveDatagrams } from '../../test/support/datagramReceiver.ts';
import { createLog } from './log.ts';
import { createSyslogWriter } from './syslogWriter.ts';

test('each event is a datagram with facility mail and its severity, in both formats', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const receiver = receiveDatagrams(join(folder, 'log'));
  t.after(() => receiver.close());
  const writer = createSyslogWriter(join(folder, 'log'), 42);
  const now = () => Date.UTC(2026, 10, 22, 12);
  const lines = createLog({ level: 'debug', format: 'line', writer, now });
  lines.error('a.b', { why: 'disc' });
  lines.warn('a.b');
  lines.info('a.b', { text: 'error' });
  lines.debug('a.b');
  const at = '2026-11-22T12:00:00.000Z';
  assert.deepEqual(receiver.received(), [
    `<19>postkasse[42]: ${at} error a.b why=disc`,
    `<20>postkasse[42]: ${at} warn  a.b`,
    `<22>postkasse[42]: ${at} info  a.b text=error`,
    `<23>postkasse[42]: ${at} debug a.b`,
  ]);
  createLog({ level: 'debug', format: 'json', writer, now }).warn('a.b');
  assert.match(receiver.received().join(), /^<20>postkasse\[42\]: \{"level":"warn",/);
});

test('without a system log nothing fails', () => {
  createSyslogWriter('/nonexistent/log').write('one\ntwo\n');
});
