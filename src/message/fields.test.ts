import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cuts, cutUp, lent, messageOctets, whole } from '../../test/support/mailOctets.ts';
import { editFields, HEADER_LIMIT } from './fields.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');
const edits = {
  strip: ['Return-Path', 'Delivered-To'],
  prepend: [
    { name: 'Return-Path', value: '<ada@example.org>' },
    { name: 'Delivered-To', value: 'abc@kvt.dk' },
  ],
};

async function edited(text: string, change = edits): Promise<string> {
  return (await whole(editFields([latin1(text)], change))).toString('latin1');
}

test('forged fields go, own ones come first, line ends are those of the message', async () => {
  assert.equal(
    await edited('Return-Path: <eve@example.net>\r\nSubject: x\r\ndelivered-to: eve\r\n and more\r\nTo: y\r\n\r\nDelivered-To: stays\r\n'),
    'Return-Path: <ada@example.org>\r\nDelivered-To: abc@kvt.dk\r\nSubject: x\r\nTo: y\r\n\r\nDelivered-To: stays\r\n',
  );
  assert.equal(
    await edited('Subject: x\nDELIVERED-TO :eve\n\t\nX-Delivered-To: other\n\n.'),
    'Return-Path: <ada@example.org>\nDelivered-To: abc@kvt.dk\nSubject: x\nX-Delivered-To: other\n\n.',
  );
  assert.equal(await edited('Delivered-To: eve'), 'Return-Path: <ada@example.org>\nDelivered-To: abc@kvt.dk\n');
  assert.equal(await edited('\r\nbody'), 'Return-Path: <ada@example.org>\r\nDelivered-To: abc@kvt.dk\r\n\r\nbody');
  assert.equal(await edited(''), 'Return-Path: <ada@example.org>\nDelivered-To: abc@kvt.dk\n');
});

test('a message that begins with white space does not go on in our last field', async () => {
  const text = ' eve@example.net\nSubject: x\n\nbody\n';
  assert.equal(await edited(text), `Return-Path: <ada@example.org>\nDelivered-To: abc@kvt.dk\n\n${text}`);
});

test('a value cannot begin a field of its own', async () => {
  assert.equal(
    await edited('A: b\n\n', { strip: [], prepend: [{ name: 'X-Original-To', value: 'a\r\nBcc: blåbær\0\x7f' }] }),
    Buffer.from('X-Original-To: a Bcc: blåbær \nA: b\n\n').toString('latin1'),
  );
});

test('any message, cut anyhow: only named fields change', async () => {
  const header = fc
    .array(fc.constantFrom('Delivered-To: a\n', 'return-path: b\r\n', ' folded\n', 'Subject: x\n', 'junk\n', '\n', 'Delivered-To'))
    .map((lines) => latin1(lines.join('')));
  await fc.assert(
    fc.asyncProperty(fc.oneof(header, messageOctets), cuts, async (octets, places) => {
      const text = octets.toString('latin1');
      const blank = /(?:^|\n)(?=\r?\n)/.exec(text);
      const headerEnd = blank === null ? text.length : blank.index + blank[0].length;
      const kept = text
        .slice(0, headerEnd)
        .replace(/(?<=^|\n)(?![ \t])([^\n]*(?:\n(?=[ \t])[^\n]*)*(?:\n|$))/g, (field) =>
          /^(?:Delivered-To|Return-Path)[ \t]*:/i.test(field) ? '' : field,
        );
      const expected = kept + text.slice(headerEnd);
      assert.equal((await whole(editFields(lent(cutUp(octets, places)), { strip: edits.strip }))).toString('latin1'), expected);
      assert.equal((await whole(editFields(later(lent(cutUp(octets, places))), { strip: edits.strip }))).toString('latin1'), expected);
      assert.equal((await whole(editFields([octets], {}))).toString('latin1'), text);
    }),
    { numRuns: 300 },
  );
});

test('some fields go only where they stand above another', async () => {
  const change = { strip: [], prepend: [], stripOnTop: { names: ['X-Original-To'], above: 'Received' } };
  assert.equal(
    await edited(
      'x-original-to: a\r\nX: y\r\nX-ORIGINAL-TO: b\r\n c\r\nreceived: d\r\nX-Original-To: e\r\nReceived: f\r\n\r\nX-Original-To: g\r\n',
      change,
    ),
    'X: y\r\nreceived: d\r\nX-Original-To: e\r\nReceived: f\r\n\r\nX-Original-To: g\r\n',
  );
  assert.equal(await edited('X-Original-To: a\nX: y\n\n', change), 'X: y\n\n', 'there is no other');
});

test('cut at every position', async () => {
  const message = latin1('Delivered-To: eve\r\n folded\r\nSubject: x\r\nReturn-Path: y\r\n\r\nDelivered-To: z\r\n');
  const expected = await edited(message.toString());
  for (let at = 0; at <= message.length; at++) {
    const pieces = [message.subarray(0, at), message.subarray(at)];
    assert.equal((await whole(editFields(lent(pieces), edits))).toString(), expected, `cut at ${at}`);
  }
});

test('a header longer than the limit: edited as far as it is held, in small pieces or one', async () => {
  const filler = `X: ${'x'.repeat(995)}\n`;
  const before = filler.repeat(Math.floor(HEADER_LIMIT / filler.length));
  const straddling = `Delivered-To: ${'y'.repeat(2000)}\n`;
  const text = `Delivered-To: eve\n${before.slice(0, -18)}\n${straddling}Delivered-To: beyond\n\nbody\n`;
  const expected = `${before.slice(0, -18)}\n${straddling}Delivered-To: beyond\n\nbody\n`;
  const octets = latin1(text);
  const small = Array.from({ length: Math.ceil(octets.length / 997) }, (_, n) => octets.subarray(n * 997, (n + 1) * 997));
  for (const pieces of [[octets], small]) {
    assert.ok((await whole(editFields(lent(pieces), { strip: ['delivered-to'] }))).toString('latin1') === expected);
  }
});

async function* later(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  yield* pieces;
}
