/** What of a session is told to whoever sends receipts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whole } from '../../test/support/mailOctets.ts';
import type { Receipts } from '../model/receipts.ts';
import { answer } from './dialogue.ts';
import { facts, fakes } from './fakes.test.ts';
import { startSession } from './session.ts';

function told(): { receipts: Receipts; events: string[] } {
  const events: string[] = [];
  const receipts: Receipts = {
    of({ mailbox }) {
      events.push(`of ${mailbox.name}`);
      return {
        watch({ uniqueId }) {
          events.push(`watch ${uniqueId}`);
          return { octets: [Buffer.from('watched')], sent: () => void events.push(`sent ${uniqueId}`) };
        },
      };
    },
  };
  return { receipts, events };
}

async function login(receipts: Receipts | undefined, name: string) {
  const { session } = startSession(fakes({ host: { receipts } }).host, facts);
  await answer(session, `USER ${name}`);
  const { enters } = await answer(session, 'PASS lovelace');
  assert.ok(enters);
  return enters;
}

test('RETR is a fetch once all of it is sent, TOP is none', async () => {
  const { receipts, events } = told();
  const session = await login(receipts, 'ada');
  await answer(session, 'TOP 1 99999999');
  assert.deepEqual(events, ['of ada']);
  const { body, sent } = await answer(session, 'RETR 2');
  assert.ok(body);
  assert.equal((await whole(body)).toString(), 'watched');
  assert.deepEqual(events, ['of ada', 'watch id2']);
  sent?.();
  assert.deepEqual(events, ['of ada', 'watch id2', 'sent id2']);
});

test('a session with s- before its login leaves no trace, and a receipt is one', async () => {
  const { receipts, events } = told();
  const session = await login(receipts, 's-ada');
  (await answer(session, 'RETR 1')).sent?.();
  assert.deepEqual(events, []);
});

test('where nobody sends receipts, or not for this account, a message goes as the store hands it out', async () => {
  for (const receipts of [undefined, { of: () => undefined }]) {
    const { body, sent } = await answer(await login(receipts, 'ada'), 'RETR 1');
    sent?.();
    assert.ok(body);
    assert.equal((await whole(body)).toString(), 'Subject: test\n\n.hidden\n');
  }
});
