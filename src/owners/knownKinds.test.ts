import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everyProof, passwordOnly } from '../directory/schemes/scheme.ts';
import { parseDomainName } from '../model/address.ts';
import { KnownKinds } from './knownKinds.ts';

const kvt = parseDomainName('kvt.dk') ?? assert.fail();
const atKvt = { localAddress: '127.0.0.2', serverName: undefined, remoteAddress: undefined };
const anywhere = { localAddress: '127.0.0.1', serverName: undefined, remoteAddress: undefined };

function asking() {
  const clock = { now: 0 };
  const questions: { name: string; answer: () => void }[] = [];
  const kinds = new KnownKinds({
    mechanisms: 'auto',
    domainOfAddress: ({ localAddress }) => (localAddress === '127.0.0.2' ? kvt : undefined),
    askAbout: (name) => new Promise((resolve) => questions.push({ name, answer: resolve })),
    now: () => clock.now,
  });
  return { kinds, clock, questions };
}

test('where the domain is known by the way a client came, the first one waits for what its worker says', async () => {
  const { kinds, questions } = asking();
  assert.equal(kinds.ready(anywhere), undefined);
  assert.deepEqual(kinds.of(anywhere), passwordOnly);
  const ready = kinds.ready(atKvt);
  assert.ok(ready);
  assert.equal(kinds.ready(atKvt), ready);
  assert.deepEqual(
    questions.map(({ name }) => name),
    ['kvt.dk'],
  );
  kinds.learnt(kvt, everyProof);
  questions[0]?.answer();
  await ready;
  assert.equal(kinds.ready(atKvt), undefined);
  assert.deepEqual(kinds.of(atKvt), everyProof);
});

test('later ones get the last answer, and nobody waits while it is asked for anew', () => {
  const { kinds, clock, questions } = asking();
  kinds.learnt(kvt, everyProof);
  clock.now = 5000;
  assert.equal(kinds.ready(atKvt), undefined);
  assert.deepEqual(kinds.of(atKvt), everyProof);
  assert.equal(questions.length, 1);
  assert.equal(kinds.ready(atKvt), undefined);
});

test('a worker that does not answer keeps nobody waiting for long, nor does one that can not', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const silent = asking();
  const ready = silent.kinds.ready(atKvt);
  t.mock.timers.tick(5000);
  await ready;
  assert.deepEqual(silent.kinds.of(atKvt), passwordOnly);

  const refused = asking();
  const first = refused.kinds.ready(atKvt);
  refused.questions[0]?.answer();
  await first;
  assert.equal(refused.kinds.ready(atKvt), undefined);
  assert.deepEqual(refused.kinds.of(atKvt), passwordOnly);
});
