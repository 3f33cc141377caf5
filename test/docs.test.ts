/** What the documents say about the project is held against the project. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { metricTable } from '../src/observe/metricTable.ts';

const root = join(import.meta.dirname, '..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');

/** Cells of each row of the tables in a document, without their head. */
function rows(document: string): string[][] {
  return document
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (id|name|RFC|what|package) \|/.test(line))
    .map((line) =>
      line
        .slice(2, -2)
        .split(' | ')
        .map((cell) => cell.trim()),
    );
}

/** `A17 – A28, A30` as ids. */
function ids(cell: string): string[] {
  return cell.split(', ').flatMap((part) => {
    const [first = '', last = first] = part.split(' – ');
    const [from, to] = [Number(first.slice(1)), Number(last.slice(1))];
    return Array.from({ length: to - from + 1 }, (_, n) => `${first[0]}${from + n}`);
  });
}

const inCode = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');

test('docs/predecessor.md has every id, and a test that exists for what is done', () => {
  const table = rows(read('docs/predecessor.md'));
  const named = new Set(table.flatMap(([cell = '']) => ids(cell)));
  const wanted = [...Array.from({ length: 94 }, (_, n) => `A${n + 1}`), ...Array.from({ length: 41 }, (_, n) => `B${n + 1}`)];
  assert.deepEqual(
    wanted.filter((id) => !named.has(id)),
    [],
  );
  for (const [id, , state = '', how = ''] of table) {
    assert.ok(['done', 'differently', 'not yet'].includes(state), `${id}: ${state}`);
    const paths = inCode(how).filter((path) => /\.(test\.ts|txt)$/.test(path));
    for (const path of paths) assert.ok(existsSync(join(root, path)), `${id}: ${path}`);
    if (state === 'done' && !/the whole test run|the rows above/.test(how)) assert.notDeepEqual(paths, [], `${id} names no test`);
  }
});

test('docs/rfc.md and docs/ARCHITECTURE.md name files that exist', () => {
  const named = [
    ...inCode(read('docs/rfc.md'))
      .filter((path) => /^[\w/]+(\.ts|\/)$/.test(path) && path !== 'src/')
      .map((path) => `src/${path}`),
    ...inCode(read('docs/ARCHITECTURE.md')).flatMap((path) =>
      /^(src|test|bench|docs)\/[\w./-]+$/.test(path) ? [path] : /^[a-z]+\/\w+\.ts$/.test(path) ? [`src/${path}`] : [],
    ),
  ];
  assert.ok(named.length > 40);
  assert.deepEqual(
    named.filter((path) => !existsSync(join(root, path))),
    [],
  );
});

test('docs/durability.md names tests that exist', () => {
  const named = inCode(read('docs/durability.md')).filter((path) => path.endsWith('.test.ts'));
  assert.ok(named.length > 0);
  assert.deepEqual(
    named.filter((path) => !existsSync(join(root, path))),
    [],
  );
});

test('docs/events.md lists the events that the program writes, and no others', () => {
  const documented = new Set(rows(read('docs/events.md')).flatMap(([cell = '']) => inCode(cell)));
  const written = new Set<string>();
  for (const file of globSync('src/**/*.ts', { cwd: root })) {
    if (file.endsWith('.test.ts')) continue;
    for (const [, , name = ''] of read(file).matchAll(/\blog\??\.(debug|info|warn|error)\(\s*[`']([^`']+)[`']/g)) {
      for (const service of name.startsWith('${') ? ['lmtp', 'smtp'] : ['']) written.add(name.replace(/^\$\{[^}]+\}/, service));
    }
  }
  assert.ok(written.size > 30);
  assert.deepEqual([...written].filter((name) => !documented.has(name)).sort(), []);
  assert.deepEqual([...documented].filter((name) => !written.has(name)).sort(), []);
});

test('docs/observation.md lists the metrics, and no others', () => {
  const documented = rows(read('docs/observation.md'));
  const list = (names: readonly string[]) => (names.length === 0 ? '–' : names.map((name) => `\`${name}\``).join(', '));
  assert.deepEqual(
    documented,
    metricTable.map(({ name, type, labels, help }) => [`\`${name}\``, type, list(labels), help]),
  );
});
