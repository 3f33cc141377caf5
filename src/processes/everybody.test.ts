import assert from 'node:assert/strict';
import { test } from 'node:test';
import { houseReport } from '../../test/support/houseReport.ts';
import { createEverybody } from './everybody.ts';
import type { FromFront } from './protocol.ts';

test('one question at a time, however many wait for the answer', async () => {
  const asked: FromFront[] = [];
  const everybody = createEverybody((message) => asked.push(message));
  const answers = [everybody.report(), everybody.report(), everybody.report()];
  assert.deepEqual(asked, [{ kind: 'everybody' }]);
  everybody.told({ kind: 'everybody-told', report: houseReport });
  assert.deepEqual(await Promise.all(answers), Array(3).fill(houseReport));
  const later = everybody.report();
  assert.equal(asked.length, 2);
  everybody.told({ kind: 'everybody-told', report: { ...houseReport, atMs: 1 } });
  assert.equal((await later).atMs, 1);
});

test('a supervisor that does not answer is asked again', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const asked: FromFront[] = [];
  const everybody = createEverybody((message) => asked.push(message));
  const first = everybody.report();
  t.mock.timers.tick(5000);
  await assert.rejects(first, new Error('the supervisor does not answer'));
  const second = everybody.report();
  everybody.told({ kind: 'everybody-told', report: houseReport });
  // The answer to the first one, which comes late, is nobody's.
  everybody.told({ kind: 'everybody-told', report: houseReport });
  assert.deepEqual(await second, houseReport);
  assert.equal(asked.length, 2);
});
