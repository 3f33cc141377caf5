/** A worker that can't answer may be that of an owner who was: whoever is asked next is the one it is said to be by then. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { envelope, mailboxNamed, text } from '../../test/support/mail.ts';
import { Fault } from '../model/fault.ts';
import { claimOf, frontFor, helloFrame, password, playedWorker, workerFor } from './fakes.test.ts';
import { writeFaultFrame } from './replies.ts';
import type { Whereabouts, Worker } from './whereabouts.ts';

const refusal = writeFaultFrame(new Fault('temporary', 'accounts can not be looked up just now'));

/** As many times as it is asked. */
async function unable(t: Parameters<typeof playedWorker>[0], frame = refusal): Promise<Worker> {
  return playedWorker(t, async (wire) => {
    wire.send(helloFrame);
    while ((await wire.next()) !== undefined) wire.send(frame);
  });
}

/** kvt.dk is with the first of them until there is doubt about it, then with the next one. */
function moving(...workers: readonly (Worker | undefined)[]): { readonly whereabouts: Whereabouts; readonly doubted: Worker[] } {
  const doubted: Worker[] = [];
  return {
    doubted,
    whereabouts: {
      ofDomain: async () => workers[Math.min(doubted.length, workers.length - 1)],
      ofSystemUser: async () => undefined,
      forget: () => assert.fail('it was there'),
      doubt: (worker) => void doubted.push(worker),
    },
  };
}

const login = (front: ReturnType<typeof frontFor>) => front.directory.authenticate(claimOf('ada@kvt.dk'), password('secret'), 'pop3');

test('a login that the worker of a former owner can not look up is made with the one of the present owner', async (t) => {
  const [former, present] = [await unable(t), { path: (await workerFor(t)).path, owner: '602:100' }];
  const { whereabouts, doubted } = moving(former, present);
  const front = frontFor(t, [], { whereabouts });
  assert.equal((await login(front)).account.mailbox.name, 'ada@kvt.dk');
  assert.deepEqual(doubted, [former]);
});

test('where there is no other, what the worker said is the answer', async (t) => {
  const only = await unable(t);
  for (const later of [only, undefined]) {
    const { whereabouts, doubted } = moving(only, later);
    await assert.rejects(login(frontFor(t, [], { whereabouts })), { kind: 'temporary', text: 'accounts can not be looked up just now' });
    assert.deepEqual(doubted, [only]);
  }
});

test('a domain that goes round and round ends with an answer', async (t) => {
  const workers = await Promise.all(Array.from({ length: 6 }, () => unable(t)));
  const { whereabouts, doubted } = moving(...workers);
  await assert.rejects(login(frontFor(t, [], { whereabouts })), { kind: 'temporary' });
  assert.equal(doubted.length, 3);
});

test('a wrong password, or mail that can not be delivered just now, is no reason for doubt', async (t) => {
  const wrong = writeFaultFrame(new Fault('auth', 'authentication failed'));
  const one = moving(await unable(t, wrong));
  await assert.rejects(login(frontFor(t, [], one)), { kind: 'auth' });
  const full = writeFaultFrame(new Fault('temporary', 'the mailbox can not be written just now'));
  const other = moving(await unable(t, full));
  await assert.rejects(frontFor(t, [], other).store.deliver(mailboxNamed('ada@kvt.dk'), [text('x')], envelope), { kind: 'temporary' });
  assert.deepEqual([one.doubted, other.doubted], [[], []]);
});
