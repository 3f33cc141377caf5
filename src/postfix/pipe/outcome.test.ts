import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { outcomeOf } from './outcome.ts';

test('a reply becomes an exit status, and words that Postfix reads before it', () => {
  const cases: [number, string, number, string][] = [
    [250, '2.0.0 delivered as x', 0, ''],
    [550, '5.1.1 no such user here', 67, '5.1.1 no such user here'],
    [553, '5.1.3 this is no mail address', 67, '5.1.3 this is no mail address'],
    [550, '5.2.1 this mailbox takes no mail', 73, '5.2.1 this mailbox takes no mail'],
    [552, '5.2.2 full', 73, '5.2.2 full'],
    [452, '4.2.2 full', 75, '4.2.2 full'],
    [452, '4.3.1 no room', 75, '4.3.1 no room'],
    [552, '5.3.4 too large', 65, '5.3.4 too large'],
    [554, '5.6.0 bad', 65, '5.6.0 bad'],
    [554, '5.4.6 mail forwarding loop', 69, '5.4.6 mail forwarding loop'],
    [550, '5.7.1 not ours', 77, '5.7.1 not ours'],
    [451, 'try later', 75, '4.0.0 try later'],
    // Without a status, or with one of another class, a sender isn't told for good.
    [550, 'no', 69, '5.0.0 no'],
    [550, '4.1.1 no', 75, '4.1.1 no'],
    [550, '2.1.1 no', 75, '4.3.0 no'],
    [354, 'go on', 75, '4.0.0 go on'],
    [550, '5.1.1', 67, '5.1.1 '],
    [550, '5.1.1234 no', 69, '5.0.0 5.1.1234 no'],
  ];
  for (const [code, text, status, line] of cases)
    assert.deepEqual(outcomeOf({ kind: 'answered', replies: [{ code, text }] }, ['abc@kvt.dk']), { status, line }, `${code} ${text}`);
});

test('one status for several: waiting comes first, then bouncing', () => {
  const ok = { code: 250, text: '2.0.0 ok' };
  const later = { code: 451, text: '4.3.0 later' };
  const never = { code: 550, text: '5.1.1 no such user here' };
  const of = (...replies: (typeof ok)[]) => outcomeOf({ kind: 'answered', replies }, ['a@kvt.dk', 'b@kvt.dk', 'c@kvt.dk']);
  assert.deepEqual(of(ok, ok, ok), { status: 0, line: '' });
  assert.deepEqual(of(ok, never, later), { status: 75, line: '4.3.0 <c@kvt.dk>: later' });
  assert.deepEqual(of(ok, never, ok), { status: 67, line: '5.1.1 <b@kvt.dk>: no such user here' });
});

test('what is not settled waits, and never is a line more than one', () => {
  for (const kind of ['unsettled', 'not begun'] as const)
    assert.deepEqual(outcomeOf({ kind, why: 'ECONNRESET' }, []), { status: 75, line: '4.4.2 ECONNRESET' });
  fc.assert(
    fc.property(fc.integer({ min: 200, max: 599 }), fc.string({ unit: 'binary' }), (code, text) => {
      const { status, line } = outcomeOf({ kind: 'answered', replies: [{ code, text }] }, ['abc@kvt.dk']);
      assert.ok([0, 65, 67, 69, 73, 75, 77].includes(status));
      assert.equal(status === 0, code < 300);
      // 4 makes mail wait, whatever the status; any other class bounces: postconf(5), pipe_command.c.
      assert.match(line, status === 0 ? /^$/ : status === 75 ? /^4\.\d{1,3}\.\d{1,3} [ -~]*$/ : /^5\.\d{1,3}\.\d{1,3} [ -~]*$/);
    }),
  );
});
