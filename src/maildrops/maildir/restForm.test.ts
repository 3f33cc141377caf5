import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cuts, cutUp, lent, messageOctets } from '../../../test/support/mailOctets.ts';
import { wireLength } from '../wireLength.ts';
import { RestForm } from './restForm.ts';

function atRest(pieces: Iterable<Uint8Array>): { text: string; form: RestForm } {
  const form = new RestForm();
  const given: Buffer[] = [];
  for (const piece of pieces) given.push(form.take(piece));
  given.push(form.end());
  return { text: Buffer.concat(given).toString('latin1'), form };
}

test('line ends at rest', () => {
  for (const [sent, expected] of [
    ['', ''],
    ['a', 'a\n'],
    ['a\r\nb\r\n', 'a\nb\n'],
    ['a\nb', 'a\nb\n'],
    ['a\rb\r\n', 'a\rb\n'],
    ['a\r\r\nb\r\n', 'a\r\r\nb\n'],
    ['\r\r\r\n', '\r\r\r\n'],
    ['a\r', 'a\r\r\n'],
    ['\r\n\r\n', '\n\n'],
  ] as const) {
    assert.equal(atRest([Buffer.from(sent)]).text, expected);
  }
});

test('however the message is cut, what goes out is what came in, and the sizes are right', () => {
  fc.assert(
    fc.property(messageOctets, cuts, (octets, places) => {
      const { text, form } = atRest(lent(cutUp(octets, places)));
      const sent = octets.toString('latin1');
      const ended = sent === '' || sent.endsWith('\n') ? sent : `${sent}\r\n`;
      const wire = text.replaceAll(/(?<!\r)\n/g, '\r\n');
      assert.equal(wire, ended.replaceAll(/(?<!\r)\n/g, '\r\n'));
      assert.equal(form.size, text.length);
      assert.equal(form.octets, wire.length);
      assert.equal(wireLength(octets), wire.length);
    }),
  );
});
