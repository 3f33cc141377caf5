import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { messageOctets } from '../../test/support/mailOctets.ts';
import { createKernelLoops } from './kernelLoops.ts';
import { borrowSlot, octetLoops, SLOT_SIZE, toWire } from './octetLoops.ts';
import { CR, LF, plainLoops } from './plainLoops.ts';

const SIZE = 65_536;
const { loops: kernel, slots } = createKernelLoops(3, SIZE);
const [first = Buffer.of(), second = Buffer.of(), third = Buffer.of()] = slots;
const previous = fc.constantFrom(0, LF, CR, 0x2e, 0x61);

/** The rules of RFC 1939 section 3 said in regular expressions: neither loop was written from these. */
function wireForm(octets: Buffer, before: number): string {
  const text = String.fromCharCode(before) + octets.toString('latin1');
  return text
    .replace(/(?<=\n)\./g, '..')
    .replace(/(?<!\r)\n/g, (lf, at: number) => (at === 0 ? lf : '\r\n'))
    .slice(1);
}

function restForm(octets: Buffer, before: number): string {
  return (String.fromCharCode(before) + octets.toString('latin1')).replace(/(?<=[^\r])\r\n/g, '\n').slice(1);
}

test('plain: what RFC 1939 section 3 says', () => {
  fc.assert(
    fc.property(messageOctets, previous, (octets, before) => {
      const into = Buffer.alloc(octets.length * 2);
      const written = plainLoops.toWire(octets, into, before);
      assert.equal(into.toString('latin1', 0, written), wireForm(octets, before));
    }),
  );
});

test('plain: counts and line ends at rest', () => {
  fc.assert(
    fc.property(messageOctets, previous, (octets, before) => {
      const text = octets.toString('latin1');
      assert.equal(plainLoops.countLf(octets, 0, octets.length), text.split('\n').length - 1);
      assert.equal(plainLoops.countBareLf(octets, 0, octets.length, 0), text.replaceAll('\r\n', '').split('\n').length - 1);
      const into = Buffer.alloc(octets.length);
      const written = plainLoops.toRest(octets, into, before);
      assert.equal(into.toString('latin1', 0, written), restForm(octets, before));
    }),
  );
});

test('kernel and plain loops agree, whether the octets lie in the kernel or elsewhere', () => {
  fc.assert(
    fc.property(messageOctets, previous, fc.nat(40), fc.nat(40), (octets, before, startAt, cut) => {
      const start = Math.min(startAt, octets.length);
      const end = Math.max(start, octets.length - cut);
      const before0 = start > 0 ? (octets[start - 1] ?? 0) : before;
      const inside = first.subarray(0, octets.length);
      // What follows in memory must not count: a CR or LF there would.
      first.fill(LF, octets.length, octets.length + 128).fill(CR, octets.length + 1, octets.length + 64);
      octets.copy(inside);
      const expected = {
        lf: plainLoops.countLf(octets, start, end),
        bare: plainLoops.countBareLf(octets, start, end, before0),
        wire: rewritten((into) => plainLoops.toWire(octets, into, before), octets.length * 2),
        rest: rewritten((into) => plainLoops.toRest(octets, into, before), octets.length),
      };
      for (const from of [octets, inside]) {
        for (const into of [undefined, second]) {
          assert.deepEqual(
            {
              lf: kernel.countLf(from, start, end),
              bare: kernel.countBareLf(from, start, end, before0),
              wire: rewritten((own) => kernel.toWire(from, into ?? own, before), octets.length * 2, into),
              rest: rewritten((own) => kernel.toRest(from, into ?? own, before), octets.length, into),
            },
            expected,
          );
        }
      }
    }),
    { numRuns: 300 },
  );
});

/** As text: a difference is easier to read. */
function rewritten(rewrite: (into: Buffer) => number, room: number, into: Buffer = Buffer.alloc(room)): string {
  return into.toString('latin1', 0, rewrite(into));
}

test('kernel: octets from elsewhere that are longer than one piece', () => {
  // Every kind of pair falls on the edge of the pieces that are copied in, as the lines drift by one octet each.
  for (const unit of ['\r\n', '\n', '\r', '\n.', 'abc\r\n', '.\n', '\r\r\n', `${'x'.repeat(76)}\n`]) {
    for (const shift of [0, 1, 2]) {
      const octets = Buffer.from(`${'-'.repeat(shift)}${unit.repeat(Math.ceil(100_000 / unit.length))}.`, 'latin1');
      const expected = rewritten((into) => plainLoops.toWire(octets, into, LF), octets.length * 2);
      assert.ok(
        rewritten((into) => kernel.toWire(octets, into, LF), octets.length * 2) === expected,
        `to the wire: ${JSON.stringify(unit)}`,
      );
      const atRest = rewritten((into) => plainLoops.toRest(octets, into, LF), octets.length);
      assert.ok(rewritten((into) => kernel.toRest(octets, into, LF), octets.length) === atRest, `to rest: ${JSON.stringify(unit)}`);
      assert.equal(kernel.countBareLf(octets, 0, octets.length, 0), plainLoops.countBareLf(octets, 0, octets.length, 0));
      assert.equal(kernel.countLf(octets, 1, octets.length), plainLoops.countLf(octets, 1, octets.length));
    }
  }
});

test('kernel: a slot written to the brim leaves its neighbour alone', () => {
  third.fill(0x7e);
  first.fill(LF);
  assert.equal(kernel.toWire(first.subarray(0, SIZE / 2), second, LF), SIZE);
  assert.ok(second.toString('latin1') === '\r\n'.repeat(SIZE / 2));
  assert.ok(third.every((octet) => octet === 0x7e));
});

test('this machine runs the kernel', { skip: process.arch !== 'x64' && process.arch !== 'arm64' }, () => {
  assert.equal(octetLoops, 'kernel');
});

test('slots: lent once at a time, back after release, never refused', () => {
  const held = Array.from({ length: 40 }, () => borrowSlot(SLOT_SIZE));
  const addresses = new Set(
    held.map(({ octets }) => `${held.findIndex((other) => other.octets.buffer === octets.buffer)}:${octets.byteOffset}`),
  );
  assert.equal(addresses.size, 40);
  const [one] = held;
  one?.release();
  one?.release();
  const again = borrowSlot(100);
  assert.equal(again.octets.length, 100);
  assert.equal(again.octets.byteOffset, one?.octets.byteOffset);
  const other = borrowSlot(100);
  assert.notEqual(other.octets.buffer === again.octets.buffer && other.octets.byteOffset === again.octets.byteOffset, true);
  for (const slot of [...held, again, other]) slot.release();
  assert.equal(borrowSlot(SLOT_SIZE + 1).octets.length, SLOT_SIZE + 1);
});

test('wire form: any length, from anywhere, to anywhere', () => {
  for (const length of [0, 1, 63, 64, 65, SLOT_SIZE / 2, SLOT_SIZE / 2 + 1, SLOT_SIZE - 10, SLOT_SIZE, 3 * SLOT_SIZE]) {
    for (const line of ['\n', '.\n', `.${'x'.repeat(75)}\n`, 'x']) {
      const octets = Buffer.alloc(length, line);
      const slot = borrowSlot(7 + 2 * length);
      const written = toWire(octets, slot.octets, 7, LF);
      assert.ok(slot.octets.toString('latin1', 7, 7 + written) === wireForm(octets, LF), `${length} octets of ${JSON.stringify(line)}`);
      slot.release();
    }
  }
});
