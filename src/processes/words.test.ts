import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FromFront, FromWorker } from './protocol.ts';
import { readFromFront, readFromWorker, writeWords } from './words.ts';

const ofAny: (FromFront & FromWorker)[] = [
  { kind: 'ready' },
  { kind: 'here' },
  { kind: 'told', id: 7, report: { any: ['thing', 1, null] } },
  { kind: 'failed', text: '{detail}', values: { detail: 'no luck', n: 1 }, exitCode: 73 },
];
const ofFronts: FromFront[] = [
  ...ofAny,
  { kind: 'everybody' },
  { kind: 'where', id: 1, unreachable: undefined, domain: 'kvt.dk' },
  { kind: 'where', id: 2, unreachable: '/run/postkasse/owners/601-100-1-1.sock', user: 'kvt_dk' },
  { kind: 'shared', octets: Buffer.from([0, 255, 10]) },
];
const ofWorkers: FromWorker[] = [...ofAny, { kind: 'shadow' }, { kind: 'leaving' }];

test('what a child says arrives as it was said', () => {
  for (const message of ofFronts) assert.deepEqual(readFromFront(writeWords(message)), message);
  for (const message of ofWorkers) assert.deepEqual(readFromWorker(writeWords(message)), message);
});

test('what only a worker says is nothing that a front says, and the other way round', () => {
  for (const kind of ['shadow', 'leaving'] as const) assert.equal(readFromFront(writeWords({ kind })), undefined);
  for (const message of ofFronts.slice(ofAny.length)) assert.equal(readFromWorker(writeWords(message)), undefined);
});

test('odd words are no words', () => {
  const where = { kind: 'where', id: 1 };
  const odd: unknown[] = [
    null,
    7,
    'ready',
    [],
    {},
    { kind: ['ready'] },
    { kind: '__proto__' },
    { kind: 'start' },
    { cmd: 'NODE_HANDLE_ACK' },
    ...['', '.', '..', '../etc', 'a/b', '/etc/passwd', 'kvt.dk\0', 'KVT.dk', 'x'.repeat(100_000), 7, null, ['kvt.dk'], { length: 1 }].map(
      (domain) => ({ ...where, domain }),
    ),
    ...['', '.', '..', 'a/b', 'Root', 'root\0', 'x'.repeat(65), 0, null].map((user) => ({ ...where, user })),
    where,
    { ...where, domain: 'kvt.dk', user: 'kvt' },
    ...[-1, 1.5, 2 ** 60, '1', null].map((id) => ({ kind: 'where', id, domain: 'kvt.dk' })),
    ...[7, null, 'x'.repeat(201), 'a\nb'].map((unreachable) => ({ ...where, domain: 'kvt.dk', unreachable })),
    { kind: 'shared' },
    { kind: 'shared', octets: [1] },
    { kind: 'shared', octets: 'A'.repeat(4_000_000) },
    { kind: 'told', report: {} },
    { kind: 'failed', text: 'anything', values: {}, exitCode: 1 },
    { kind: 'failed', text: '__proto__', values: {}, exitCode: 1 },
    { kind: 'failed', text: '{detail}', values: { detail: {} }, exitCode: 1 },
    { kind: 'failed', text: '{detail}', values: {}, exitCode: 1000 },
  ];
  for (const value of odd) {
    const octets = Buffer.from(JSON.stringify(value));
    assert.equal(readFromFront(octets), undefined, octets.toString().slice(0, 100));
    assert.equal(readFromWorker(octets), undefined, octets.toString().slice(0, 100));
  }
});

test('whatever octets come, reading them ends', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (octets) => {
        for (const read of [readFromFront, readFromWorker]) {
          const message = read(Buffer.from(octets));
          if (message !== undefined) assert.deepEqual(read(writeWords(message)), message);
        }
      },
    ),
  );
});
