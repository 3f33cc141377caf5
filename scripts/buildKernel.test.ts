import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { buildKernel } from './buildKernel.ts';

const skip = isInstalled('assemblyscript/asc') ? false : 'assemblyscript is not installed; npm install brings it';

test('the committed kernel is what its source builds to', { skip }, async () => {
  const committed = readFileSync(new URL('../src/message/kernel/kernel.wasm.ts', import.meta.url), 'utf8');
  assert.ok((await buildKernel()) === committed, 'src/message/kernel/kernel.wasm.ts is not up to date: npm run kernel');
});

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name);
    return true;
  } catch {
    return false;
  }
}
