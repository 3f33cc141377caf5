import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MaildropMessage } from '../model/maildrop.ts';
import { answer } from './dialogue.ts';
import { facts, fakes } from './fakes.test.ts';
import { startSession } from './session.ts';

const nowMs = 1_790_000_000_000;
const dayMs = 24 * 60 * 60 * 1000;

test('what QUIT removes of messages of each age with EXPIRE 30: a message of unknown age stays', async () => {
  const ages: [number, boolean][] = [
    [nowMs - 31 * dayMs, true],
    [nowMs - 30 * dayMs - 1, true],
    [nowMs - 30 * dayMs, false],
    [nowMs, false],
    [nowMs + dayMs, false],
    [0, false],
    [-1, false],
    [Number.NaN, false],
  ];
  const messages: MaildropMessage[] = ages.map(([receivedAtMs], index) => ({ uniqueId: `${index}`, octets: 1, receivedAtMs }));
  const removed: MaildropMessage[] = [];
  const { host } = fakes({
    maildrop: { messages, update: async (deleted) => void removed.push(...deleted) },
    host: { now: () => nowMs, limits: { expireDays: 30, loginDelayS: 0 } },
  });
  const { session } = startSession(host, facts);
  await answer(session, 'USER ada');
  const { enters = session } = await answer(session, 'PASS lovelace');
  await answer(enters, 'UIDL');
  await answer(enters, 'QUIT');
  assert.deepEqual(
    messages.map((message) => removed.includes(message)),
    ages.map(([, isRemoved]) => isRemoved),
  );
});
