import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRandomPool } from './randomPool.ts';

test('each octet is given once, and what was given stays as it is', () => {
  let fills = 0;
  const random = createRandomPool((pool) => {
    fills++;
    for (let at = 0; at < pool.length; at += 2) pool.writeUInt16BE(fills * 2048 + at / 2, at);
    return pool;
  });
  const given = Array.from({ length: 5000 }, () => random(2));
  assert.equal(fills, 3);
  assert.equal(new Set(given.map((octets) => octets.readUInt16BE())).size, 5000);
  assert.equal(random(4096).length, 4096);
});

test('octets come from the system unless somebody else fills the pool', () => {
  const random = createRandomPool();
  assert.notDeepEqual(random(32), random(32));
});
