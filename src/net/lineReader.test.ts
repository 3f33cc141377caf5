import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { LineReader, overlong } from './lineReader.ts';

/** What the octets mean, worked out from the whole of them: LF ends a line, a CR before it belongs to the end. */
function expectedLines(octets: Buffer, limit: number): (string | typeof overlong)[] {
  const lines: (string | typeof overlong)[] = [];
  const pieces = octets.toString('latin1').split('\n');
  const unfinished = pieces.pop() ?? '';
  for (const piece of pieces) lines.push(piece.length + 1 > limit ? overlong : piece.replace(/\r$/, ''));
  // Its end, when it comes, is one octet more.
  if (unfinished.length + 1 > limit) lines.push(overlong);
  return lines;
}

function readAll(reader: LineReader, limit: number): (string | typeof overlong)[] {
  const lines: (string | typeof overlong)[] = [];
  for (let line = reader.next(limit); line !== undefined; line = reader.next(limit)) lines.push(line);
  return lines;
}

const wire = fc
  .array(fc.oneof(fc.constantFrom('\r', '\n', '\r\n', '\0', 'A', '\x85', 'QUIT', '0123456789'), fc.string({ unit: 'binary-ascii' })))
  .map((parts) => Buffer.from(parts.join(''), 'latin1'));

test('lines are the same however the octets are cut, and whether they are read at once or later', () => {
  fc.assert(
    fc.property(wire, fc.array(fc.nat({ max: 7 })), fc.boolean(), fc.integer({ min: 2, max: 20 }), (octets, cuts, isEager, limit) => {
      const reader = new LineReader();
      const lines: (string | typeof overlong)[] = [];
      for (let at = 0, n = 0; at < octets.length; n++) {
        const size = Math.max(1, cuts.length > 0 ? (cuts[n % cuts.length] ?? 1) : octets.length);
        reader.push(octets.subarray(at, at + size));
        at += size;
        if (isEager) lines.push(...readAll(reader, limit));
      }
      lines.push(...readAll(reader, limit));
      assert.deepEqual(lines, expectedLines(octets, limit));
    }),
  );
});

test('the limit counts the line end, and may differ from line to line', () => {
  const reader = new LineReader();
  reader.push(Buffer.from('12345678\r\n123456789\r\n123456789\r\nAB\n'));
  assert.equal(reader.next(10), '12345678');
  assert.equal(reader.next(10), overlong);
  assert.equal(reader.next(11), '123456789');
  assert.equal(reader.next(3), 'AB');
  assert.equal(reader.next(10), undefined);
});

test('clear throws away whole lines, the start of one, and the rest of one that was too long', () => {
  const reader = new LineReader();
  reader.push(Buffer.from('STLS\r\nUSER a\r\nPASS'));
  assert.equal(reader.next(100), 'STLS');
  reader.push(Buffer.from(' b\r\n'));
  assert.equal(reader.empty, false);
  reader.clear();
  assert.equal(reader.empty, true);
  assert.equal(reader.next(100), undefined);
  reader.push(Buffer.from('PA'));
  assert.equal(reader.next(100), undefined);
  assert.equal(reader.empty, false);
  reader.clear();
  reader.push(Buffer.from('0123456789'));
  assert.equal(reader.next(5), overlong);
  reader.clear();
  reader.push(Buffer.from('NOOP\r\n'));
  assert.equal(reader.next(100), 'NOOP');
});

test('neither a line without end nor the start of a line keeps memory', () => {
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');
  const reader = new LineReader();
  const size = 4 << 20;
  const held = () => {
    // Twice: what the first finds dead is given back by the second at the latest.
    gc();
    gc();
    return process.memoryUsage().arrayBuffers;
  };
  const before = held();
  reader.push(Buffer.alloc(size, 'x'));
  assert.equal(reader.next(255), overlong);
  for (let n = 0; n < 8; n++) {
    reader.push(Buffer.alloc(size, 'x'));
    assert.equal(reader.next(255), undefined);
  }
  reader.push(Buffer.concat([Buffer.alloc(size, '\n'), Buffer.from('NOOP')]));
  while (reader.next(255) !== undefined);
  assert.ok(held() - before < size);
  reader.push(Buffer.from('\r\n'));
  assert.equal(reader.next(255), 'NOOP');
});
