import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAddress, parseDomainName, parseUserName } from './address.ts';

test('user names', () => {
  const table: [string, string | undefined][] = [
    ['abc', 'abc'],
    ['Abc', 'abc'],
    ['abc+tag', 'abc+tag'],
    ['a--b', 'a--b'],
    ['åse', 'åse'],
    ['a\u030ase', 'åse'],
    ['x'.repeat(64), 'x'.repeat(64)],
    ['x'.repeat(65), undefined],
    ['å'.repeat(33), undefined],
    ['', undefined],
    ['.', undefined],
    ['..', undefined],
    ['.hidden', undefined],
    ['a/b', undefined],
    ['a\\b', undefined],
    ['a\0b', undefined],
    ['a b', undefined],
    ['a\u2028b', undefined],
    ['abc.lock', undefined],
    ['ABC.LOCK', undefined],
    ['lock', 'lock'],
    ['%2e%2e', '%2e%2e'],
    ['__proto__', '__proto__'],
  ];
  for (const [raw, parsed] of table) assert.equal(parseUserName(raw), parsed, JSON.stringify(raw));
});

test('domain names', () => {
  const table: [string, string | undefined][] = [
    ['kvt.dk', 'kvt.dk'],
    ['KVT.dk.', 'kvt.dk'],
    ['localhost', 'localhost'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['a_b.example', 'a_b.example'],
    [`${'x'.repeat(63)}.dk`, `${'x'.repeat(63)}.dk`],
    [`${'x'.repeat(64)}.dk`, undefined],
    [`${'x.'.repeat(126)}x`, `${'x.'.repeat(126)}x`],
    [`${'x.'.repeat(127)}x`, undefined],
    ['', undefined],
    ['.', undefined],
    ['..', undefined],
    ['../etc', undefined],
    ['a..b', undefined],
    ['-a.dk', undefined],
    ['a-.dk', undefined],
    ['a/b', undefined],
    ['%2e%2e', undefined],
    ['a b.dk', undefined],
    ['a\0.dk', undefined],
  ];
  for (const [raw, parsed] of table) assert.equal(parseDomainName(raw), parsed, JSON.stringify(raw));
});

test('an address is parted at its last @', () => {
  assert.deepEqual(parseAddress('Abc@KVT.dk'), { user: 'abc', domain: 'kvt.dk' });
  assert.deepEqual(parseAddress('a@b@kvt.dk'), { user: 'a@b', domain: 'kvt.dk' });
  assert.equal(parseAddress('abc'), undefined);
  assert.equal(parseAddress('abc@'), undefined);
  assert.equal(parseAddress('@kvt.dk'), undefined);
});

test('whatever is accepted names one entry of one folder', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('..', '../x', '.', 'a/..')), (raw) => {
      for (const name of [parseUserName(raw), parseDomainName(raw)]) {
        if (name === undefined) continue;
        assert.ok(name.length > 0 && Buffer.byteLength(name) <= 253);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control octets are what is looked for
        assert.doesNotMatch(name, /[/\u0000-\u001f\u007f]|^\./u);
      }
    }),
  );
});
