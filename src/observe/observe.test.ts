import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLineWriter, type LineWriter } from './lineWriter.ts';
import { createLog, type LogOptions } from './log.ts';
import { createTrace } from './trace.ts';

const now = () => Date.UTC(2026, 10, 22, 12, 0, 0, 5);

function collected(options: Omit<LogOptions, 'writer' | 'now'>) {
  let written = '';
  const writer: LineWriter = {
    write: (lines) => {
      written += lines;
    },
    flush() {},
  };
  return { log: createLog({ ...options, writer, now }), written: () => written };
}

test('a line has time, level, event and fields', () => {
  const { log, written } = collected({ level: 'info', format: 'line' });
  log.info('pop3.login', { session: 'a1', mailbox: 'abc@kvt.dk', ms: 3, missing: undefined });
  log.warn('lmtp.failed', { why: 'no room\nS: +OK', list: ['a', 2n], quote: 'say "x"', empty: '', pair: 'a=b', line: 'a\u2028b' });
  log.debug('not.written');
  assert.equal(
    written(),
    '2026-11-22T12:00:00.005Z info  pop3.login session=a1 mailbox=abc@kvt.dk ms=3\n' +
      '2026-11-22T12:00:00.005Z warn  lmtp.failed why="no room\\nS: +OK" list="[\\"a\\",\\"2\\"]" quote="say \\"x\\"" empty="" pair="a=b" line="a\\u2028b"\n',
  );
});

test('an error is told with what caused it', () => {
  const { log, written } = collected({ level: 'error', format: 'line' });
  log.error('store.failed', { cause: new Error('internal error', { cause: new Error('ENOSPC: no space left') }) });
  assert.equal(written(), '2026-11-22T12:00:00.005Z error store.failed cause="internal error: ENOSPC: no space left"\n');
});

test('as JSON', () => {
  const { log, written } = collected({ level: 'debug', format: 'json' });
  log.debug('pop3.login', { session: 'a1', octets: 5n });
  assert.deepEqual(JSON.parse(written()), {
    level: 'debug',
    time: '2026-11-22T12:00:00.005Z',
    pid: process.pid,
    session: 'a1',
    octets: 5,
    event: 'pop3.login',
  });
});

test('secrets passed by mistake are not written', () => {
  for (const format of ['line', 'json'] as const) {
    const { log, written } = collected({ level: 'debug', format });
    log.info('login', { password: 'hunter2', digest: 'c4c9334b', user: 'abc' });
    assert.doesNotMatch(written(), /hunter2|c4c9334b/);
    assert.match(written(), /abc/);
  }
});

test('lines of one turn are one write, and a full pipe is tried again', async () => {
  const writes: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  let full = true;
  const writer = createLineWriter(99, (_, octets) => {
    if (full) {
      full = false;
      throw Object.assign(new Error('full'), { code: 'EAGAIN' });
    }
    // A short write, as a pipe makes them.
    const taken = Math.min(octets.length, 3);
    writes.push(octets.toString('utf8', 0, taken));
    if (taken === octets.length) resolve();
    return taken;
  });
  const alive = setInterval(() => {}, 1000);
  writer.write('one\n');
  writer.write('two\n');
  await promise;
  clearInterval(alive);
  assert.equal(writes.join(''), 'one\ntwo\n');
});

test('each write is whole lines of at most 4096 octets, as several processes share the descriptor', () => {
  const writes: string[] = [];
  const writer = createLineWriter(99, (_, octets) => {
    writes.push(octets.toString());
    return octets.length;
  });
  const lines = Array.from({ length: 200 }, (_, n) => `${n} ${'ø'.repeat(n)}\n`);
  lines.push(`${'x'.repeat(5000)}\n`, 'last\n');
  for (const line of lines) writer.write(line);
  writer.flush();
  assert.equal(writes.join(''), lines.join(''));
  assert.ok(writes.length > 10);
  for (const write of writes) {
    assert.ok(write.endsWith('\n'));
    assert.ok(Buffer.byteLength(write) <= 4096 || write === lines.at(-2));
  }
});

test('a trace is a dialogue that says whose lines they are', () => {
  let printed = '';
  const trace = createTrace((text) => {
    printed += text;
  });
  trace.client('a1', 'USER abc');
  trace.server('a1', '+OK');
  trace.client('b2', 'N\u00d8\\\t');
  assert.equal(printed, '# session a1\nC: USER abc\nS: +OK\n# session b2\nC: N\\xd8\\x5c\\x09\n');
});
