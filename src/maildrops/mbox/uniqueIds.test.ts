import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MboxBench } from '../../../test/support/mboxBench.ts';
import { headerFacts } from './header.ts';
import type { MboxBackend } from './index.ts';
import { Retired } from './uniqueIds.ts';

const message = (header: string, body = 'body\n'): string => `From a@b Thu Nov 24 18:22:48 1986\n${header}\n${body}\n`;

async function idsOf(bench: MboxBench, backend: MboxBackend = bench.backend()): Promise<string[]> {
  await using maildrop = await bench.open(backend);
  return maildrop.messages.map(({ uniqueId }) => uniqueId);
}

const text = fc.string({ unit: fc.constantFrom('a', 'b', ':', ' ', 'é', '\t', '-'), maxLength: 12 }).map((one) => `v${one}`);
const kept = fc.record({
  name: fc.constantFrom('Subject', 'From', 'To', 'Xylophone', 'Statusbar', 'Lines-of', 'Received', 'S', 'L', 'C'),
  value: text,
});
const changing = fc.record({
  name: fc.constantFrom('X-Spam', 'x-keywords', 'X-UID', 'Status', 'STATUS', 'X-Status', 'Content-Length', 'Lines', 'lines', 'X-'),
  value: text,
  folded: fc.boolean(),
});

test('fields that other programs change may come, change and go: the unique-id stays', () => {
  const field = fc.oneof(
    kept.map((one) => ({ ...one, folded: false, stays: true })),
    changing.map((one) => ({ ...one, stays: false })),
  );
  const lineEnd = fc.constantFrom('\n', '\r\n');
  fc.assert(
    fc.property(fc.array(field), fc.array(fc.tuple(fc.nat(), changing)), lineEnd, (fields, additions, end) => {
      const write = (all: readonly { name: string; value: string; folded: boolean }[]): Buffer =>
        Buffer.from(all.map(({ name, value, folded }) => `${name}: ${value}${end}${folded ? ` ${value}${end}` : ''}`).join('') + end);
      const digestOf = (octets: Buffer): string | undefined => headerFacts(octets, 0, octets.length, true)?.digest;
      const bare = fields.filter(({ stays }) => stays);
      const others: { name: string; value: string; folded: boolean }[] = [...bare];
      for (const [place, one] of additions) others.splice(place % (others.length + 1), 0, one);
      const expected = digestOf(write(bare));
      assert.equal(digestOf(write(fields)), expected);
      assert.equal(digestOf(write(others)), expected);
    }),
    { numRuns: 500 },
  );
});

test('other fields count', () => {
  const digests = ['Subject: 1\n', 'Subject: 2\n', 'Xsubject: 1\n', 'Statuses: 1\n', 'Subject: 1\nTo: a\n', '\n', ' X-a: 1\n'].map(
    (header) => headerFacts(Buffer.from(`${header}\n`), 0, header.length + 1, true)?.digest,
  );
  assert.equal(new Set(digests).size, digests.length);
});

test('what a mail program does to a mailbox at rest leaves all unique-ids as they were', async (t) => {
  const headers = ['Subject: 1\nX-Old: 1\n', 'Subject: 2\nStatus: O\n', 'Subject: 3\nContent-Length: 5\nLines: 1\n'];
  const bench = new MboxBench(t, headers.map((header) => message(header)).join(''));
  const before = await idsOf(bench);
  const others = ['X-UID: 7\nSubject: 1\nStatus: RO\n', 'Subject: 2\nX-Status: A\nX-Keywords:\n  none\n', 'Lines: 2\nSubject: 3\n'];
  bench.replace(others.map((header) => message(header)).join(''));
  assert.deepEqual(await idsOf(bench), before);
});

test('equal messages are told apart, and keep their unique-ids whichever of them go', async (t) => {
  const bodies = ['1', '2', '3', '4', '5'].map((n) => `${n}\n`);
  const bench = new MboxBench(t, bodies.map((body) => message('Subject: same\n', body)).join(''));
  const ids = await idsOf(bench);
  const [base] = ids;
  assert.deepEqual(ids, [base, `${base}.1`, `${base}.2`, `${base}.3`, `${base}.4`]);
  for (const { removed, left } of [
    { removed: [1], left: [ids[0], ids[2], ids[3], ids[4]] },
    { removed: [0, 3], left: [ids[2], ids[3]] },
  ]) {
    await using maildrop = await bench.open(bench.backend());
    await maildrop.update(new Set(maildrop.messages.filter((_, n) => removed.includes(n))), new Set());
    assert.deepEqual(await idsOf(bench), left);
  }
  await bench.deliver(bench.backend(), 'Subject: same\n\n1\n');
  assert.deepEqual(await idsOf(bench), [ids[2], ids[3], `${base}.5`]);
});

test('the unique-id of a removed message is not given again', async (t) => {
  const bench = new MboxBench(t, message('Subject: 1\n'));
  const [id] = await idsOf(bench);
  {
    await using maildrop = await bench.open(bench.backend());
    await maildrop.update(new Set(maildrop.messages), new Set());
  }
  await bench.deliver(bench.backend(), 'Subject: 1\n\nbody\n');
  assert.deepEqual(await idsOf(bench), [`${id}.1`]);
});

test('many equal messages cost no more than others', async (t) => {
  const bench = new MboxBench(t, message('Subject: same\n').repeat(5000));
  const ids = await idsOf(bench);
  assert.equal(new Set(ids).size, 5000);
  assert.deepEqual(await idsOf(bench), ids);
});

test('of retired unique-ids the latest are remembered', () => {
  const retired = new Retired();
  for (let n = 0; n < 10_000; n++) retired.retire(`digest ${n}`, 0);
  retired.retire('digest 9000', 7);
  assert.equal(retired.size, 8192);
  assert.deepEqual([retired.next('digest 0'), retired.next('digest 9999'), retired.next('digest 9000')], [0, 1, 8]);
  retired.retire('digest 9000', 3);
  assert.equal(retired.next('digest 9000'), 8);
});
