import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cuts, cutUp, messageOctets } from '../../test/support/mailOctets.ts';
import { fitsOnWire, TERMINATOR_ROOM, WireEncoder, wireRoom } from './wire.ts';

function onTheWire(chunks: readonly Uint8Array[]): string {
  const encoder = new WireEncoder();
  // Just the room that is promised to be enough, and what must not be touched around it.
  const room = chunks.reduce((sum, chunk) => sum + wireRoom(chunk), 0);
  const into = Buffer.alloc(1 + room + TERMINATOR_ROOM + 1, '#');
  let at = 1;
  for (const chunk of chunks) {
    const written = encoder.encode(chunk, into, at);
    assert.ok(written <= wireRoom(chunk) && fitsOnWire(chunk, 2 * chunk.length));
    at += written;
  }
  const end = encoder.end();
  assert.equal(into.toString('latin1', at), '#'.repeat(into.length - at));
  assert.equal(into.toString('latin1', 0, 1), '#');
  return Buffer.concat([into.subarray(1, at), end]).toString('latin1');
}

const replies: readonly [atRest: string, wire: string, why: string][] = [
  ['', '.\r\n', 'an empty message'],
  ['a\nb\n', 'a\r\nb\r\n.\r\n', 'LF at rest'],
  ['a\r\nb\r\n', 'a\r\nb\r\n.\r\n', 'CRLF at rest'],
  ['a', 'a\r\n.\r\n', 'no last line end'],
  ['a\r', 'a\r\r\n.\r\n', 'a lone CR is no line end'],
  ['.', '..\r\n.\r\n', 'a dot and nothing else'],
  ['.\n', '..\r\n.\r\n', 'a line of one dot'],
  ['..\n.a\n a.\n', '...\r\n..a\r\n a.\r\n.\r\n', 'only the dot that begins a line is doubled'],
  ['a\r\n.\r\nQUIT\r\n', 'a\r\n..\r\nQUIT\r\n.\r\n', 'the end of a reply inside a message'],
  ['\n\n', '\r\n\r\n.\r\n', 'blank lines'],
  ['a\r.\n', 'a\r.\r\n.\r\n', 'a dot after a lone CR begins no line'],
  ['\0\xff\x85\n', '\0\xff\x85\r\n.\r\n', 'octets that are no text'],
];

test('RFC 1939 section 3: one table of replies', () => {
  for (const [atRest, wire, why] of replies) assert.equal(onTheWire([Buffer.from(atRest, 'latin1')]), wire, why);
});

test('cut at every position, in two and in three', () => {
  const message = Buffer.from('.a\r\n.\n..\r\n\r\n.\r\r\n.b\n\n.', 'latin1');
  const wire = '..a\r\n..\r\n...\r\n\r\n..\r\r\n..b\r\n\r\n..\r\n.\r\n';
  for (let one = 0; one <= message.length; one++) {
    for (let two = one; two <= message.length; two++) {
      assert.equal(
        onTheWire([message.subarray(0, one), message.subarray(one, two), message.subarray(two)]),
        wire,
        `cut at ${one} and ${two}`,
      );
    }
  }
});

test('any octets, cut anyhow: a client that follows RFC 1939 has the message back', () => {
  fc.assert(
    fc.property(messageOctets, cuts, (octets, places) => {
      const wire = onTheWire(cutUp(octets, places));
      assert.equal(wire, onTheWire([octets]));
      const end = wire.search(/(?<![^\n])\.\r\n/);
      assert.equal(wire.slice(end), '.\r\n', 'the terminator comes once, at the end');
      const text = octets.toString('latin1').replace(/\r?\n/g, '\r\n');
      assert.equal(wire.slice(0, end).replace(/(?<![^\n])\./g, ''), text === '' || text.endsWith('\n') ? text : `${text}\r\n`);
    }),
    { numRuns: 300 },
  );
});

test('what fits: lines are what makes a message grow on the wire', () => {
  for (const [chunk, needed] of [
    ['', 0],
    ['abc', 3],
    ['.', 2],
    ['\n\n\n', 6],
    ['.\n.\n', 8],
    [`${'x'.repeat(76)}\n`.repeat(10), 780],
  ] as const) {
    const octets = Buffer.from(chunk);
    assert.equal(new WireEncoder().encode(octets, Buffer.alloc(needed), 0), needed);
    assert.equal(fitsOnWire(octets, needed - 1), false, JSON.stringify(chunk));
    assert.ok(wireRoom(octets) >= needed);
  }
});
