import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { buildAgent } from './buildAgent.ts';

test('the committed agent is what its source builds to', () => {
  const committed = readFileSync(new URL('../bin/deliver.cjs', import.meta.url), 'utf8');
  assert.ok(buildAgent() === committed, 'bin/deliver.cjs is not up to date: npm run agent');
});
