import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cuts, cutUp, whole } from '../../../test/support/mailOctets.ts';
import { mailboxes, readMbox } from '../../../test/support/mbox.ts';
import { transform } from '../../message/transform.ts';
import { disk } from '../../os/disk.ts';
import type { FileMark } from './fileMark.ts';
import { quoter, unquoter } from './quoting.ts';
import { QUOTED } from './rows.ts';
import { type Reading, type Scan, sampleHolds, scanFile, scanGrowth, stillEndsSo } from './scan.ts';
import { Retired } from './uniqueIds.ts';

/** A file that is nowhere but in memory. */
function readingOf(file: Buffer, windowSize = 131_072): Reading {
  const read = (_fd: number, into: Uint8Array, offset: number, length: number, position: number): number =>
    file.copy(into, offset, position, Math.min(file.length, position + length));
  return { disk: { ...disk, read }, fd: -1, windowSize, now: () => 2_000_000_000_000 };
}

function markOf(file: Buffer, size = file.length): FileMark {
  return { dev: 1n, ino: 1n, size, mtimeNs: 1_000_000_000_000_000_001n, ctimeNs: 1_000_000_000_000_000_001n };
}

function scanOf(text: string, windowSize?: number): Promise<Scan> {
  const file = Buffer.from(text, 'latin1');
  return scanFile(readingOf(file, windowSize), markOf(file), undefined, new Retired());
}

/** The parts of the file by the rows, each message as it would be served. */
async function partsOf(scan: Scan, text: string): Promise<ReturnType<typeof readMbox>> {
  const { rows, count } = scan;
  const messages = [];
  for (let row = 0; row < count; row++) {
    const raw = text.slice(rows.start(row), row + 1 < count ? rows.start(row + 1) : text.length);
    const rest = Buffer.from(text.slice(rows.content(row), rows.end(row)), 'latin1');
    const content = rows.has(row, QUOTED) ? await whole(transform([rest], unquoter)) : rest;
    messages.push({ raw, content: content.toString('latin1'), octets: rows.octets(row) });
  }
  return { preamble: text.slice(0, scan.preamble), messages };
}

test('the reference: a `From ` line parts messages at the start of the file and after a blank line', () => {
  const file = 'From a\nSubject: 1\n\none\nFrom b\n\nFrom c\n>From d\n\n\n>>From e\n\nFrom f';
  assert.deepEqual(readMbox(file), {
    preamble: '',
    messages: [
      { raw: 'From a\nSubject: 1\n\none\nFrom b\n\n', content: 'Subject: 1\n\none\nFrom b\n', octets: 27 },
      { raw: 'From c\n>From d\n\n\n>>From e\n\n', content: 'From d\n\n\n>From e\n', octets: 21 },
      { raw: 'From f', content: '', octets: 0 },
    ],
  });
});

test('the reference: a file that does not begin with a message', () => {
  assert.deepEqual(readMbox('nonsense\n\nFrom a\nx\n').preamble, 'nonsense\n\n');
  assert.deepEqual(
    readMbox('nonsense\n\nFrom a\nx\n').messages.map(({ content }) => content),
    ['x\n'],
  );
  assert.deepEqual(
    readMbox('\nReceived: y\n\nz\n\nFrom a\nx\n').messages.map(({ content }) => content),
    ['Received: y\n\nz\n', 'x\n'],
  );
  assert.deepEqual(readMbox('\n\n'), { preamble: '\n\n', messages: [] });
  assert.deepEqual(
    readMbox('\n\nFrom a\nx\n').messages.map(({ raw }) => raw),
    ['\n\nFrom a\nx\n'],
  );
});

test('any file is read as the reference reads it, in windows of any size', async () => {
  await fc.assert(
    fc.asyncProperty(mailboxes, fc.constantFrom(1, 2, 3, 5, 8, 13, 100, 131_072), async (text, windowSize) => {
      const scan = await scanOf(text, windowSize);
      const parts = await partsOf(scan, text);
      assert.deepEqual(parts, readMbox(text));
      assert.equal(parts.preamble + parts.messages.map(({ raw }) => raw).join(''), text, 'every octet is somewhere, once');
    }),
    { numRuns: 600 },
  );
});

test('random octets are read without a fault, and none of them is lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 50 }), async (octets, windowSize) => {
      const text = Buffer.from(octets).toString('latin1');
      assert.deepEqual(await partsOf(await scanOf(text, windowSize), text), readMbox(text));
    }),
    { numRuns: 200 },
  );
});

test('headers, dates and unique-ids are the same whatever the size of the windows', async () => {
  await fc.assert(
    fc.asyncProperty(mailboxes, fc.integer({ min: 1, max: 60 }), async (text, windowSize) => {
      const [one, other] = [await scanOf(text), await scanOf(text, windowSize)];
      assert.equal(other.count, one.count);
      assert.deepEqual(Buffer.from(other.rows.octetsOf(one.count)), Buffer.from(one.rows.octetsOf(one.count)));
    }),
    { numRuns: 300 },
  );
});

test('a file that grew reads as if it had been read at once, wherever the old end was', async () => {
  await fc.assert(
    fc.asyncProperty(mailboxes, fc.integer({ min: 0, max: 1000 }), async (text, place) => {
      const file = Buffer.from(text, 'latin1');
      const oldSize = Math.floor((file.length * place) / 1000);
      const old = await scanFile(readingOf(file.subarray(0, oldSize)), markOf(file, oldSize), undefined, new Retired());
      const listed = old.messages.map(({ uniqueId, octets }) => [uniqueId, octets]);
      const reading = readingOf(file);
      assert.ok(stillEndsSo(reading, old) && sampleHolds(reading, old));
      const grown = await scanGrowth(reading, old, markOf(file));
      assert.deepEqual(await partsOf(grown, text), readMbox(text));
      assert.deepEqual(
        old.messages.map(({ uniqueId, octets }) => [uniqueId, octets]),
        listed,
        'who has the old scan sees what it saw',
      );
    }),
    { numRuns: 400 },
  );
});

test('a changed end is noticed', async () => {
  const text = 'From a\nSubject: 1\n\none\n\nFrom b\nSubject: 2\n\ntwo\n\n';
  const scan = await scanOf(text);
  const longer = Buffer.from(`${text.replace('one', 'one and a half')}From c\n\n`);
  assert.equal(stillEndsSo(readingOf(longer), scan), false);
  const sameEnd = Buffer.from(`${text.replace('From b', 'from b')}From c\n\n`);
  assert.equal(stillEndsSo(readingOf(sameEnd), scan), false);
  const earlier = Buffer.from(`From a\nSubject: 1\n\none\n\nXrom b\nSubject: 2\n\n${'two\n'.repeat(2000)}\n`);
  const before = await scanOf(earlier.toString().replace('Xrom', 'From'));
  assert.equal(stillEndsSo(readingOf(earlier), before), true, 'too far from the end to be seen there');
  assert.equal(sampleHolds(readingOf(earlier), before), false);
});

test('what is quoted comes back, in pieces cut anywhere', async () => {
  await fc.assert(
    fc.asyncProperty(mailboxes, cuts, cuts, async (text, first, second) => {
      const quoted = await whole(transform(cutUp(Buffer.from(text, 'latin1'), first), quoter));
      const expected = text
        .split(/(?<=\n)/)
        .map((line) => line.replace(/^(?=>*From )/, '>'))
        .join('');
      assert.equal(quoted.toString('latin1'), expected);
      const back = await whole(transform(cutUp(quoted, second), unquoter));
      assert.equal(back.toString('latin1'), text);
    }),
    { numRuns: 400 },
  );
});

test('a megabyte of `>` before a `From ` costs no more than other lines', async () => {
  const pieces = Array.from({ length: 256 }, () => Buffer.alloc(4096, '>'));
  const text = Buffer.concat([...pieces, Buffer.from('From x\n')]);
  const quoted = await whole(transform([...pieces, Buffer.from('From x\n')], quoter));
  assert.equal(quoted.length, text.length + 1);
  assert.ok((await whole(transform(cutUp(quoted, [100, 500, 999]), unquoter))).equals(text));
  const scan = await scanOf(`From a\n\n${quoted.toString()}\n`, 1000);
  assert.equal(scan.rows.octets(0), 2 + text.length + 1);
});
