import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InputBuffer } from './inputBuffer.ts';

test('what was appended and not taken is there, in order', () => {
  const step = fc.oneof(
    fc.uint8Array({ maxLength: 50 }).map((octets) => Buffer.from(octets)),
    fc.nat(100),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      const input = new InputBuffer();
      let expected: Buffer = Buffer.alloc(0);
      for (const each of steps) {
        if (typeof each === 'number') {
          const octets = Math.min(each, expected.length);
          input.take(octets);
          expected = expected.subarray(octets);
        } else {
          input.append(each);
          expected = Buffer.concat([expected, each]);
        }
        assert.deepEqual(input.octets, expected);
        assert.equal(input.length, expected.length);
      }
    }),
  );
});

test('what was looked at before more came stays as it was', () => {
  const input = new InputBuffer();
  input.append(Buffer.from('one'));
  const seen = input.octets;
  for (let n = 0; n < 100; n++) input.append(Buffer.from('more'));
  input.take(3);
  input.append(Buffer.from('x'.repeat(1000)));
  assert.equal(seen.toString(), 'one');
});
