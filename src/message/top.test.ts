import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cuts, cutUp, lent, messageOctets, whole } from '../../test/support/mailOctets.ts';
import { topOf } from './top.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');

test('RFC 1939 section 7: header, blank line, so many lines of the body', async () => {
  const rows: readonly [message: string, lines: number, top: string][] = [
    ['A: b\nC: d\n\none\ntwo\nthree\n', 0, 'A: b\nC: d\n\n'],
    ['A: b\nC: d\n\none\ntwo\nthree\n', 2, 'A: b\nC: d\n\none\ntwo\n'],
    ['A: b\nC: d\n\none\ntwo\nthree\n', 3, 'A: b\nC: d\n\none\ntwo\nthree\n'],
    ['A: b\nC: d\n\none\ntwo\nthree\n', 99_999_999, 'A: b\nC: d\n\none\ntwo\nthree\n'],
    ['A: b\r\n\r\none\r\ntwo\r\n', 1, 'A: b\r\n\r\none\r\n'],
    ['A: b\n\n\n\n\n', 2, 'A: b\n\n\n\n'], // blank lines of the body count
    ['A: b\n\none\ntwo', 2, 'A: b\n\none\ntwo'],
    ['A: b\n\none\rtwo\nthree\n', 1, 'A: b\n\none\rtwo\n'], // a lone CR ends no line
    ['\none\ntwo\n', 1, '\none\n'],
    ['A: b\nno body\n', 0, 'A: b\nno body\n'],
    ['', 5, ''],
  ];
  for (const [message, lines, top] of rows) {
    assert.equal((await whole(topOf([latin1(message)], lines))).toString('latin1'), top, `${JSON.stringify(message)} ${lines}`);
  }
});

test('cut at every position', async () => {
  const message = latin1('A: b\r\nC: d\r\n\r\n.\r\n\r\ntwo\r\nthree\r\n');
  for (let at = 0; at <= message.length; at++) {
    const pieces = [message.subarray(0, at), message.subarray(at)];
    assert.equal((await whole(topOf(pieces, 2))).toString('latin1'), 'A: b\r\nC: d\r\n\r\n.\r\n\r\n', `cut at ${at}`);
  }
});

test('any message, cut anyhow, with or without promises', async () => {
  await fc.assert(
    fc.asyncProperty(messageOctets, cuts, fc.nat(6), async (octets, places, lines) => {
      const text = octets.toString('latin1');
      const blank = /(?:^|\n)\r?\n/.exec(text);
      const bodyStart = blank === null ? text.length : blank.index + blank[0].length;
      const body = text.slice(bodyStart).split(/(?<=\n)/);
      const expected = text.slice(0, bodyStart) + body.slice(0, lines).join('');
      assert.equal((await whole(topOf(cutUp(octets, places), lines))).toString('latin1'), expected);
      assert.equal((await whole(topOf(later(lent(cutUp(octets, places))), lines))).toString('latin1'), expected);
    }),
    { numRuns: 200 },
  );
});

test('reads no further than it must, lets go of what it read from, and can be gone through twice', async () => {
  let asked = 0;
  let closed = 0;
  const message = {
    *[Symbol.iterator]() {
      try {
        for (const piece of ['A: b\n', '\none\n', 'two\n', 'three\n']) {
          asked++;
          yield latin1(piece);
        }
      } finally {
        closed++;
      }
    },
  };
  const top = topOf(message, 1);
  assert.equal((await whole(top)).toString(), 'A: b\n\none\n');
  assert.deepEqual({ asked, closed }, { asked: 2, closed: 1 });
  assert.equal((await whole(top)).toString(), 'A: b\n\none\n');
  assert.deepEqual({ asked, closed }, { asked: 4, closed: 2 });
});

async function* later(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  yield* pieces;
}
