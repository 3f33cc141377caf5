import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileGlob } from './glob.ts';

test('what a pattern matches', () => {
  const table: [pattern: string, matches: string[], others: string[]][] = [
    ['*', ['', 'a', 'abc'], []],
    ['abc', ['abc'], ['ab', 'abcd', '']],
    ['a?c', ['abc', 'aøc'], ['ac', 'abbc']],
    ['sales-*', ['sales-', 'sales-dk'], ['sales', 'xsales-dk']],
    ['*-sales', ['-sales', 'dk-sales'], ['dk-sales2']],
    ['a*b*c', ['abc', 'aXbYc', 'abbc', 'abcbc'], ['acb', 'ab', 'ac']],
    ['**a**', ['a', 'xay'], ['b']],
    ['?*', ['a', 'ab'], ['']],
    ['?', ['a', '😀'], ['', 'ab']],
    ['ab*ba', ['abba', 'abxba'], ['aba']],
    ['a.c', ['a.c'], ['abc']],
    ['[a]', ['[a]'], ['a']],
  ];
  for (const [pattern, matches, others] of table) {
    const glob = compileGlob(pattern);
    for (const name of matches) assert.equal(glob(name), true, `${pattern} ${name}`);
    for (const name of others) assert.equal(glob(name), false, `${pattern} ${name}`);
  }
});

test('it is what the regular expression says', () => {
  const piece = fc.constantFrom('a', 'b', '*', '?', '.');
  const pattern = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
  const name = fc.array(fc.constantFrom('a', 'b', '.'), { maxLength: 12 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(pattern, name, (written, given) => {
      const expression = written.replaceAll('.', '\\.').replaceAll('?', '.').replace(/\*+/g, '.*');
      assert.equal(compileGlob(written)(given), new RegExp(`^${expression}$`, 's').test(given));
    }),
    { numRuns: 2000 },
  );
});

test('a pattern made to be tried again and again is over at once', () => {
  const glob = compileGlob(`${'*a'.repeat(1000)}*b`);
  assert.equal(glob('a'.repeat(20_000)), false);
});
