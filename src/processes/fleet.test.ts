import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSettings } from '../config/index.ts';
import type { LogFields } from '../model/log.ts';
import { noProcessEvents } from '../model/report.ts';
import { Fleet, type FleetPlan } from './fleet.ts';
import { stub } from './stubs.test.ts';

const { settings } = parseSettings(undefined, Buffer.alloc(0));

/** A front that is ready as soon as it is told to start, and ends when it is told to. */
const obedient = `if (message.kind === 'start') tell({ kind: 'ready' }); else process.exit();`;
const failing = `lastWords({ kind: 'failed', text: '{detail}', values: { detail: 'no luck' }, exitCode: 73 }).then(() => process.exit(73));`;

function plan(program: string, more: Partial<FleetPlan> = {}) {
  assert.ok(settings);
  const events: [string, LogFields | undefined][] = [];
  const waiting = new Set<() => void>();
  const note = (event: string, fields?: LogFields) => {
    events.push([event, fields]);
    for (const look of waiting) look();
  };
  const made: FleetPlan = {
    command: stub(program),
    count: 1,
    events: noProcessEvents(),
    log: { debug: note, info: note, warn: note, error: note },
    now: () => 0,
    onMessage() {},
    front: (front) => ({
      start: {
        kind: 'start',
        front,
        settings,
        phrasebook: new Map(),
        listeners: [],
        connection: undefined,
        metrics: undefined,
        become: undefined,
        hasWorkers: false,
        trace: [],
      },
      fds: [],
    }),
    ...more,
  };
  const logged = (event: string, nth: number) =>
    new Promise<LogFields | undefined>((resolve) => {
      const look = () => {
        const found = events.filter(([name]) => name === event)[nth - 1];
        if (found) resolve(found[1]);
      };
      waiting.add(look);
      look();
    });
  return { made, logged, events };
}

test('a front that dies again and again is started after longer and longer pauses, and one that lived long at once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const clock = { now: 0 };
  const { made, logged } = plan(obedient, { now: () => clock.now });
  const fleet = new Fleet(made);
  await fleet.start();
  let deaths = 0;
  for (const pauseMs of [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]) {
    process.kill(fleet.pids[0] ?? 0, 'SIGKILL');
    const died = await logged('front.died', ++deaths);
    assert.equal(died?.signal, 'SIGKILL');
    t.mock.timers.tick(pauseMs - 1);
    assert.deepEqual(fleet.pids, []);
    t.mock.timers.tick(1);
    await logged('front.restarted', deaths);
    assert.equal(fleet.pids.length, 1);
  }
  clock.now = 60_000;
  process.kill(fleet.pids[0] ?? 0, 'SIGKILL');
  await logged('front.died', ++deaths);
  t.mock.timers.tick(100);
  await logged('front.restarted', deaths);
  await fleet.stop(0);
  assert.deepEqual(fleet.pids, []);
});

test('one that can not start keeps all from starting, and says why', async () => {
  const { made, events } = plan(obedient, { count: 2 });
  const fleet = new Fleet({ ...made, command: stub(failing) });
  await assert.rejects(fleet.start(), { message: 'no luck', exitCode: 73 });
  assert.deepEqual(fleet.pids, []);
  const nobody = new Fleet({ ...made, command: ['/nonexistent/program'] });
  await assert.rejects(nobody.start(), { exitCode: 71 });
  assert.deepEqual(events, []);
});

test('one that does not get ready is killed', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const fleet = new Fleet(plan('').made);
  const started = assert.rejects(fleet.start(), { message: 'a front ended at its start (SIGKILL)', exitCode: 70 });
  t.mock.timers.tick(59_999);
  assert.equal(fleet.pids.length, 1);
  t.mock.timers.tick(1);
  await started;
});

test('one that is retired ends when it likes, and a stop makes it', async () => {
  const stubborn = obedient.replace('else process.exit()', `else if (message.kind === 'stop') process.exit()`);
  const { made } = plan(stubborn, { count: 2 });
  const fleet = new Fleet(made);
  await fleet.start();
  const retired = fleet.retire();
  assert.equal(fleet.pids.length, 2);
  await fleet.stop(0);
  await retired;
  assert.deepEqual(fleet.pids, []);
});

test('one that does not end is killed after its grace', async (t) => {
  const { made } = plan(obedient.replace('else process.exit()', ''));
  const fleet = new Fleet(made);
  await fleet.start();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const stopped = fleet.stop(1000);
  t.mock.timers.tick(5_999);
  assert.equal(fleet.pids.length, 1);
  t.mock.timers.tick(1);
  await stopped;
  assert.deepEqual(fleet.pids, []);
});
