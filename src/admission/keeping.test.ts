/** What outlives a restart. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type Disk, disk } from '../os/disk.ts';
import { enter, FakeClock, type Front, fail, logIn, makeFronts, type Try } from './fakes.test.ts';
import { keepAdmission } from './keeping.ts';

const home: Try = { from: '198.51.100.7', password: 'right' };
const dayMs = 86_400_000;

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'postkasse-throttle-'));
  t.after(() => rmSync(made, { recursive: true }));
  return made;
}

function newFront(clock = new FakeClock()): Front & { readonly clock: FakeClock } {
  const [front] = makeFronts(1, {}, clock).fronts;
  assert.ok(front);
  return { ...front, clock };
}

function logOf({ events }: Front) {
  const add = (event: string, fields = {}) => void events.push([event, fields]);
  return { debug: add, info: add, warn: add, error: add };
}

function keep(front: Front & { readonly clock: FakeClock }, path: string, keeps = true, on: Disk = disk) {
  return keepAdmission({ admission: front.admission, disk: on, path, keeps, log: logOf(front), clock: front.clock });
}

/** An account under attack whose owner has a known way in, and a source that has guessed. */
function troubled(): Front & { readonly clock: FakeClock } {
  const front = newFront();
  logIn(front, home);
  for (let n = 0; n < 12; n++) {
    const entry = enter(front, { from: `192.0.2.${n % 3}`, password: `guess ${n}` });
    if ('passage' in entry) entry.passage.failed();
  }
  return front;
}

function assertTroubled(front: Front & { readonly clock: FakeClock }): void {
  assert.ok('waiting' in enter(front, { from: '203.0.113.1' }), 'the account is under attack');
  assert.equal(fail(front, { from: '192.0.2.0', login: 'other' }).heldBackMs, 15_000);
  logIn(front, home);
}

test('a restart forgets neither attacks nor known ways', async (t) => {
  const path = join(folder(t), 'throttle');
  const before = troubled();
  const keeping = keep(before, path);
  before.admission.gate.turnedAway({ remoteAddress: '203.0.113.200', isProxy: false });
  await keeping.stop();
  assert.equal(statSync(path).mode & 0o777, 0o600);

  const after = newFront(new FakeClock(before.clock.ms));
  keep(after, path);
  assert.deepEqual(after.events, []);
  assertTroubled(after);
});

test('time that passed while nothing ran counts too', async (t) => {
  const path = join(folder(t), 'throttle');
  const before = troubled();
  const keeping = keep(before, path);
  before.admission.gate.turnedAway({ remoteAddress: '203.0.113.200', isProxy: false });
  await keeping.stop();
  const after = newFront(new FakeClock(before.clock.ms + 29 * dayMs));
  keep(after, path);
  // The attack is long over.
  fail(after, { from: '203.0.113.1', login: 'other' });
  const late = newFront(new FakeClock(before.clock.ms + 31 * dayMs));
  keep(late, path);
  for (const front of [after, late]) for (let n = 0; n < 10; n++) fail(front, { from: `10.${n}.0.1` });
  assert.ok('passage' in enter(after, home), 'remembered for thirty days');
  assert.ok('waiting' in enter(late, home), 'and not for longer');
});

test('a snapshot from a clock that was ahead is as if it were from now', () => {
  const before = troubled();
  const octets = before.admission.snapshot();
  const after = newFront(new FakeClock(before.clock.ms - 400 * dayMs));
  assert.equal(after.admission.restore(octets), true);
  assertTroubled(after);
});

test('it is written every half a minute when something has changed, and not otherwise', async (t) => {
  const path = join(folder(t), 'throttle');
  const front = newFront();
  const written = Promise.withResolvers<void>();
  let writes = 0;
  const counting: Disk = {
    ...disk,
    rename(from, to) {
      disk.rename(from, to);
      writes++;
      written.resolve();
    },
  };
  const keeping = keep(front, path, true, counting);
  for (let n = 0; n < 10; n++) {
    front.clock.pass(30_000);
    await new Promise(setImmediate);
  }
  assert.equal(writes, 0);
  logIn(front, home);
  front.clock.pass(30_000);
  await written.promise;
  while (front.clock.timers === 0) await new Promise(setImmediate);
  for (let n = 0; n < 10; n++) {
    logIn(front, home);
    front.clock.pass(30_000);
    await new Promise(setImmediate);
  }
  await keeping.stop();
  await keeping.stop();
  assert.deepEqual([writes, front.clock.timers], [1, 0]);
});

test('the fronts that do not keep it read it and write nothing', async (t) => {
  const path = join(folder(t), 'throttle');
  writeFileSync(path, troubled().admission.snapshot());
  const before = readFileSync(path);
  const front = newFront();
  const keeping = keep(front, path, false);
  assert.equal(front.clock.timers, 0);
  assertTroubled(front);
  await keeping.stop();
  assert.deepEqual(readFileSync(path), before);
});

test('a file that is broken, no file, or too large costs a line in the log and nothing else', (t) => {
  const path = join(folder(t), 'throttle');
  const whole = troubled().admission.snapshot();
  const cases: [Buffer, string][] = [
    [Buffer.alloc(0), 'throttle.state-ignored'],
    [whole.subarray(0, whole.length - 1), 'throttle.state-ignored'],
    [Buffer.concat([whole, Buffer.from('x')]), 'throttle.state-ignored'],
    [Buffer.alloc(64 * 1024 * 1024 + 1), 'throttle.state-unreadable'],
  ];
  for (const [octets, event] of cases) {
    writeFileSync(path, octets);
    const front = newFront();
    keep(front, path, false);
    assert.deepEqual(
      front.events.map(([name, { file }]) => [name, file]),
      [[event, path]],
    );
    logIn(front, home);
  }
  rmSync(path);
  mkdirSync(path);
  const front = newFront();
  keep(front, path, false);
  assert.deepEqual(
    front.events.map(([name]) => name),
    ['throttle.state-unreadable'],
  );
});

test('no file yet is nothing to speak of', (t) => {
  const front = newFront();
  keep(front, join(folder(t), 'throttle'));
  assert.deepEqual(front.events, []);
});

test('a disc that takes nothing costs a line in the log; the next time it is tried again', async (t) => {
  const path = join(folder(t), 'throttle');
  const front = newFront();
  let isFull = true;
  const full: Disk = {
    ...disk,
    write(...given) {
      if (isFull) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
      disk.write(...given);
    },
  };
  const keeping = keep(front, path, true, full);
  logIn(front, home);
  front.clock.pass(30_000);
  while (front.clock.timers === 0) await new Promise(setImmediate);
  assert.deepEqual(
    front.events.map(([event]) => event),
    ['throttle.state-unwritable'],
  );
  assert.deepEqual(readdirSync(join(path, '..')), []);
  isFull = false;
  await keeping.stop();
  const after = newFront();
  assert.equal(after.admission.restore(readFileSync(path)), true);
});

test('nothing made of a password is in the file', () => {
  const front = newFront();
  const octets = () => front.admission.snapshot().length;
  fail(front, { from: '192.0.2.1', password: 'one' });
  const one = octets();
  fail(front, { from: '192.0.2.1', password: 'two' });
  assert.equal(octets(), one);
});

test('whatever is restored, nothing throws', () => {
  const whole = Buffer.from(troubled().admission.snapshot());
  const changed = fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, octet]) => {
    const octets = Buffer.from(whole);
    octets[at] = octet;
    return octets;
  });
  const cut = fc.nat(whole.length - 1).map((length) => whole.subarray(0, length));
  const random = fc.uint8Array({ maxLength: 200 }).map((octets) => Buffer.from(octets));
  fc.assert(
    fc.property(fc.oneof(changed, cut, random), (octets) => {
      const isRestored = newFront().admission.restore(octets);
      assert.equal(isRestored, octets.equals(whole));
    }),
    { numRuns: 2000 },
  );
});
