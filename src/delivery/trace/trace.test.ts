/** What is noted is found again; and what can go wrong in between. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { LogFields } from '../../model/log.ts';
import { disk } from '../../os/disk.ts';
import { LONGEST_LINE, readRecord, recordLine, type TraceRecord } from './record.ts';
import { searchTrace } from './search.ts';
import { createTraceWriter, type TraceWriterOptions } from './writer.ts';

const noon = Date.UTC(2026, 10, 29, 12);
const dayMs = 86_400_000;

const record: TraceRecord = {
  time: '2026-11-29T12:00:00.000Z',
  result: 'delivered',
  id: 'abab01.1',
  queueId: '4Bd2Xy3Z1kz9sT',
  messageId: '<1@example.org>',
  sender: 'ada@example.org',
  recipient: 'abc+tag@kvt.dk',
  original: 'info@kvt.dk',
  client: '192.0.2.1',
  steps: [
    ['account', 'does not apply'],
    ['user and tag', 'abc@kvt.dk'],
  ],
  to: ['abc@kvt.dk'],
  why: undefined,
  octets: 120,
  ms: 3,
};

function place(t: TestContext): {
  folder: string;
  events: [string, LogFields][];
  writer(changes?: Partial<TraceWriterOptions>): ReturnType<typeof createTraceWriter>;
} {
  const above = mkdtempSync(join(tmpdir(), 'trace-'));
  t.after(() => rmSync(above, { recursive: true }));
  const folder = join(above, 'trace');
  const events: [string, LogFields][] = [];
  const note = (event: string, fields: LogFields = {}) => void events.push([event, fields]);
  const log = { debug: note, info: note, warn: note, error: note };
  return {
    folder,
    events,
    writer: (changes = {}) => createTraceWriter({ folder, days: 14, dayOctets: 1_000_000, disk, log, now: () => noon, ...changes }),
  };
}

const idsOf = async (folder: string, query: Partial<Parameters<typeof searchTrace>[1]>) =>
  (await searchTrace([folder], { most: 100, ...query })).records.map(({ id }) => id);

test('a message is found by its queue id, its Message-ID, our id and its recipients, and by nothing else', async (t) => {
  const { folder, writer } = place(t);
  const one = writer();
  one.note(record);
  one.note({
    ...record,
    id: 'cdcd02.1',
    queueId: 'OTHER',
    messageId: '<2@example.org>',
    recipient: 'kvt@kvt.dk',
    original: undefined,
    to: ['kvt@kvt.dk'],
  });
  await one.close();
  for (const [query, expected] of [
    [{ id: '4Bd2Xy3Z1kz9sT' }, ['abab01.1']],
    [{ id: '<1@example.org>' }, ['abab01.1']],
    [{ id: '1@example.org' }, ['abab01.1']],
    [{ id: 'abab01.1' }, ['abab01.1']],
    [{ id: 'abab01' }, ['abab01.1']],
    [{ id: '4bd2xy3z1kz9st' }, []],
    [{ id: '4Bd2' }, []],
    [{ id: '' }, []],
    [{ recipient: 'abc+tag@kvt.dk' }, ['abab01.1']],
    [{ recipient: 'ABC@KVT.dk' }, ['abab01.1']],
    [{ recipient: 'info@kvt.dk' }, ['abab01.1']],
    [{ recipient: 'ada@example.org' }, []],
    [{ recipient: 'kvt@kvt.dk', id: 'OTHER' }, ['cdcd02.1']],
    [{ recipient: 'kvt@kvt.dk', id: 'cdcd02.2' }, []],
    [{ sinceMs: noon }, ['abab01.1', 'cdcd02.1']],
    [{ sinceMs: noon + 1 }, []],
    [{}, ['abab01.1', 'cdcd02.1']],
  ] as const)
    assert.deepEqual(await idsOf(folder, query), expected, JSON.stringify(query));
  const found = await searchTrace([folder], { id: 'abab01.1', most: 1 });
  assert.deepEqual(found, { records: [record], left: 0 });
});

test('the newest are found first, and how many more there are', async (t) => {
  const { folder, writer } = place(t);
  const one = writer();
  for (let n = 0; n < 30; n++) one.note({ ...record, id: `s.${n}`, time: new Date(noon + n).toISOString() });
  await one.close();
  const { records, left } = await searchTrace([folder], { most: 2 });
  assert.deepEqual(
    records.map(({ id }) => id),
    ['s.28', 's.29'],
  );
  assert.equal(left, 28);
});

test('any text makes one line that is short enough, and no other line; as it is read it has no more than was written', () => {
  const anything = fc.string({ unit: 'binary', maxLength: 700 });
  fc.assert(
    fc.property(
      anything,
      anything,
      fc.array(fc.tuple(anything, anything), { maxLength: 25 }),
      fc.array(anything, { maxLength: 25 }),
      (a, b, steps, to) => {
        const line = recordLine({
          ...record,
          id: a,
          queueId: b,
          messageId: a,
          sender: b,
          recipient: a,
          original: b,
          client: a,
          why: b,
          steps,
          to,
        });
        assert.ok(line.length <= LONGEST_LINE, `${line.length}`);
        assert.match(line, /^[\x20-\x7e]*\n$/);
        const read = readRecord(line);
        assert.ok(read !== undefined);
        assert.ok(read.recipient === a || (read.recipient.endsWith('…') && a.startsWith(read.recipient.slice(0, -1))));
      },
    ),
    { numRuns: 40 },
  );
});

test('what was not written by us is passed over', async (t) => {
  const { folder } = place(t);
  mkdirSync(folder);
  const lines = [
    '',
    'nonsense',
    '{}',
    '[]',
    'null',
    '1',
    '{"time":"x","result":"delivered"}',
    recordLine(record).slice(0, 80),
    `${'x'.repeat(100_000)}`,
    recordLine({ ...record, id: 'good' }),
  ];
  writeFileSync(join(folder, '2026-11-29.jsonl'), lines.join('\n'));
  writeFileSync(join(folder, 'notes.txt'), recordLine(record));
  symlinkSync(join(folder, 'notes.txt'), join(folder, '2026-11-28.jsonl'));
  mkdirSync(join(folder, '2026-11-27.jsonl'));
  assert.deepEqual(await idsOf(folder, {}), ['good']);
  assert.deepEqual(await idsOf(join(folder, 'nowhere'), {}), []);
});

test('several fronts append to one file of mode 600, and each line is whole', async (t) => {
  const { folder, writer } = place(t);
  const writers = [writer(), writer(), writer()];
  for (let n = 0; n < 200; n++) for (const [at, one] of writers.entries()) one.note({ ...record, id: `${at}.${n}`, sender: 'x'.repeat(n) });
  await Promise.all(writers.map((one) => one.close()));
  const file = join(folder, '2026-11-29.jsonl');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  // Who finds something in it begins with a line end.
  const read = readFileSync(file, 'latin1')
    .split('\n')
    .filter((line) => line !== '');
  assert.equal(new Set(read.map((line) => readRecord(line)?.id)).size, 600);
});

test('files of days that are over go, and nothing else in the folder', async (t) => {
  const { folder, writer } = place(t);
  let nowMs = noon;
  const one = writer({ days: 2, now: () => nowMs });
  for (let day = 0; day < 4; day++, nowMs += dayMs) {
    one.note({ ...record, time: new Date(nowMs).toISOString() });
    await new Promise((resolve) => setImmediate(resolve));
    await one.close();
    if (day === 0) writeFileSync(join(folder, '2026-01-01.txt'), '');
  }
  assert.deepEqual(readdirSync(folder).sort(), ['2026-01-01.txt', '2026-12-01.jsonl', '2026-12-02.jsonl']);
  // With none to be kept the rest goes, and nothing comes.
  const none = writer({ days: 0, now: () => nowMs });
  none.note(record);
  await none.close();
  assert.deepEqual(readdirSync(folder), ['2026-01-01.txt']);
});

test('a day has its room, over all fronts; what goes beyond it is not kept, and that is told once', async (t) => {
  const { folder, events, writer } = place(t);
  const length = recordLine(record).length;
  const other = writer({ dayOctets: 3 * length });
  other.note(record);
  await other.close();
  const one = writer({ dayOctets: 3 * length });
  for (let n = 0; n < 5; n++) {
    one.note(record);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await one.close();
  assert.deepEqual(await idsOf(folder, {}), ['abab01.1', 'abab01.1']);
  assert.deepEqual(events, [['trace.full', { file: join(folder, '2026-11-29.jsonl'), octets: 3 * length }]]);
});

test('a disc that refuses is told of once, hurts nobody, and is tried again', async (t) => {
  const { folder, events, writer } = place(t);
  writeFileSync(folder, 'in the way');
  const one = writer();
  for (let n = 0; n < 3; n++) {
    one.note(record);
    await one.close();
  }
  assert.deepEqual(
    events.map(([event]) => event),
    ['trace.unwritable'],
  );
  rmSync(folder);
  one.note(record);
  await one.close();
  assert.deepEqual(await idsOf(folder, {}), ['abab01.1']);
});

test('what a slow disc leaves waiting is bounded', async (t) => {
  const { folder, events, writer } = place(t);
  const { promise, resolve } = Promise.withResolvers<void>();
  const slow = { ...disk, writeLater: async (fd: number, octets: Uint8Array) => promise.then(() => disk.writeLater(fd, octets)) };
  const one = writer({ disk: slow });
  one.note(record);
  await new Promise((done) => setImmediate(() => setImmediate(done)));
  for (let n = 0; n < 1500; n++) one.note(record);
  resolve();
  await one.close();
  assert.equal((await searchTrace([folder], { most: 5000 })).records.length, 1001);
  assert.deepEqual(events, [['trace.dropped', { records: 500 }]]);
});

test('lines torn by a crash cost themselves and not the next one that a new process writes', async (t) => {
  const { folder, writer } = place(t);
  const first = writer();
  first.note(record);
  await first.close();
  appendFileSync(join(folder, '2026-11-29.jsonl'), recordLine(record).slice(0, 50));
  const second = writer();
  second.note({ ...record, id: 'after' });
  await second.close();
  assert.deepEqual(await idsOf(folder, {}), ['abab01.1', 'after']);
});
