import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodedText } from './encodedWord.ts';

test('a text in a header field: ASCII as it is, the rest in encoded words of RFC 2047 that no line is too long for', () => {
  assert.equal(encodedText('plain (text)'), 'plain (text)');
  assert.equal(encodedText('næsten'), '=?utf-8?B?bsOmc3Rlbg==?=');
  assert.equal(encodedText('=?utf-8?B?forged?='), '=?utf-8?B?PT91dGYtOD9CP2Y=?=\r\n =?utf-8?B?b3JnZWQ/PQ==?=');
  for (const line of encodedText('𝄞'.repeat(100)).split('\r\n')) assert.ok(line.length <= 76, line);
});

test('what is decoded again is what it was, characters of four octets included', () => {
  for (const text of ['æøå ÆØÅ '.repeat(9), '𝄞'.repeat(40), 'a\r\nBcc: x']) {
    const decoded = encodedText(text)
      .split('\r\n ')
      .map((word) => Buffer.from(/^=\?utf-8\?B\?([\w+/=]*)\?=$/.exec(word)?.[1] ?? '', 'base64').toString())
      .join('');
    assert.equal(decoded, text);
  }
});
