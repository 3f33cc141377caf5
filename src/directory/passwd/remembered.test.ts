import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRememberedPasswords } from './remembered.ts';

const octets = (text: string) => Buffer.from(text);

test('remembers one password of one line, for a while, and no more accounts than it may', () => {
  let nowMs = 0;
  const remembered = createRememberedPasswords(1000, 2, () => nowMs);
  const knows = (account: string, line: string, password: string) => remembered.knows(account, octets(line), octets(password));
  assert.equal(knows('abc', 'line', 'one'), false);
  remembered.add('abc', octets('line'), octets('one'));
  assert.equal(knows('abc', 'line', 'one'), true);
  assert.equal(knows('abc', 'line', 'two'), false);
  assert.equal(knows('abc', 'lineo', 'ne'), false, 'where the line ends belongs to it');
  assert.equal(knows('abc', 'LINE', 'one'), false);
  assert.equal(knows('def', 'line', 'one'), false);
  nowMs = 999;
  assert.equal(knows('abc', 'line', 'one'), true);
  nowMs = 1000;
  assert.equal(knows('abc', 'line', 'one'), false);
  assert.equal(remembered.size, 0);
  for (const account of ['a', 'b', 'c']) remembered.add(account, octets('line'), octets('one'));
  assert.deepEqual(
    ['a', 'b', 'c'].map((account) => knows(account, 'line', 'one')),
    [false, true, true],
  );
  assert.equal(remembered.size, 2);
});
