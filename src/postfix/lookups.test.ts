import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../model/fault.ts';
import { type LogFields, silent } from '../model/log.ts';
import { mapNames } from '../model/lookupMaps.ts';
import { noLookupCounts } from '../model/report.ts';
import { createLookups, type LookupMap } from './lookups.ts';

test('what was found, what was not and what could not be told are counted; the cause is for the log alone', async () => {
  const warnings: [string, LogFields | undefined][] = [];
  const counts = noLookupCounts();
  const cause = new Error('/a/path: EIO');
  const table: LookupMap = async (key) => {
    if (key === 'a') return 'b';
    if (key.startsWith('later')) throw new Fault('temporary', 'internal error', { cause });
    return undefined;
  };
  const maps = Object.fromEntries(mapNames.map((name) => [name, table])) as Record<(typeof mapNames)[number], LookupMap>;
  let now = 0;
  const log = { ...silent, warn: (event: string, fields?: LogFields) => warnings.push([event, fields]) };
  const lookups = createLookups({ maps, counts, log, clock: () => now });

  assert.deepEqual(await lookups.find('aliases', 'a'), { kind: 'found', value: 'b' });
  assert.deepEqual(await lookups.find('aliases', 'c'), { kind: 'none' });
  const later = await lookups.find('domains', `later${'x'.repeat(100_000)}`);
  assert.equal(later.kind === 'later' && later.fault.text, 'internal error');
  assert.deepEqual(counts, { found: 1, notFound: 1, deferred: 1 });
  assert.deepEqual(warnings, [['lookup.deferred', { map: 'domains', key: `later${'x'.repeat(315)}`, cause }]]);

  // Once a second is enough for the log.
  for (now of [1, 999, 1000, 1001]) await lookups.find('senders', 'later');
  assert.deepEqual(warnings.slice(1), [['lookup.deferred', { map: 'senders', key: 'later', cause, more: 2 }]]);
  assert.equal(counts.deferred, 5);
});
