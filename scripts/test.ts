/** Runs every test file and ends with one line of counts. Arguments name files or folders; without any: all of them. */
import { globSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const root = join(import.meta.dirname, '..');
const places = process.argv.slice(2);
const files = (places.length > 0 ? places : ['src', 'test', 'scripts', 'bench']).flatMap((place) =>
  statSync(join(root, place)).isDirectory() ? globSync(`${place}/**/*.test.ts`, { cwd: root }) : [place],
);

let passed = 0;
let failed = 0;
const skipped: string[] = [];

const stream = run({ cwd: root, files: files.map((file) => join(root, file)), concurrency: 2, timeout: 240_000, isolation: 'process' });
stream.on('test:pass', (event) => {
  if (event.details.type === 'suite') return;
  if (event.skip !== undefined)
    skipped.push(`${relative(root, event.file ?? '')}: ${event.name} (${event.skip === true ? 'no reason given' : event.skip})`);
  else passed++;
});
stream.on('test:fail', (event) => {
  if (event.details.type !== 'suite') failed++;
});
stream.compose(new spec()).pipe(process.stdout);

stream.on('end', () => {
  setImmediate(() => {
    for (const line of skipped) console.log(`skipped: ${line}`);
    if (files.length === 0 || passed === 0) failed = Math.max(failed, 1);
    const counts = `${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`;
    console.log(counts);
    writeFileSync(join(root, 'node_modules/.postkasse-tests'), `${counts}\n`);
    process.exitCode = failed > 0 ? 1 : 0;
  });
});
