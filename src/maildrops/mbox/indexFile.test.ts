import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { MboxBench, served } from '../../../test/support/mboxBench.ts';
import { disk } from '../../os/disk.ts';
import { markOf } from './fileMark.ts';
import { decodeIndex, encodeIndex, stateName } from './indexFile.ts';
import { Scan, scanFile } from './scan.ts';
import { Retired } from './uniqueIds.ts';

const message = (n: number): string => `From a@b Thu Nov 24 18:22:48 1986\nSubject: ${n}\n\nbody ${n}\n\n`;
const content = (n: number): string => `Subject: ${n}\n\nbody ${n}\n`;
/** Large enough to be worth an index. */
const text = Array.from({ length: 15_000 }, (_, n) => message(n)).join('');
const later = (): number => Date.now() + 60_000;

function indexOf(bench: MboxBench): string {
  return join(bench.stateDir, 'mbox', `${stateName(bench.path)}.index`);
}

/** As `decodeIndex` wants it: at the start of its ArrayBuffer. */
function aligned(octets: Uint8Array): Buffer {
  const made = Buffer.from(new ArrayBuffer(octets.length));
  made.set(octets);
  return made;
}

test('a new process reads the index and not the mailbox', async (t) => {
  const bench = new MboxBench(t, text);
  const listed = async (): Promise<unknown[]> => {
    await using maildrop = await bench.open(bench.backend({ now: later }));
    return maildrop.messages.map(({ uniqueId, octets, receivedAtMs }) => [uniqueId, octets, receivedAtMs]);
  };
  const first = await listed();
  bench.forget();
  assert.deepEqual(await listed(), first);
  assert.ok(bench.calls.filter((call) => call === 'read').length < 100, bench.calls.join(' '));
  assert.ok(!bench.calls.includes('write'), 'no lock');
});

test('after an append only what is new is read', async (t) => {
  const bench = new MboxBench(t, text);
  await (await bench.open(bench.backend({ now: later })))[Symbol.asyncDispose]();
  fs.appendFileSync(bench.path, message(15_000));
  await using maildrop = await bench.open(bench.backend({ now: later }));
  assert.equal(maildrop.messages.length, 15_001);
  const scans = bench.events.filter(([name]) => name === 'mbox.scan').map(([, { octets, grown }]) => [octets, grown]);
  assert.deepEqual(scans, [
    [text.length, false],
    [message(15_000).length, true],
  ]);
});

test('a spoilt index is as good as none', async (t) => {
  const bench = new MboxBench(t, text);
  await (await bench.open(bench.backend({ now: later })))[Symbol.asyncDispose]();
  const good = fs.readFileSync(indexOf(bench));
  for (const spoil of [
    () => good.subarray(0, 50),
    () => good.subarray(0, good.length - 1),
    () => Buffer.concat([good, Buffer.alloc(1)]),
    () => Buffer.from(good).fill(0xff, 200, 210),
    () => Buffer.alloc(0),
    () => Buffer.alloc(5000, 1),
  ]) {
    fs.writeFileSync(indexOf(bench), spoil());
    await using maildrop = await bench.open(bench.backend({ now: later }));
    assert.equal(maildrop.messages.length, 15_000);
    assert.deepEqual(fs.readFileSync(indexOf(bench)).length, good.length, 'it is made again');
  }
  fs.unlinkSync(indexOf(bench));
  fs.symlinkSync('/dev/zero', indexOf(bench));
  await using maildrop = await bench.open(bench.backend({ now: later }));
  assert.equal(maildrop.messages.length, 15_000);
});

test('an index that says something else of the mailbox, with a right checksum, does no harm', async (t) => {
  const bench = new MboxBench(t, text);
  await (await bench.open(bench.backend({ now: later })))[Symbol.asyncDispose]();
  const scan = decodeIndex(bench.path, aligned(fs.readFileSync(indexOf(bench))));
  assert.ok(scan);
  // Every message a little further on than it is.
  const rows = scan.rows.copy(scan.count);
  for (let row = 1; row < rows.count - 1; row++) {
    rows.setPlace(row, rows.start(row) + 1, rows.content(row) + 1, rows.body(row) + 1, rows.end(row) + 1);
  }
  const { file, count, preamble, tail, retired } = scan;
  const moved = new Scan({ file, rows, count, preamble, tail, trust: 'exact', retired });
  fs.writeFileSync(indexOf(bench), encodeIndex(bench.path, moved));
  assert.ok(decodeIndex(bench.path, aligned(fs.readFileSync(indexOf(bench)))), 'in itself it adds up');
  await using maildrop = await bench.open(bench.backend({ now: later }));
  const [, second] = maildrop.messages;
  assert.ok(second);
  await maildrop.update(new Set([second]), new Set());
  assert.equal(bench.content.replaceAll('Status: O\n', ''), text.replace(message(1), ''));
});

test('no octets at all are taken for an index that would lead out of the file', async (t) => {
  const bench = new MboxBench(t, [1, 2, 3].map(message).join(''));
  const fd = fs.openSync(bench.path, 'r');
  t.after(() => fs.closeSync(fd));
  const scan = await scanFile(
    { disk, fd, windowSize: 100, now: later },
    markOf(disk.fstat(fd)),
    undefined,
    new Retired([['0123456789abcdef', 3]]),
  );
  const good = encodeIndex(bench.path, scan);
  const back = decodeIndex(bench.path, aligned(good));
  assert.deepEqual(
    [back?.count, back?.tail, back?.trust, back?.file, back?.retired.next('0123456789abcdef')],
    [3, scan.tail, 'exact', scan.file, 3],
  );
  assert.equal(decodeIndex(`${bench.path}2`, aligned(good)), undefined, 'another mailbox');
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }), (changes) => {
      const octets = aligned(good);
      for (const [at, octet] of changes) octets[at] = octet;
      const read = decodeIndex(bench.path, octets);
      assert.ok(read === undefined || octets.equals(good));
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (octets) => {
      assert.equal(decodeIndex(bench.path, aligned(octets)), undefined);
    }),
  );
});

test('a state folder that can not be written to costs time and nothing else', async (t) => {
  const bench = new MboxBench(t, [1, 2, 3].map(message).join(''));
  fs.rmdirSync(bench.stateDir);
  fs.writeFileSync(bench.stateDir, '');
  const backend = bench.backend({ statusHeader: 'never' });
  await using maildrop = await bench.open(backend);
  assert.deepEqual(await served(maildrop), [1, 2, 3].map(content));
  await maildrop.update(new Set(maildrop.messages.slice(0, 1)), new Set());
  assert.equal(bench.content, message(2) + message(3));
  assert.ok(bench.events.some(([name]) => name === 'mbox.index-unwritable'));
});
