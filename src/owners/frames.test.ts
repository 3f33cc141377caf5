import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cuts, cutUp } from '../../test/support/mailOctets.ts';
import { plainFrame } from './codec.ts';
import { ask, FrameReader, Malformed, MESSAGE, MOST_PAYLOAD } from './frames.ts';

/** What a reader makes of these chunks; the octets of neighbouring message frames are one text. */
function read(chunks: readonly Uint8Array[]): (string | [number, string])[] {
  const heard: (string | [number, string])[] = [];
  const reader = new FrameReader({
    frame: (type, payload) => void heard.push([type, payload.toString('latin1')]),
    message(octets) {
      const last = heard.at(-1);
      if (typeof last === 'string') heard[heard.length - 1] = last + octets.toString('latin1');
      else heard.push(octets.toString('latin1'));
    },
  });
  // As it is on a front: the same memory for each chunk.
  const area = Buffer.alloc(Math.max(1, ...chunks.map(({ length }) => length)));
  for (const chunk of chunks) {
    area.set(chunk);
    reader.push(area.subarray(0, chunk.length));
    area.fill(0xff);
  }
  return heard;
}

function frame(type: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32LE(payload.length);
  header.writeUInt8(type, 4);
  return Buffer.concat([header, payload]);
}

const anyFrames = fc.array(fc.tuple(fc.constantFrom(MESSAGE, ask.mark, ask.update, 255), fc.uint8Array({ maxLength: 40 })), {
  maxLength: 12,
});

test('frames are the same wherever the octets were cut', () => {
  fc.assert(
    fc.property(anyFrames, cuts, (sent, places) => {
      const expected: (string | [number, string])[] = [];
      for (const [type, payload] of sent) {
        const text = Buffer.from(payload).toString('latin1');
        if (type !== MESSAGE) expected.push([type, text]);
        else if (text !== '') {
          const last = expected.at(-1);
          if (typeof last === 'string') expected[expected.length - 1] = last + text;
          else expected.push(text);
        }
      }
      const octets = Buffer.concat(sent.map(([type, payload]) => frame(type, payload)));
      assert.deepEqual(read(cutUp(octets, places)), expected);
      assert.deepEqual(read(Array.from(octets, (octet) => Uint8Array.of(octet))), expected);
    }),
  );
});

test('whatever comes in is frames, or malformed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), cuts, (octets, places) => {
      try {
        read(cutUp(octets, places));
      } catch (thrown) {
        assert.ok(thrown instanceof Malformed);
      }
    }),
  );
});

test('the longest frame is 64 KiB', () => {
  const longest = frame(ask.authenticate, Buffer.alloc(MOST_PAYLOAD, 'x'));
  assert.deepEqual(read([longest]), [[ask.authenticate, 'x'.repeat(MOST_PAYLOAD)]]);
  for (const type of [MESSAGE, ask.authenticate]) {
    const header = frame(type, Buffer.alloc(MOST_PAYLOAD + 1)).subarray(0, 5);
    assert.throws(() => read([header]), Malformed);
    assert.throws(() => read([header.subarray(0, 2), header.subarray(2)]), Malformed);
  }
});

test('nothing is read any more after stop', () => {
  const heard: number[] = [];
  const reader = new FrameReader({
    frame(type) {
      heard.push(type);
      reader.stop();
    },
    message() {},
  });
  reader.push(Buffer.concat([plainFrame(ask.release), plainFrame(ask.update)]));
  reader.push(plainFrame(ask.update));
  assert.deepEqual(heard, [ask.release]);
});
