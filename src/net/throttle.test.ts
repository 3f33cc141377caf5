import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Throttle } from './throttle.ts';

test('each failure doubles the delay of the next one, up to 15 seconds', () => {
  const throttle = new Throttle({ baseMs: 2000 });
  const delays = [1, 2, 3, 4, 5, 6].map((second) => throttle.failed('192.0.2.1', second * 1000));
  assert.deepEqual(delays, [2000, 4000, 8000, 15_000, 15_000, 15_000]);
});

test('one source does not lengthen the delay of another', () => {
  const throttle = new Throttle({ baseMs: 2000 });
  throttle.failed('192.0.2.1', 0);
  throttle.failed('192.0.2.1', 0);
  assert.equal(throttle.failed('192.0.2.2', 0), 2000);
});

test('each quiet minute takes one doubling back, also after many failures', () => {
  const throttle = new Throttle({ baseMs: 2000 });
  for (let n = 0; n < 100; n++) throttle.failed('192.0.2.1', 0);
  assert.equal(throttle.failed('192.0.2.1', 59_999), 15_000);
  assert.equal(throttle.failed('192.0.2.1', 59_999 + 60_000), 8000);
  assert.equal(throttle.failed('192.0.2.1', 59_999 + 60_000 + 3 * 60_000), 2000);
});

test('a clock that is set back lengthens nothing', () => {
  const throttle = new Throttle({ baseMs: 2000 });
  throttle.failed('192.0.2.1', 1_000_000);
  assert.equal(throttle.failed('192.0.2.1', 0), 4000);
});

test('0 switches delays off, and a base above the ceiling stays what it is', () => {
  const off = new Throttle({ baseMs: 0 });
  assert.deepEqual([off.failed('a', 0), off.failed('a', 0)], [0, 0]);
  const long = new Throttle({ baseMs: 20_000 });
  assert.deepEqual([long.failed('a', 0), long.failed('a', 0)], [20_000, 20_000]);
});

test('the table is bounded, and who failed last is remembered', () => {
  const throttle = new Throttle({ baseMs: 1000, capacity: 3 });
  throttle.failed('kept', 0);
  for (const source of ['a', 'b']) throttle.failed(source, 1);
  throttle.failed('kept', 2);
  throttle.failed('c', 3);
  assert.equal(throttle.size, 3);
  assert.equal(throttle.failed('kept', 4), 4000);
  assert.equal(throttle.failed('a', 4), 1000);
});
