import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDomainName, parseUserName } from '../../model/address.ts';
import { aliasOf, parseAliases } from './aliases.ts';

const domain = parseDomainName('kvt.dk');
assert.ok(domain);

function read(text: string, today = '2026-11-29') {
  const aliases = parseAliases(Buffer.from(text));
  const user = (name: string) => {
    const parsed = parseUserName(name);
    assert.ok(parsed);
    return parsed;
  };
  const said = (line: Parameters<typeof aliasOf>[0] | undefined) =>
    line && aliasOf(line, domain as NonNullable<typeof domain>, () => today);
  return {
    ...aliases,
    targets: (name: string) => said(aliases.find(user(name)))?.targets,
    patterns: (name: string) => [...aliases.matching(user(name))].map((line) => said(line)?.name),
  };
}

test('the syntax of aliases(5)', () => {
  const { targets, size, skippedCount } = read(`# a comment
info: abc
  # a comment that ends nothing
  , kvt@kvt.dk,
\tsomebody@elsewhere.example

Sales : abc, abc , ABC@kvt.dk
"with space"x: abc
"quoted": "odd, name"@kvt.dk, abc
back: \\abc
angle: <abc@kvt.dk>
jørgen: abc
`);
  assert.deepEqual(targets('info'), ['abc@kvt.dk', 'kvt@kvt.dk', 'somebody@elsewhere.example']);
  assert.deepEqual(targets('sales'), ['abc@kvt.dk', 'ABC@kvt.dk']);
  assert.deepEqual(targets('quoted'), ['"odd, name"@kvt.dk', 'abc@kvt.dk']);
  assert.deepEqual(targets('back'), ['abc@kvt.dk']);
  assert.deepEqual(targets('angle'), ['abc@kvt.dk']);
  assert.deepEqual(targets('JØRGEN'), ['abc@kvt.dk']);
  assert.equal(targets('abc'), undefined);
  assert.deepEqual([size, skippedCount], [6, 1]);
});

test('what is no alias is left out, with its line and the reason', () => {
  const { skipped, skippedCount, targets } = read(`run: |/bin/sh
file: /etc/passwd
list: :include:/etc/passwd
many: abc, |sh
nothing:
no colon
../x: abc
a b: abc
abc: kvt
abc: other
expired: :expires:tomorrow, abc
only: :expires:2026-12-31
odd: a b
`);
  assert.deepEqual(
    skipped.map(({ line, reason }) => `${line} ${reason}`),
    [
      '1 commands, files and includes are not taken',
      '2 commands, files and includes are not taken',
      '3 commands, files and includes are not taken',
      '4 commands, files and includes are not taken',
      '5 no address after the name',
      '6 not `name: address, …`',
      '7 "../x" can not be the name of a user',
      '8 not `name: address, …`',
      '10 a line before it has the same name',
      '11 "tomorrow" is no day; :expires:2026-12-31',
    ],
  );
  assert.equal(skippedCount, 12);
  assert.deepEqual(targets('abc'), ['kvt@kvt.dk']);
  assert.equal(targets('many'), undefined);
});

test('an alias is there on its last day, and gone on the next', () => {
  const text = 'fair: abc, :expires:2026-12-31\n';
  assert.deepEqual(read(text, '2026-12-31').targets('fair'), ['abc@kvt.dk']);
  assert.equal(read(text, '2027-01-01').targets('fair'), undefined);
});

test('names with * and ? are patterns, in the order of the file', () => {
  const { patterns, targets } = read('sales-*: abc\nSALES-dk?: kvt\n*-dk1: abc, :expires:2026-01-01\n?: abc\n');
  assert.deepEqual(patterns('sales-dk1'), ['sales-*', 'SALES-dk?', undefined]);
  assert.deepEqual(patterns('sales'), []);
  assert.deepEqual(patterns('x'), ['?']);
  assert.equal(targets('sales-dk1'), undefined);
});

test('whatever stands in the file, it is read, and what comes out are addresses', () => {
  const piece = fc.constantFrom(
    'a',
    ':',
    ',',
    '"',
    '\\',
    ' ',
    '\n',
    '\t',
    '#',
    '*',
    '|',
    '/',
    '@',
    'kvt.dk',
    ':expires:',
    '\0',
    '\u2028',
    '\r\n',
    ':include:',
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
    fc.string({ unit: 'binary' }),
  );
  fc.assert(
    fc.property(text, (written) => {
      const { targets } = read(written);
      for (const target of targets('a') ?? []) assert.match(target, /^[^|/:\p{Cc}][^\p{Cc}]*@[^@\s]+$/u);
    }),
    { numRuns: 1000 },
  );
});
