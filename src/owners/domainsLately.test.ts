import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DomainName } from '../model/address.ts';
import { parseDomainName } from '../model/address.ts';
import { Fault } from '../model/fault.ts';
import { domainsLately } from './domainsLately.ts';

const kvt = parseDomainName('kvt.dk') ?? assert.fail();

test('an answer lasts a second, and one question under way is enough for all', async () => {
  let nowMs = 0;
  let quotaOctets = 1;
  let asked = 0;
  const domain = async (name: DomainName) => {
    asked += 1;
    return { name, unknownUsers: { kind: 'bounce' }, quotaOctets } as const;
  };
  const lately = domainsLately({ domain }, () => nowMs);
  const limits = async () => (await Promise.all([lately.domain(kvt), lately.domain(kvt)])).map((found) => found?.quotaOctets);
  assert.deepEqual(await limits(), [1, 1]);
  quotaOctets = 2;
  nowMs = 999;
  assert.deepEqual(await limits(), [1, 1]);
  nowMs = 1000;
  assert.deepEqual(await limits(), [2, 2]);
  assert.equal(asked, 2);
});

test('trouble is not remembered', async () => {
  let isDown = true;
  const domain = async (name: DomainName) => {
    if (isDown) throw new Fault('temporary', 'accounts can not be looked up just now');
    return { name, unknownUsers: { kind: 'bounce' } } as const;
  };
  const lately = domainsLately({ domain }, () => 0);
  await assert.rejects(lately.domain(kvt), { kind: 'temporary' });
  isDown = false;
  assert.equal((await lately.domain(kvt))?.name, kvt);
});
