import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLagMeter } from './lag.ts';

test('the longest wait is remembered for half a minute at least, and for a minute at most', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let late = 0;
  let nowMs = 0;
  const meter = startLagMeter(() => nowMs + late);
  t.after(() => meter.stop());
  const pass = (ms: number) => {
    for (const end = nowMs + ms; nowMs < end; ) {
      nowMs += 250;
      t.mock.timers.tick(250);
    }
  };
  pass(1000);
  assert.equal(meter.longestMs(), 0);
  late = 400; // as if the loop had stood still so long
  pass(250);
  assert.equal(meter.longestMs(), 400);
  late = 500;
  pass(29_000);
  assert.equal(meter.longestMs(), 400);
  pass(29_000);
  assert.equal(meter.longestMs(), 400);
  pass(3000);
  assert.equal(meter.longestMs(), 0);
});

test('a wait that still goes on counts', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let nowMs = 0;
  const meter = startLagMeter(() => nowMs);
  t.after(() => meter.stop());
  nowMs = 5250;
  assert.equal(meter.longestMs(), 5000);
});
