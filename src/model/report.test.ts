import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { added, connectionsOf, frontReports, isLoginFailure, noFrontCounts, sessionsOf } from './report.ts';

test('tallies are added number by number, whatever their depth', () => {
  assert.deepEqual(added({ a: 1, b: { c: 2, d: { e: 3 } } }, { a: 10, b: { c: 20, d: { e: 30 } } }), { a: 11, b: { c: 22, d: { e: 33 } } });
  assert.deepEqual(added(noFrontCounts(), noFrontCounts()), noFrontCounts());
  const inner = fc.record({ y: fc.nat(), z: fc.nat() }, { noNullPrototype: true });
  const tally = fc.record({ x: fc.nat(), inner }, { noNullPrototype: true });
  fc.assert(
    fc.property(tally, tally, (one, other) => {
      const before = structuredClone([one, other]);
      assert.deepEqual(added(one, other), added(other, one));
      assert.deepEqual([one, other], before);
    }),
  );
});

test('sessions of several fronts: most first, then by name, whatever a domain is called', () => {
  const reports = [
    {
      sessions: [
        { domain: '__proto__', sessions: 1 },
        { domain: 'b.example', sessions: 2 },
        { domain: null, sessions: 1 },
      ],
    },
    {
      sessions: [
        { domain: 'a.example', sessions: 1 },
        { domain: '__proto__', sessions: 2 },
      ],
    },
  ];
  assert.deepEqual(sessionsOf(reports), [
    { domain: '__proto__', sessions: 3 },
    { domain: 'b.example', sessions: 2 },
    { domain: null, sessions: 1 },
    { domain: 'a.example', sessions: 1 },
  ]);
});

test('connections of several fronts: one row for a protocol and state', () => {
  const idle = { protocol: 'lmtp', state: 'idle', connections: 2 } as const;
  const closing = { protocol: 'pop3', state: 'closing', connections: 1 } as const;
  assert.deepEqual(connectionsOf([{ connections: [closing, idle] }, { connections: [idle] }]), [{ ...idle, connections: 4 }, closing]);
});

test('a front that did not answer has nothing to add', () => {
  assert.deepEqual(frontReports({ fronts: [{ front: 0, pid: 1, retiring: false, report: null }] }), []);
});

test('a line that makes no sense is no failed login', () => {
  const kinds = [
    'syntax',
    'wrong-state',
    'not-found',
    'exists',
    'auth',
    'login-delay',
    'in-use',
    'over-quota',
    'temporary',
    'permanent',
  ] as const;
  assert.equal(isLoginFailure('throttled'), true);
  assert.deepEqual(kinds.filter(isLoginFailure), ['auth', 'login-delay', 'in-use', 'temporary', 'permanent']);
});
