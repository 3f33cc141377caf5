import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createReverseNames } from './reverseNames.ts';

test('an address is asked for once in ten minutes, and half a minute after a failure', async () => {
  let now = 0;
  const asked: string[] = [];
  const answers = new Map([['192.0.2.1', ['mail.kvt.dk', 'other.example']]]);
  const reverseName = createReverseNames(
    async (address) => {
      asked.push(address);
      const names = answers.get(address);
      if (names === undefined) throw new Error('ENOTFOUND');
      return names;
    },
    () => now,
  );
  assert.deepEqual(await Promise.all([reverseName('192.0.2.1'), reverseName('192.0.2.1')]), ['mail.kvt.dk', 'mail.kvt.dk']);
  assert.equal(await reverseName('192.0.2.2'), undefined);
  assert.deepEqual(asked, ['192.0.2.1', '192.0.2.2']);
  now = 29_999;
  answers.set('192.0.2.2', ['kvt.dk']);
  assert.equal(await reverseName('192.0.2.2'), undefined);
  now = 30_000;
  assert.equal(await reverseName('192.0.2.2'), 'kvt.dk');
  now = 600_000;
  assert.equal(await reverseName('192.0.2.1'), 'mail.kvt.dk');
  assert.deepEqual(asked, ['192.0.2.1', '192.0.2.2', '192.0.2.2', '192.0.2.1']);
});
