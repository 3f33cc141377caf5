import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readTopFields } from './topFields.ts';

const none = { returnPath: undefined, originalTo: undefined, deliveredTo: undefined };

test('what local(8) and pipe(8) put on top is known and left away', () => {
  const top =
    'From ada@example.org  Sun Nov 29 09:08:11 2026\nReturn-Path: <ada@example.org>\nX-Original-To: abc@kvt.dk\nDelivered-To: kvt+abc--kvt.dk@mx.example.org\n';
  const rest = 'Received: from x\n\tby y\nSubject: x\n\nhi\n';
  assert.deepEqual(readTopFields(Buffer.from(top + rest), true), {
    length: top.length,
    returnPath: 'ada@example.org',
    originalTo: 'abc@kvt.dk',
    deliveredTo: 'kvt+abc--kvt.dk@mx.example.org',
  });
  assert.equal(readTopFields(Buffer.from(`Return-Path: <>\n${rest}`), true)?.returnPath, '');
});

test('what is further down is the message', () => {
  const cases: [string, number][] = [
    ['', 0],
    ['Subject: x\nDelivered-To: abc@kvt.dk\n\n', 0],
    ['\nReturn-Path: <>\n', 0],
    ['>From ada\nReturn-Path: <>\n', 0],
    ['Delivered-To: abc@kvt.dk\nFrom here\n', 25],
    // The second of a name was there before Postfix.
    ['Delivered-To: abc@kvt.dk\nDelivered-To: abc@kvt.dk\n\n', 25],
    // Postfix folds none of them.
    ['Delivered-To: abc@kvt.dk\n more\n\n', 0],
    [`Delivered-To: ${'x'.repeat(5000)}\n\n`, 0],
    ['Return-Path: <ada@example.org>', 0],
  ];
  for (const [text, length] of cases) assert.equal(readTopFields(Buffer.from(text), true)?.length, length, text.slice(0, 60));
  assert.deepEqual(readTopFields(Buffer.from('x'), true), { length: 0, ...none });
});

test('however the octets come, the answer is the same', () => {
  const line = fc.constantFrom(
    'From x\n',
    'Return-Path: <>\n',
    'X-Original-To: a@b\n',
    'Delivered-To: a@b\n',
    ' more\n',
    '\n',
    'Subject: x\n',
    'x',
    ':\n',
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const octets = Buffer.from(lines.join(''));
      const whole = readTopFields(octets, true);
      assert.ok(whole !== undefined && whole.length <= octets.length);
      for (let length = 0; length <= octets.length; length++) {
        const early = readTopFields(octets.subarray(0, length), false);
        if (early !== undefined) assert.deepEqual(early, whole);
      }
    }),
  );
});
