import assert from 'node:assert/strict';
import { test } from 'node:test';
import { common } from '../texts/common.ts';
import { pop3 } from '../texts/pop3.ts';
import { sasl } from '../texts/sasl.ts';

test('no sentence can be taken for a response code, breaks the line or makes it too long (RFC 2449 sections 3 and 8)', () => {
  for (const [english, translations] of Object.entries({ ...common, ...pop3, ...sasl })) {
    for (const sentence of [english, ...Object.values(translations)]) {
      assert.doesNotMatch(sentence, /[[\r\n]/);
      assert.ok(Buffer.byteLength(sentence) < 200, sentence);
    }
  }
});

test('each translation fills in what the English sentence does', () => {
  const names = (sentence: string) => [...sentence.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const [english, translations] of Object.entries(pop3)) {
    for (const sentence of Object.values(translations)) assert.deepEqual(names(sentence), names(english), sentence);
  }
});
