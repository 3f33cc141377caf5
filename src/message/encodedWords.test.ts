import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeWords } from './encodedWords.ts';

// The first ones are the table of RFC 2047 section 8, as far as it is about text.
const table: readonly [string, string][] = [
  ['=?ISO-8859-1?Q?a?=', 'a'],
  ['=?ISO-8859-1?Q?a?= b', 'a b'],
  ['=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=', 'ab'],
  ['=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=', 'ab'],
  ['=?ISO-8859-1?Q?a_b?=', 'a b'],
  ['=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=', 'a b'],
  [
    '=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=',
    'If you can read this you understand the example.',
  ],
  ['Re: =?utf-8?q?bl=C3=A5b=C3=A6r?=', 'Re: blåbær'],
  ['=?utf-8*da?q?bl=C3=A5b=C3=A6r?=', 'blåbær'],
  ['=?x-nothing?q?a?=', '=?x-nothing?q?a?='],
  ['=?utf-8?x?a?=', '=?utf-8?x?a?='],
  ['plain = text ?=', 'plain = text ?='],
];

test('encoded words are decoded, and what is none stays', () => {
  for (const [written, expected] of table) assert.equal(decodeWords(written), expected, written);
});

test('any text has an answer', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('=?', 'utf-8', '?q?', '?b?', '?=', ' ', '=', 'a', '=C3'), { maxLength: 30 }), (parts) => {
      decodeWords(parts.join(''));
    }),
  );
});
