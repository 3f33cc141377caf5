import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault, type FaultKind } from '../model/fault.ts';
import { createSpeaker } from '../texts/speaker.ts';
import { replyTo } from './replies.ts';

const speaker = createSpeaker();

test('each kind of fault has a code whose class agrees with its enhanced status', () => {
  const expected: Record<FaultKind, string> = {
    syntax: '501 5.5.4',
    'wrong-state': '503 5.5.1',
    'not-found': '550 5.1.1',
    exists: '550 5.3.0',
    auth: '550 5.7.1',
    'login-delay': '451 4.3.2',
    'in-use': '451 4.2.0',
    'over-quota': '452 4.2.2',
    temporary: '451 4.3.0',
    permanent: '550 5.3.0',
  };
  for (const [kind, reply] of Object.entries(expected)) {
    const { code, status, text } = replyTo(new Fault(kind as FaultKind, 'internal error'), speaker);
    assert.equal(`${code} ${status}`, reply, kind);
    assert.equal(text, 'internal error');
  }
});

test('a fault that knows its status gets the code that goes with it, RFC 5321 section 4.2.3', () => {
  const cases = [
    '452 4.3.1',
    '452 4.5.3',
    '451 4.4.1',
    '550 5.1.1',
    '553 5.1.3',
    '550 5.2.1',
    '552 5.2.2',
    '552 5.3.4',
    '554 5.4.6',
    '555 5.5.4',
    '550 5.7.1',
  ];
  for (const expected of cases) {
    const fault = Object.assign(new Fault('permanent', 'internal error'), { status: expected.slice(4) });
    const { code, status } = replyTo(fault, speaker);
    assert.equal(`${code} ${status}`, expected);
  }
});

test('values are filled in', () => {
  const fault = new Fault('permanent', 'message too large, the limit is {limit} octets', { values: { limit: 5 } });
  assert.equal(replyTo(fault, speaker).text, 'message too large, the limit is 5 octets');
});
