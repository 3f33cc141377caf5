import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { type TestContext, test } from 'node:test';
import { frontReport, houseReport } from '../../test/support/houseReport.ts';
import { added, noFrontCounts, noWorkerCounts, type WorkerReport } from '../model/report.ts';
import { Collector, type Member } from './collector.ts';
import type { Tell } from './protocol.ts';

const workerReport: WorkerReport = {
  uptimeS: 1,
  rss: 2,
  heapUsed: 3,
  sessions: [],
  idleSinceMs: null,
  counts: { cpuMs: 4, requests: 5, deliveries: 6 },
};

/** A process of ours, as far as it can be asked. */
class FakeChild extends EventEmitter {
  readonly pid: number;
  connected = true;
  readonly asked: Tell[] = [];
  #waiting: (() => void)[] = [];

  constructor(pid: number) {
    super();
    this.pid = pid;
  }

  send(message: Tell): boolean {
    this.asked.push(message);
    for (const resolve of this.#waiting.splice(0)) resolve();
    return true;
  }

  /** What it is asked next, or was and hasn't been taken. */
  async next(): Promise<Tell> {
    if (this.asked.length === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.asked.shift() ?? assert.fail();
  }

  end(): void {
    this.connected = false;
    this.emit('disconnect');
  }

  get member(): Member {
    return this as unknown as Member;
  }
}

function house(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const fronts = [new FakeChild(1), new FakeChild(2)] as const;
  const worker = new FakeChild(3);
  const collector = new Collector({
    fronts: () => fronts.map(({ member }, front) => ({ child: member, front, retiring: front === 1 })),
    workers: () => [{ child: worker.member, owner: '601:100', user: 'kvt_dk' }],
    supervisor: () => houseReport.supervisor,
    version: '1.2.3',
    now: () => 42,
    limitMs: 500,
  });
  return { fronts, worker, collector };
}

test('everybody is asked, and what they say is put together', async (t) => {
  const { fronts, worker, collector } = house(t);
  const [one, two] = fronts;
  const collected = collector.collect();
  const [first, second, third] = [await one.next(), await two.next(), await worker.next()];
  assert.deepEqual([first, second, third], Array(3).fill({ kind: 'tell', id: first.id }));
  collector.frontTold(two.member, { kind: 'told', id: first.id, report: frontReport });
  collector.frontTold(one.member, { kind: 'told', id: first.id, report: { ...frontReport, lagMs: 7 } });
  collector.workerTold(worker.member, { kind: 'told', id: first.id, report: workerReport });
  assert.deepEqual(await collected, {
    version: '1.2.3',
    atMs: 42,
    supervisor: houseReport.supervisor,
    fronts: [
      { front: 0, pid: 1, retiring: false, report: { ...frontReport, lagMs: 7 } },
      { front: 1, pid: 2, retiring: true, report: frontReport },
    ],
    workers: [{ owner: '601:100', user: 'kvt_dk', pid: 3, report: workerReport }],
    counts: { fronts: added(frontReport.counts, frontReport.counts), workers: workerReport.counts },
  });
});

test('who does not answer in time is silent, and what it counted before stays', async (t) => {
  const { fronts, worker, collector } = house(t);
  const [one, two] = fronts;
  for (const answers of [true, false]) {
    const collected = collector.collect();
    const { id } = await two.next();
    collector.workerTold(worker.member, { kind: 'told', id, report: workerReport });
    collector.frontTold(two.member, { kind: 'told', id, report: frontReport });
    if (answers) collector.frontTold(one.member, { kind: 'told', id, report: frontReport });
    else {
      t.mock.timers.tick(499);
      assert.equal(await Promise.race([collected.then(() => 'over'), 'waiting']), 'waiting');
      t.mock.timers.tick(1);
    }
    const report = await collected;
    assert.deepEqual(
      report.fronts.map((front) => front.report),
      [answers ? frontReport : null, frontReport],
    );
    assert.deepEqual(report.counts.fronts, added(frontReport.counts, frontReport.counts));
  }
  // An answer that comes too late is no answer to the next question.
  const collected = collector.collect();
  const { id } = await two.next();
  collector.frontTold(one.member, { kind: 'told', id: id - 1, report: frontReport });
  collector.frontTold(two.member, { kind: 'told', id, report: frontReport });
  collector.workerTold(worker.member, { kind: 'told', id, report: workerReport });
  t.mock.timers.tick(500);
  assert.deepEqual(
    (await collected).fronts.map(({ report }) => report),
    [null, frontReport],
  );
});

test('a process that ends is not waited for, and its last words count', async (t) => {
  const { fronts, worker, collector } = house(t);
  const [one, two] = fronts;
  const collected = collector.collect();
  const { id } = await one.next();
  collector.frontTold(two.member, { kind: 'told', id, report: frontReport });
  collector.workerTold(worker.member, { kind: 'told', id, report: workerReport });
  collector.frontTold(one.member, { kind: 'told', id: 0, report: frontReport });
  one.end();
  worker.end();
  const { fronts: states, workers, counts } = await collected;
  assert.deepEqual(states, [{ front: 1, pid: 2, retiring: true, report: frontReport }]);
  assert.deepEqual(workers, []);
  assert.deepEqual(counts, { fronts: added(frontReport.counts, frontReport.counts), workers: workerReport.counts });
  assert.deepEqual([one.listenerCount('disconnect'), two.listenerCount('disconnect')], [0, 1]);
});

test('however many ask, one round is under way and one is to come; none gets figures from before it asked', async (t) => {
  const { fronts, worker, collector } = house(t);
  const [one, two] = fronts;
  const answer = async (lagMs: number) => {
    const { id } = await one.next();
    await two.next();
    await worker.next();
    for (const front of fronts) collector.frontTold(front.member, { kind: 'told', id, report: { ...frontReport, lagMs } });
    collector.workerTold(worker.member, { kind: 'told', id, report: workerReport });
  };
  const early = collector.collect();
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(one.asked.length, 1);
  const late = Array.from({ length: 100 }, () => collector.collect());
  await answer(1);
  await answer(2);
  assert.equal((await early).fronts[0]?.report?.lagMs, 1);
  for (const report of await Promise.all(late)) assert.equal(report.fronts[0]?.report?.lagMs, 2);
  assert.deepEqual([one.asked, two.asked, worker.asked], [[], [], []]);
});

test('what is no report is no answer, whatever a front may send', async (t) => {
  const { fronts, worker, collector } = house(t);
  const [one, two] = fronts;
  const collected = collector.collect();
  const { id } = await one.next();
  const { counts } = frontReport;
  for (const report of [
    undefined,
    null,
    'x',
    {},
    { ...frontReport, extra: 1 },
    { ...frontReport, rss: Number.NaN },
    { ...frontReport, rss: -1 },
    { ...frontReport, rss: Number.POSITIVE_INFINITY },
    { ...frontReport, rss: 1n },
    { ...frontReport, sessions: [{ domain: '../etc', sessions: 1 }] },
    { ...frontReport, sessions: [{ domain: 'a\u001b[2J', sessions: 1 }] },
    { ...frontReport, sessions: Array(100_001).fill({ domain: 'a', sessions: 1 }) },
    { ...frontReport, connections: [{ protocol: 'pop3', state: 'a\nb', connections: 1 }] },
    { ...frontReport, connections: [{ protocol: 'x', state: 'a', connections: 1 }] },
    { ...frontReport, counts: { ...counts, accepted: { ...counts.accepted, more: 1 } } },
    { ...frontReport, counts: { ...counts, sessions: { ...counts.sessions, logins: '1' } } },
  ])
    collector.frontTold(one.member, { kind: 'told', id, report });
  collector.workerTold(worker.member, { kind: 'told', id, report: { ...workerReport, counts: frontReport.counts } });
  collector.frontTold(two.member, { kind: 'told', id, report: frontReport });
  t.mock.timers.tick(500);
  const { fronts: states, workers, counts: all } = await collected;
  assert.deepEqual([states[0]?.report, workers[0]?.report], [null, null]);
  assert.deepEqual(all, { fronts: added(frontReport.counts, noFrontCounts()), workers: noWorkerCounts() });
});
