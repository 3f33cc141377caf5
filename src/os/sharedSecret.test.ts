import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sharedSecret } from './sharedSecret.ts';

test('a secret is made once, readable by its owner only, and stays the same', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  try {
    const path = join(folder, 'secret');
    const first = sharedSecret(path);
    assert.equal(first.length, 32);
    assert.deepEqual(sharedSecret(path), first);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder), ['secret']);
    writeFileSync(path, 'torn');
    assert.throws(() => sharedSecret(path), { message: `${path}: should have 32 octets and has 4; remove it to have it made anew` });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
