import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseLogin } from './login.ts';

const all = { delimiters: '@%!:;', options: true };

function readings(raw: string, rules = all): string[] {
  return parseLogin(raw, rules).map(({ user, domain, noStatus }) => `${noStatus ? 'no status: ' : ''}${user} at ${domain ?? 'no domain'}`);
}

test('what a login name may mean', () => {
  const table: [string, string[]][] = [
    ['abc@kvt.dk', ['abc at kvt.dk']],
    ['abc%kvt.dk', ['abc at kvt.dk']],
    ['abc!kvt.dk', ['abc at kvt.dk']],
    ['abc:kvt.dk', ['abc at kvt.dk']],
    ['abc;kvt.dk', ['abc at kvt.dk']],
    ['ABC@KVT.DK.', ['abc at kvt.dk']],
    ['abc', ['abc at no domain']],
    ['s-abc@kvt.dk', ['s-abc at kvt.dk', 'no status: abc at kvt.dk']],
    ['S-abc', ['s-abc at no domain', 'no status: abc at no domain']],
    ['s-', ['s- at no domain']],
    ['s-s-abc', ['s-s-abc at no domain', 'no status: s-abc at no domain']],
    // The last delimiter: a domain holds none of them.
    ['abc%kvt.dk@mail.example', ['abc%kvt.dk at mail.example']],
    ['abc@kvt.dk%mail.example', ['abc@kvt.dk at mail.example']],
    ['jørgen@bücher.example', ['jørgen at xn--bcher-kva.example']],
    ['JØRGEN@kvt.dk', ['jørgen at kvt.dk']],
    ['', []],
    ['@', []],
    ['abc@', []],
    ['@kvt.dk', []],
    ['abc@kvt..dk', []],
    ['abc@../kvt.dk', []],
    ['abc@%2e%2e', ['abc@%2e at 2e']],
    ['../abc@kvt.dk', []],
    ['..', []],
    ['.abc', []],
    ['a/b@kvt.dk', []],
    ['a\\b@kvt.dk', []],
    ['a\0b@kvt.dk', []],
    ['a b@kvt.dk', []],
    ['abc@kvt.dk\0', []],
    ['x'.repeat(65), []],
    ['x'.repeat(10_000), []],
    [`abc@${'x'.repeat(64)}.dk`, []],
    ['__proto__@constructor', ['__proto__ at constructor']],
  ];
  for (const [raw, expected] of table) assert.deepEqual([raw, readings(raw)], [raw, expected]);
});

test('only the delimiters of the settings part, and s- is an option only where the settings say so', () => {
  assert.deepEqual(readings('abc%kvt.dk', { delimiters: '@', options: true }), ['abc%kvt.dk at no domain']);
  assert.deepEqual(readings('abc@kvt.dk', { delimiters: '', options: true }), ['abc@kvt.dk at no domain']);
  assert.deepEqual(readings('s-abc@kvt.dk', { delimiters: '@', options: false }), ['s-abc at kvt.dk']);
});

test('whatever is typed, what comes out can be part of a path', () => {
  const piece = fc.constantFrom('..', '/', '\0', '%2e', '@', '%', '.', 's-', '\\', 'kvt.dk', 'abc', '\u2028', 'ﬀ', 'İ', '~', '\r\n');
  const typed = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')),
  );
  fc.assert(
    fc.property(typed, (raw) => {
      for (const { user, domain } of parseLogin(raw, all)) {
        for (const name of [user, domain ?? 'x']) {
          // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
          assert.doesNotMatch(name, /[/\\\u0000-\u001f\u007f]|^\.|^$/u);
        }
        assert.ok(Buffer.byteLength(user) <= 64 && (domain ?? '').length <= 253);
        assert.match(domain ?? 'x', /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/);
      }
    }),
    { numRuns: 300 },
  );
});
