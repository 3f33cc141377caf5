import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cuts, cutUp, messageOctets } from '../../test/support/mailOctets.ts';
import { fieldValue, fieldValues, HeaderEnd, headerFields, headerLength } from './header.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');

function fieldsOf(text: string): [name: string, octets: string][] {
  const octets = latin1(text);
  return [...headerFields(octets)].map(({ name, start, end }) => [name, octets.toString('latin1', start, end)]);
}

test('the header ends after the first blank line', () => {
  const rows: readonly [message: string, length: number][] = [
    ['A: b\n\nbody\n\n', 6],
    ['A: b\r\n\r\nbody', 8],
    ['A: b\r\n\nbody', 7],
    ['A: b\n\r\nbody', 7],
    ['\nbody\n\n', 1],
    ['\r\nbody', 2],
    ['A: b\n \n\nbody', 8], // a line of white space belongs to the field before it
    ['A: b\n\r\r\nbody\n\n', 14], // CR CR LF is a line with something on it
    ['A: b\n', 5],
    ['A: b', 4],
    ['\r', 1],
    ['', 0],
  ];
  for (const [message, length] of rows) assert.equal(headerLength(latin1(message)), length, JSON.stringify(message));
});

test('the end of a header is found wherever the octets are cut', () => {
  fc.assert(
    fc.property(messageOctets, cuts, (octets, places) => {
      const expected = /(?:^|\n)\r?\n/.exec(octets.toString('latin1'));
      const search = new HeaderEnd();
      let before = 0;
      let found: number | undefined;
      for (const piece of cutUp(octets, places)) {
        const at = search.find(piece);
        if (at !== undefined) {
          found = before + at;
          break;
        }
        before += piece.length;
      }
      assert.equal(found, expected === null ? undefined : expected.index + expected[0].length);
    }),
    { numRuns: 300 },
  );
});

test('fields with their folded lines, and lines that are none', () => {
  assert.deepEqual(
    fieldsOf('From ada@example.org Mon Nov 22 16:47:00 2010\nSubject: one\n two\n\t\nX-Y :z\r\n>From: quoted\n\nTo: body\n'),
    [
      ['', 'From ada@example.org Mon Nov 22 16:47:00 2010\n'],
      ['Subject', 'Subject: one\n two\n\t\n'],
      ['X-Y', 'X-Y :z\r\n'],
      ['>From', '>From: quoted\n'],
    ],
  );
  assert.deepEqual(fieldsOf(' begins with white space\n: no name\nno colon\nÆ: not ASCII\nA: b'), [
    ['', ' begins with white space\n'],
    ['', ': no name\n'],
    ['', 'no colon\n'],
    ['', 'Æ: not ASCII\n'],
    ['A', 'A: b'],
  ]);
  assert.deepEqual(fieldsOf('\nA: b\n'), []);
});

test('fields lie side by side and cover the header, whatever it is', () => {
  fc.assert(
    fc.property(messageOctets, (octets) => {
      let at = 0;
      for (const field of headerFields(octets)) {
        assert.equal(field.start, at);
        assert.ok(field.end > field.start);
        at = field.end;
      }
      assert.match(octets.toString('latin1', at, headerLength(octets)), /^(?:\r?\n)?$/);
    }),
  );
});

test('a name as long as a message', () => {
  const [field] = headerFields(latin1(`${'x'.repeat(2_000_000)}: y\n\n`));
  assert.equal(field?.name.length, 2_000_000);
});

test('values are unfolded and trimmed', () => {
  const octets = Buffer.from('To:  a,\r\n\tb\r\nSubject: blåbær\nto:c \nTo :\n d\nnot a field\nX:\n');
  assert.deepEqual(fieldValues(octets, 'TO'), ['a,\tb', 'c', 'd']);
  assert.deepEqual(fieldValues(octets, 'subject'), ['blåbær']);
  assert.deepEqual(fieldValues(octets, 'x'), ['']);
  assert.deepEqual(fieldValues(octets, 'constructor'), []);
  assert.deepEqual(
    [...headerFields(octets)].filter(({ name }) => name === '').map((field) => fieldValue(octets, field)),
    ['not a field'],
  );
});
