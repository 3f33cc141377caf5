import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogFields } from '../model/log.ts';
import { Watchdog } from './watchdog.ts';

interface Front {
  readonly pid: number;
  kill(): boolean;
}

function watched(count: number) {
  const acts: string[] = [];
  const note = (event: string, fields?: LogFields) => acts.push(`${event} ${fields?.pid}`);
  const deaf = new Set<number>();
  const fronts: Front[] = [];
  const state = { stopping: false };
  const watchdog = new Watchdog<Front>({
    notifier: { alive: () => acts.push('alive'), watchdogMs: 400 },
    fronts: () => [...fronts],
    ask(front) {
      if (!deaf.has(front.pid)) watchdog.answered(front);
    },
    isStopping: () => state.stopping,
    log: { debug: note, info: note, warn: note, error: note },
  });
  const add = (pid: number) => {
    fronts.push({ pid, kill: () => acts.push(`kill ${pid}`) > 0 });
  };
  for (let n = 1; n <= count; n++) add(n);
  const looks = (times: number) => {
    acts.length = 0;
    for (let n = 0; n < times; n++) watchdog.look();
    return [...acts];
  };
  return { watchdog, fronts, deaf, add, looks, state };
}

test('while every front answers, each look says so', () => {
  const { looks } = watched(3);
  assert.deepEqual(looks(4), ['alive', 'alive', 'alive', 'alive']);
});

test('one deaf front: nothing is said, it is ended, and all is well again with its successor', () => {
  const { looks, deaf, fronts, add } = watched(2);
  looks(2);
  deaf.add(2);
  assert.deepEqual(looks(3), ['alive', 'front.deaf 2', 'kill 2']);
  fronts.pop();
  add(3);
  assert.deepEqual(looks(2), ['alive', 'alive']);
});

test('one that answers a look too late is not ended', () => {
  const { watchdog, fronts, looks, deaf } = watched(1);
  deaf.add(1);
  assert.deepEqual(looks(2), ['alive']);
  deaf.delete(1);
  for (const front of fronts) watchdog.answered(front);
  assert.deepEqual(looks(3), ['alive', 'alive', 'alive']);
});

test('one that can not be ended: systemd hears nothing more', () => {
  const { looks, deaf } = watched(1);
  deaf.add(1);
  looks(3);
  assert.deepEqual(
    looks(3).filter((act) => act === 'alive'),
    [],
  );
});

test('without any front nothing is well, unless the program is stopping', () => {
  const { looks, state } = watched(0);
  assert.deepEqual(looks(3), []);
  state.stopping = true;
  assert.deepEqual(looks(2), ['alive', 'alive']);
});

test('it looks four times in the time systemd gives, and not at all where nobody watches', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let looks = 0;
  for (const watchdogMs of [400, undefined]) {
    const watchdog = new Watchdog({
      notifier: { alive() {}, watchdogMs },
      fronts: () => {
        looks++;
        return [];
      },
      ask() {},
      isStopping: () => false,
      log: { debug() {}, info() {}, warn() {}, error() {} },
    });
    watchdog.start();
    t.mock.timers.tick(400);
    watchdog.stop();
    t.mock.timers.tick(400);
  }
  assert.equal(looks, 4);
});
