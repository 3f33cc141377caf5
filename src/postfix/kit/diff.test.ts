import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { unifiedDiff } from './diff.ts';

test('as diff -u writes it', () => {
  const table: [before: string | undefined, after: string | undefined, expected: string][] = [
    ['a\n', 'a\n', ''],
    ['a\nb\n', 'a\nb\nc\n', '--- f\n+++ f\n@@ -1,2 +1,3 @@\n a\n b\n+c'],
    [undefined, 'a\n', '--- /dev/null\n+++ f\n@@ -0,0 +1 @@\n+a'],
    ['a\nb\n', undefined, '--- f\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b'],
    ['a', 'a\n', '--- f\n+++ f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a'],
    ['1\n2\n3\n4\n5\n6\n7\n8\n9\n', '1\n2\n3\n4\nx\n6\n7\n8\n9\n', '--- f\n+++ f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8'],
  ];
  for (const [before, after, expected] of table) assert.equal(unifiedDiff('f', before, after).join('\n'), expected);
});

test('patch(1) makes the one of the other', (t) => {
  if (spawnSync('patch', ['--version']).error !== undefined) return t.skip('no patch(1) here');
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'f');
  const text = fc.array(fc.constantFrom('a\n', 'b\n', 'c\n', '\n'), { maxLength: 30 }).map((lines) => lines.join(''));
  fc.assert(
    fc.property(text, text, (before, after) => {
      writeFileSync(file, before);
      const diff = unifiedDiff('f', before, after);
      const patched = spawnSync('patch', ['--silent', '--output=-', file], { input: diff.length === 0 ? '' : `${diff.join('\n')}\n` });
      assert.equal(diff.length === 0 ? before : patched.stdout.toString(), after);
    }),
    { numRuns: 60 },
  );
});
