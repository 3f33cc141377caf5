import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TraceRecord } from '../delivery/trace/record.ts';
import { createSpeaker } from '../texts/speaker.ts';
import { traceText } from './traceText.ts';

const speaker = createSpeaker();
const record: TraceRecord = {
  time: '2026-11-29T12:00:00.123Z',
  result: 'delivered',
  id: 'abab01.1',
  queueId: '4Bd2Xy3Z1kz9sT',
  messageId: '<1@example.org>',
  sender: 'ada@example.org',
  recipient: 'abc+tag@kvt.dk',
  original: 'info@kvt.dk',
  client: '192.0.2.1',
  steps: [['user and tag', 'abc@kvt.dk']],
  to: ['abc@kvt.dk', 'elsewhere@example.org'],
  octets: 120,
};
const text = (changes: Partial<TraceRecord>, language = 'en') =>
  traceText({ ...record, ...changes }, (sentence, values = {}) => speaker.say(sentence, values, language));

test('what became of a message, for people', () => {
  assert.deepEqual(text({}), [
    '2026-11-29 12:00:00Z delivered: from ada@example.org to abc+tag@kvt.dk',
    '  before aliases: info@kvt.dk',
    '  rule: user and tag: abc@kvt.dk',
    '  goes to: abc@kvt.dk, elsewhere@example.org',
    '  message: 120 octets, <1@example.org>',
    '  from host 192.0.2.1, queue id 4Bd2Xy3Z1kz9sT, here abab01.1',
  ]);
  const refused = {
    result: 'refused',
    sender: '',
    recipient: 'nobody@kvt.dk',
    original: undefined,
    why: '5.1.1 no such user here',
    steps: [],
    to: [],
    octets: undefined,
    queueId: undefined,
    id: 'abab01',
  } as const;
  assert.deepEqual(text(refused, 'da'), [
    '2026-11-29 12:00:00Z afvist: fra <> til nobody@kvt.dk',
    '  hvorfor: 5.1.1 no such user here',
    '  fra vært 192.0.2.1, her abab01',
  ]);
});

test('nothing that a sender chose reaches the terminal as a command to it', () => {
  const [head] = text({ sender: 'a\u001b[2J\n\u009b\u202e\u2028b' });
  assert.equal(head, '2026-11-29 12:00:00Z delivered: from a\\u{1b}[2J \\u{9b}\\u{202e}\\u{2028}b to abc+tag@kvt.dk');
});
