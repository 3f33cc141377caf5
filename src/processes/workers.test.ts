import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { parseSettings } from '../config/index.ts';
import type { LogFields } from '../model/log.ts';
import { noProcessEvents } from '../model/report.ts';
import { stub } from './stubs.test.ts';
import { type Owner, Workers, type WorkersPlan } from './workers.ts';

const { settings } = parseSettings(undefined, Buffer.alloc(0));

/** Tells everybody who connects its process id, and ends when it is asked to. */
const obliging = `
  if (message.kind === 'start') {
    createServer((socket) => socket.end(String(process.pid))).listen({ fd: message.fd }, () => tell({ kind: 'ready' }));
  } else if (message.kind === 'yield') lastWords({ kind: 'leaving' }).then(() => process.exit());
  else if (message.kind === 'are-you-there') tell({ kind: 'here' });
  else if (message.kind === 'stop') process.exit();`;
const busy = obliging.replace(`message.kind === 'yield'`, 'false');
const broken = 'process.exit(3);';

const kvt: Owner = { identity: { uid: 601, gid: 100 }, systemUser: undefined, isMailOwner: false };
const mail: Owner = { identity: { uid: 8, gid: 8 }, systemUser: undefined, isMailOwner: false };
const other: Owner = { identity: { uid: 602, gid: 100 }, systemUser: undefined, isMailOwner: false };

function pool(t: TestContext, program: string, more: Partial<WorkersPlan> = {}) {
  assert.ok(settings);
  const house = settings;
  const folder = mkdtempSync(join(tmpdir(), 'workers-'));
  const events: [string, LogFields | undefined][] = [];
  const waiting = new Set<() => void>();
  const note = (event: string, fields?: LogFields) => {
    events.push([event, fields]);
    for (const look of waiting) look();
  };
  const logged = (event: string, nth = 1) =>
    new Promise<LogFields | undefined>((resolve) => {
      const look = () => {
        const found = events.filter(([name]) => name === event)[nth - 1];
        if (found) resolve(found[1]);
      };
      waiting.add(look);
      look();
    });
  let sockets = 0;
  const workers = new Workers({
    command: stub(program),
    newPath: () => join(folder, `${++sockets}.sock`),
    frontUid: 65534,
    max: 10,
    prepare: () => ({ settings: house }),
    shadowEntry: () => undefined,
    events: noProcessEvents(),
    log: { debug: note, info: note, warn: note, error: note },
    now: () => Date.now(),
    ...more,
  });
  t.after(async () => {
    t.mock.timers.reset();
    await workers.stop(0);
    rmSync(folder, { recursive: true });
  });
  return { workers, logged, events };
}

/** What the worker there says: its process id. */
async function hello(path: string): Promise<string> {
  return text(connect({ path }));
}

test('one worker for each owner, which can be connected to before it is ready', async (t) => {
  const { workers, logged, events } = pool(t, obliging);
  const [first, same, second] = await Promise.all([workers.of(kvt), workers.of(kvt), workers.of(mail)]);
  assert.equal(first.owner, '601:100');
  assert.equal(second.owner, '8:8');
  assert.deepEqual(same, first);
  assert.deepEqual(await workers.of(kvt), first);
  assert.deepEqual([await hello(first.path), await hello(second.path)], workers.pids.map(String));
  await logged('worker.ready', 2);
  assert.deepEqual(
    events.map(([event]) => event),
    ['worker.ready', 'worker.ready'],
  );
});

test('a user of the host has a worker apart from the one for the domains that are his', async (t) => {
  const { workers } = pool(t, obliging);
  const domains = await workers.of(kvt);
  const system = await workers.of({ ...kvt, systemUser: 'kvt_dk' });
  assert.equal(system.owner, '601:100 system');
  assert.notEqual(await hello(system.path), await hello(domains.path));
});

test('where all places are taken the one that nobody has asked for longest makes room', async (t) => {
  let clock = 0;
  const { workers, logged } = pool(t, obliging, { max: 2, now: () => (clock += 1000) });
  const first = await workers.of(kvt);
  await workers.of(mail);
  await logged('worker.ready', 2);
  await workers.of(kvt);
  await workers.of(other);
  assert.deepEqual((await logged('worker.ended'))?.owner, '8:8');
  assert.deepEqual(await workers.of(kvt), first);
  assert.equal(workers.pids.length, 2);
});

test('more owners at once than there are places are served in turn', async (t) => {
  const { workers, logged } = pool(t, obliging, { max: 2 });
  const owners = [601, 602, 603, 604, 605].map((uid): Owner => ({ ...kvt, identity: { uid, gid: 100 } }));
  const most: number[] = [];
  const asked = owners.map(async (owner) => {
    const { path } = await workers.of(owner);
    most.push(workers.pids.length);
    return path;
  });
  assert.equal(new Set(await Promise.all(asked)).size, 5);
  await logged('worker.ended', 3);
  assert.ok(Math.max(...most) <= 2, String(most));
});

test('who serves somebody stays, and the one more is told so', async (t) => {
  const { workers, logged } = pool(t, busy, { max: 1 });
  await workers.of(kvt);
  await logged('worker.ready');
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const refused = assert.rejects(workers.of(mail), { message: '1 owners are at work already' });
  for (let waits = 0; waits < 16; waits++) {
    await new Promise((resolve) => setImmediate(resolve));
    t.mock.timers.tick(1000);
  }
  await refused;
});

test('who has been there for longest and serves somebody does not keep the others from making room', async (t) => {
  const kvtServes = `globalThis.uid ??= message.become?.uid; ${obliging.replace(`message.kind === 'yield'`, `message.kind === 'yield' && globalThis.uid !== 601`)}`;
  let clock = 0;
  const { workers, logged } = pool(t, kvtServes, { max: 2, now: () => (clock += 250) });
  const first = await workers.of(kvt);
  await logged('worker.ready');
  await workers.of(mail);
  await logged('worker.ready', 2);
  await workers.of(other);
  assert.deepEqual((await logged('worker.ended'))?.owner, '8:8');
  assert.deepEqual(await workers.of(kvt), first);
});

test('a worker that ends is not asked again, and the next one has a socket of its own', async (t) => {
  const { workers, logged } = pool(
    t,
    obliging.replace(`tell({ kind: 'here' })`, `lastWords({ kind: 'leaving' }).then(() => process.exit())`),
  );
  const first = await workers.of(kvt);
  await logged('worker.ready');
  const second = await workers.of(kvt, first.path);
  assert.notEqual(second.path, first.path);
  await logged('worker.ended');
  assert.equal(existsSync(first.path), false);
  assert.equal(await hello(second.path), String(workers.pids[0]));
});

test('a worker that nobody reaches stays when it answers the supervisor, and else is killed', async (t) => {
  const { workers, logged, events } = pool(t, obliging);
  const first = await workers.of(kvt);
  await logged('worker.ready');
  assert.deepEqual(await Promise.all([workers.of(kvt, first.path), workers.of(kvt, first.path)]), [first, first]);
  assert.deepEqual(await workers.of(kvt, 'some other'), first);
  const [pid = 0] = workers.pids;
  process.kill(pid, 'SIGSTOP');
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const asked = workers.of(kvt, first.path);
  const toldTwice = workers.of(kvt, first.path);
  await new Promise((resolve) => setImmediate(resolve));
  t.mock.timers.tick(5_000);
  const second = await asked;
  assert.notEqual(second.path, first.path);
  assert.deepEqual(await toldTwice, second);
  const died = await logged('worker.died');
  assert.deepEqual([died?.pid, died?.signal], [pid, 'SIGKILL']);
  assert.deepEqual(
    events.filter(([event]) => event === 'worker.deaf'),
    [['worker.deaf', { owner: '601:100', pid }]],
  );
});

test('one that dies at once is not started again and again', async (t) => {
  const clock = { now: 0 };
  const { workers, logged } = pool(t, broken, { now: () => clock.now });
  await workers.of(kvt);
  const died = await logged('worker.died');
  assert.deepEqual([died?.owner, died?.code, died?.problem], ['601:100', 3, 'a worker ended at its start (status 3)']);
  for (const pauseMs of [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]) {
    clock.now += pauseMs - 1;
    await assert.rejects(workers.of(kvt), { message: "the worker of 601:100 can't be kept running" });
    clock.now += 1;
    const before = clock.now;
    await workers.of(kvt);
    await logged('worker.died', 2 + [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000].findIndex((_, n, all) => total(all, n) === before));
  }
  assert.equal((await workers.of(mail)).owner, '8:8');
});

/** When the nth pause is over. */
function total(pauses: readonly number[], n: number): number {
  return pauses.slice(0, n + 1).reduce((sum, pause) => sum + pause, 0);
}

test('one that was killed is started again at once when it had lived for a while', async (t) => {
  const clock = { now: 0 };
  const { workers, logged } = pool(t, obliging, { now: () => clock.now });
  const first = await workers.of(kvt);
  await logged('worker.ready');
  clock.now = 60_000;
  process.kill(workers.pids[0] ?? 0, 'SIGKILL');
  assert.equal((await logged('worker.died'))?.signal, 'SIGKILL');
  const second = await workers.of(kvt);
  assert.notEqual(second.path, first.path);
  assert.equal(await hello(second.path), String(workers.pids[0]));
});

test('the shadow entry is given to the worker of that user, and to no other', async (t) => {
  const asking = `
    if (message.kind === 'start') {
      createServer((socket) => {
        process.once('entry', (entry) => socket.end(JSON.stringify(entry)));
        tell({ kind: 'shadow' });
        setTimeout(() => socket.end('no answer'), 300);
      }).listen({ fd: message.fd }, () => tell({ kind: 'ready' }));
    } else if (message.kind === 'shadow') process.emit('entry', message.entry);
    else if (message.kind === 'stop') process.exit();`;
  const entry = { name: 'kvt_dk', hash: '$6$…', lastChangeDay: 1, maxDays: undefined, inactiveDays: undefined, expireDay: undefined };
  const asked: string[] = [];
  const { workers } = pool(t, asking, {
    shadowEntry(user) {
      asked.push(user);
      return entry;
    },
  });
  const own = await workers.of({ ...kvt, systemUser: 'kvt_dk' });
  assert.equal(JSON.parse(await hello(own.path)).hash, '$6$…');
  const none = await workers.of(mail);
  assert.equal(await hello(none.path), 'no answer');
  assert.deepEqual(asked, ['kvt_dk']);
});

test('stopping ends them all, and whoever does not is killed', async (t) => {
  const { workers, logged } = pool(t, obliging.replace(`else if (message.kind === 'stop') process.exit();`, ''));
  await Promise.all([workers.of(kvt), workers.of(mail)]);
  await logged('worker.ready', 2);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const stopped = workers.stop(1000);
  await new Promise((resolve) => setImmediate(resolve));
  t.mock.timers.tick(5_999);
  assert.equal(workers.pids.length, 2);
  t.mock.timers.tick(1);
  await stopped;
  assert.deepEqual(workers.pids, []);
  await assert.rejects(workers.of(kvt), { message: 'the program is stopping' });
});
