import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDomainName, parseUserName } from '../model/address.ts';
import { Fault } from '../model/fault.ts';
import { createAskedWhereabouts } from './askedWhereabouts.ts';
import type { FromFront } from './protocol.ts';

type Question = Extract<FromFront, { kind: 'where' }>;

const kvt = parseDomainName('kvt.dk') ?? assert.fail();
const abc = parseUserName('abc') ?? assert.fail();
const worker = { path: '/run/owners/1.sock', owner: '601:100' };

function asking() {
  const questions: Question[] = [];
  const clock = { now: 0 };
  const whereabouts = createAskedWhereabouts(
    (question) => questions.push(question),
    () => clock.now,
  );
  const there = (id: number, found = true) =>
    whereabouts.answered({ kind: 'there', id, worker: found ? worker : undefined, problem: undefined });
  return { questions, clock, whereabouts, there };
}

test('who asks the same at the same time shares a question, and the answer is good for a few seconds', async () => {
  const { questions, clock, whereabouts, there } = asking();
  const both = Promise.all([whereabouts.ofDomain(kvt), whereabouts.ofDomain(kvt)]);
  assert.deepEqual(questions, [{ kind: 'where', id: 1, unreachable: undefined, domain: 'kvt.dk' }]);
  there(1);
  assert.deepEqual(await both, [worker, worker]);
  clock.now = 4_999;
  assert.deepEqual(await whereabouts.ofDomain(kvt), worker);
  assert.equal(questions.length, 1);
  clock.now = 5_000;
  const later = whereabouts.ofDomain(kvt);
  there(2);
  assert.deepEqual(await later, worker);
});

test('a domain that was not ours a moment ago is asked for anew', async () => {
  const { questions, whereabouts, there } = asking();
  const first = whereabouts.ofDomain(kvt);
  there(1, false);
  assert.equal(await first, undefined);
  const second = whereabouts.ofDomain(kvt);
  there(2);
  assert.deepEqual(await second, worker);
  assert.equal(questions.length, 2);
});

test('a user of the host and a domain of the same name are two questions', async () => {
  const { questions, whereabouts, there } = asking();
  const user = whereabouts.ofSystemUser(abc);
  const domain = whereabouts.ofDomain(parseDomainName('abc') ?? assert.fail());
  assert.deepEqual(questions, [
    { kind: 'where', id: 1, unreachable: undefined, user: 'abc' },
    { kind: 'where', id: 2, unreachable: undefined, domain: 'abc' },
  ]);
  there(2, false);
  there(1);
  assert.deepEqual([await user, await domain], [worker, undefined]);
});

test('the supervisor hears where nobody answered, once', async () => {
  const { questions, whereabouts, there } = asking();
  const first = whereabouts.ofDomain(kvt);
  there(1);
  whereabouts.forget((await first) ?? assert.fail());
  const second = whereabouts.ofDomain(kvt);
  there(2);
  whereabouts.forget({ path: '/run/owners/0.sock', owner: '601:100' });
  await second;
  assert.deepEqual(
    questions.map(({ unreachable }) => unreachable),
    [undefined, worker.path],
  );
});

test('a worker that can not answer is asked for anew, and the supervisor is told nothing about it', async () => {
  const { questions, whereabouts, there } = asking();
  const first = whereabouts.ofDomain(kvt);
  there(1);
  whereabouts.doubt((await first) ?? assert.fail());
  const second = whereabouts.ofDomain(kvt);
  there(2);
  assert.deepEqual(await second, worker);
  assert.deepEqual(
    questions.map(({ unreachable }) => unreachable),
    [undefined, undefined],
  );
});

test('a problem, or no answer, is a fault that tells the reason to the log only', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { whereabouts } = asking();
  const refused = whereabouts.ofDomain(kvt);
  whereabouts.answered({ kind: 'there', id: 1, worker: undefined, problem: 'kvt.dk: passwd can be written by others' });
  const silent = whereabouts.ofDomain(parseDomainName('other.dk') ?? assert.fail());
  t.mock.timers.tick(20_000);
  for (const [pending, reason] of [
    [refused, 'kvt.dk: passwd can be written by others'],
    [silent, 'the supervisor does not answer'],
  ] as const) {
    await assert.rejects(pending, (thrown) => {
      assert.ok(thrown instanceof Fault && thrown.cause instanceof Error);
      assert.deepEqual([thrown.kind, thrown.text, thrown.cause.message], ['temporary', 'accounts can not be looked up just now', reason]);
      return true;
    });
  }
  // What comes too late, or was never asked for, hurts nobody.
  whereabouts.answered({ kind: 'there', id: 2, worker, problem: undefined });
  whereabouts.answered({ kind: 'there', id: 77, worker, problem: undefined });
});

test('when the supervisor is gone nobody waits for its answer', async () => {
  const { questions, whereabouts, there } = asking();
  const known = whereabouts.ofSystemUser(abc);
  there(1);
  await known;
  const isGone = (error: unknown) =>
    error instanceof Fault && error.kind === 'temporary' && (error.cause as Error).message === 'the supervisor is gone';
  const waiting = assert.rejects(whereabouts.ofDomain(kvt), isGone);
  whereabouts.unanswerable();
  await waiting;
  await assert.rejects(whereabouts.ofDomain(kvt), isGone);
  assert.equal(questions.length, 2);
  // What it said before is as good as ever.
  assert.deepEqual(await whereabouts.ofSystemUser(abc), worker);
});
