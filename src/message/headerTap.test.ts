import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cuts, cutUp, lent, messageOctets, whole } from '../../test/support/mailOctets.ts';
import { headerLength } from './header.ts';
import { tapHeader } from './headerTap.ts';

test('any message, cut anyhow, goes by as it is, and its header is seen once', async () => {
  await fc.assert(
    fc.asyncProperty(messageOctets, cuts, fc.integer({ min: 1, max: 400 }), async (octets, places, limit) => {
      const seen: [string, boolean][] = [];
      const pieces = cutUp(octets, places);
      const tapped = tapHeader({ [Symbol.iterator]: () => lent(pieces) }, limit, (header, isWhole) =>
        seen.push([header.toString('latin1'), isWhole]),
      );
      assert.deepEqual(await whole(tapped), octets);
      const end = headerLength(octets);
      const hasBlankLine = /(?:^|\n)\r?\n/.test(octets.toString('latin1'));
      const isWhole = end < limit || (end === limit && hasBlankLine);
      assert.deepEqual(seen, [[octets.toString('latin1', 0, isWhole ? end : limit), isWhole]]);
    }),
  );
});

test('a message that is not read to its end is not seen to be over', async () => {
  const seen: string[] = [];
  for await (const _ of tapHeader([Buffer.from('Subject: '), Buffer.from('x\n\nbody')], 100, (header) => seen.push(header.toString())))
    break;
  assert.deepEqual(seen, []);
});
