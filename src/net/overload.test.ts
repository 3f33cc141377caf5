import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogFields } from '../model/log.ts';
import { Overload } from './overload.ts';

function overload() {
  const state = { memory: 100, heap: 0.1 };
  const events: unknown[][] = [];
  const note = (event: string, fields?: LogFields) => events.push([event, ...Object.values(fields ?? {})]);
  const made = new Overload({
    memoryLimit: 1000,
    memory: () => state.memory,
    heapUse: () => state.heap,
    log: { debug: note, info: note, warn: note, error: note },
  });
  return { made, state, events };
}

test('memory: over at the limit, and not relieved before it has fallen well below', () => {
  const { made, state, events } = overload();
  const over = [900, 1000, 1001, 999, 901, 900, 1000].map((memory) => {
    state.memory = memory;
    made.look(0);
    return made.isOver;
  });
  assert.deepEqual(over, [false, false, true, true, true, false, false]);
  assert.deepEqual(events, [
    ['house.overloaded', 'memory', 1001, 0.1],
    ['house.relieved', 'memory', 900, 0.1],
  ]);
});

test('a JavaScript heap that is nearly full counts as memory', () => {
  const { made, state } = overload();
  const over = [0.85, 0.86, 0.8, 0.76].map((heap) => {
    state.heap = heap;
    made.look(0);
    return made.isOver;
  });
  assert.deepEqual(over, [false, true, true, false]);
});

test('lag: two late looks in a row, and relieved by two in time', () => {
  const { made, events } = overload();
  const over = [0, 5000, 0, 1001, 1001, 900, 0, 500, 0, 0, 1500].map((lateMs) => {
    made.look(lateMs);
    return made.isOver;
  });
  assert.deepEqual(over, [false, false, false, false, true, true, true, true, true, false, false]);
  assert.deepEqual(events, [
    ['house.overloaded', 'lag', 1001],
    ['house.relieved', 'lag', 0],
  ]);
});

test('both reasons have to be gone', () => {
  const { made, state } = overload();
  state.memory = 2000;
  made.look(2000);
  made.look(2000);
  state.memory = 100;
  made.look(0);
  assert.equal(made.isOver, true);
  made.look(0);
  assert.equal(made.isOver, false);
});

test('what blocks the event loop is noticed by the watch', async (t) => {
  const { made, events } = overload();
  const clock = { now: 0 };
  t.mock.timers.enable({ apis: ['setInterval'] });
  made.watch(() => clock.now);
  t.after(() => made.stop());
  // Each look comes when its timer says so, but the clock is further than that.
  for (const ms of [1000, 1000, 2500, 3500]) {
    clock.now += ms;
    t.mock.timers.tick(1000);
  }
  assert.deepEqual(events, [['house.overloaded', 'lag', 2500]]);
});
