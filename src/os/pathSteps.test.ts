import assert from 'node:assert/strict';
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { folder } from './children.test.ts';
import { disk } from './disk.ts';
import { walk } from './pathSteps.ts';

/** `steps -> end` below a folder of the test's own; what comes before it is left out. */
function house(t: TestContext, links: Readonly<Record<string, string>>) {
  const top = fs.realpathSync(folder(t));
  fs.mkdirSync(join(top, 'a/b'), { recursive: true });
  fs.writeFileSync(join(top, 'a/b/file'), '');
  for (const [path, target] of Object.entries(links)) {
    fs.mkdirSync(dirname(join(top, path)), { recursive: true });
    fs.symlinkSync(target.replace('TOP', top), join(top, path));
  }
  return (path: string): string => {
    const found = walk(disk, path.startsWith('/') ? path : `${top}/${path}`);
    if (found === undefined) return 'nothing';
    const own = found.steps.filter((step) => step.path.startsWith(`${top}/`) || step.path === top);
    const name = (whole: string) => (whole === top ? 'TOP' : whole.replace(`${top}/`, ''));
    return `${own.map((step) => name(step.path) + (step.stats.isSymbolicLink() ? '@' : '')).join(' ')} -> ${name(found.end.path)}`;
  };
}

test('every folder and link on the way, in order', (t) => {
  const steps = house(t, {
    relative: 'a/b',
    absolute: 'TOP/a',
    'a/up': '../a/./b',
    'a/b/link': '../../relative/file',
    'a/b/root': '/',
  });
  const table: [string, string][] = [
    ['a/b/file', 'TOP a a/b -> a/b/file'],
    ['a//b/./file', 'TOP a a/b -> a/b/file'],
    ['a', 'TOP -> a'],
    ['relative/file', 'TOP relative@ TOP a a/b -> a/b/file'],
    ['absolute/b/file', 'TOP absolute@ TOP a a/b -> a/b/file'],
    ['a/up/file', 'TOP a a/up@ a TOP a a/b -> a/b/file'],
    // Upwards from where the link leads, not from where it lies.
    ['relative/../b/file', 'TOP relative@ TOP a a/b a a/b -> a/b/file'],
    ['a/b/link', 'TOP a a/b a/b/link@ a/b a TOP relative@ TOP a a/b -> a/b/file'],
    ['a/b/root', 'TOP a a/b a/b/root@ -> /'],
    ['/..', ' -> /'],
  ];
  for (const [path, expected] of table) assert.deepEqual([path, steps(path)], [path, expected]);
});

test('it ends where the kernel ends', (t) => {
  const top = fs.realpathSync(folder(t));
  fs.mkdirSync(join(top, 'a/b/c'), { recursive: true });
  fs.writeFileSync(join(top, 'a/b/file'), '');
  fs.symlinkSync('b/../b/c', join(top, 'a/link'));
  fs.symlinkSync(`${top}/a/link/..`, join(top, 'far'));
  for (const path of ['a/link', 'a/link/../file', 'far', 'far/file', 'far/c/../../b/file']) {
    assert.equal(walk(disk, `${top}/${path}`)?.end.path, fs.realpathSync.native(`${top}/${path}`), path);
  }
});

test('what is not there', (t) => {
  const steps = house(t, { dangling: 'a/nothing', through: 'a/b/file/x' });
  for (const path of ['nothing', 'nothing/at/all', 'a/b/file/x', 'dangling', 'through']) assert.equal(steps(path), 'nothing', path);
});

test('a way without end is given up', (t) => {
  const loop = house(t, { one: 'two', two: 'one' });
  assert.throws(() => loop('one'), { code: 'ELOOP' });

  const chain: Record<string, string> = { l0: 'a' };
  for (let n = 1; n <= 40; n++) chain[`l${n}`] = `l${n - 1}`;
  const chained = house(t, chain);
  assert.match(chained('l39/b/file'), / -> a\/b\/file$/);
  assert.throws(() => chained('l40/b/file'), { code: 'ELOOP' });

  // Few links, but each leads back and forth without end.
  let calls = 0;
  const top = fs.realpathSync(folder(t));
  fs.mkdirSync(join(top, 'a'));
  fs.symlinkSync('a/../'.repeat(800), join(top, 'long'));
  const counting = {
    ...disk,
    lstat(path: string) {
      calls += 1;
      return disk.lstat(path);
    },
  };
  assert.throws(() => walk(counting, `${top}/long/long/long`), { code: 'ELOOP' });
  assert.ok(calls < 300, String(calls));
});
