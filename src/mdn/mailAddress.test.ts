import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatMailAddress, parseMailAddress, parseMailboxList, sameMailAddress } from './mailAddress.ts';

// RFC 5322 section 3.4 and appendix A, RFC 5321 section 4.5.3.1 for lengths.
const lists: readonly [string, string | undefined][] = [
  ['ada@example.org', 'ada@example.org'],
  ['<ada@example.org>', 'ada@example.org'],
  ['Ada Lovelace <ada@Example.ORG>', 'ada@example.org'],
  ['Joe Q. Public <john.q.public@example.com>', 'john.q.public@example.com'],
  ['"Giant; \\"Big\\" Box" <sysservices@example.net>', 'sysservices@example.net'],
  ['Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>', 'pete@silly.test'],
  ['ada @ example . org', 'ada@example.org'],
  ['"a b"@example.org', '"a b"@example.org'],
  ['"ada"@example.org', 'ada@example.org'],
  ['"a\\"b\\\\c"@example.org', '"a\\"b\\\\c"@example.org'],
  ['=?utf-8?q?bl=C3=A5?= <ada@example.org>', 'ada@example.org'],
  ['Blå <ada@example.org>', 'ada@example.org'],
  ['ada@bücher.example', 'ada@xn--bcher-kva.example'],
  ['<@relay.example.net:ada@example.org>', 'ada@example.org'],
  ['ada@example.org, Bob <bob@example.net>', 'ada@example.org bob@example.net'],
  [', ada@example.org,,', 'ada@example.org'],
  ["o'hara+x=y@example.org", "o'hara+x=y@example.org"],
  [`${'a'.repeat(64)}@example.org`, `${'a'.repeat(64)}@example.org`],
  [`${'a'.repeat(65)}@example.org`, undefined],
  ['', undefined],
  [',', undefined],
  ['ada', undefined],
  ['ada@', undefined],
  ['@example.org', undefined],
  ['""@example.org', undefined],
  ['a..b@example.org', undefined],
  ['.a@example.org', undefined],
  ['a@b@example.org', undefined],
  ['ada@[192.0.2.1]', undefined],
  ['ada@example..org', undefined],
  ['Ada ada@example.org', undefined],
  ['<ada@example.org', undefined],
  ['ada@example.org>', undefined],
  ['<ada@example.org> more', undefined],
  ['<<ada@example.org>>', undefined],
  ['friends: ada@example.org;', undefined],
  ['ada@example.org; bob@example.org', undefined],
  ['(never ends ada@example.org', undefined],
  ['"never ends@example.org', undefined],
  ['ada@example.org\0', undefined],
  ['a\rb@example.org', undefined],
  ['ada\ufffd@example.org', undefined],
  ['<>', undefined],
  ['a\u2028b@example.org', undefined],
];

test('a mailbox-list is read as RFC 5322 has it, and what is none is nothing', () => {
  for (const [written, expected] of lists) {
    assert.equal(parseMailboxList(written)?.map(formatMailAddress).join(' '), expected, written);
  }
});

test('one address is one: a list is none', () => {
  assert.deepEqual(parseMailAddress('ada@example.org'), { local: 'ada', domain: 'example.org' });
  assert.deepEqual(parseMailAddress('<ada@example.org>'), { local: 'ada', domain: 'example.org' });
  assert.equal(parseMailAddress('ada@example.org, bob@example.org'), undefined);
  assert.equal(parseMailAddress('<>'), undefined);
});

test('RFC 8098 section 2.1: the local part is compared as it is, without its quotes; the domain in any case', () => {
  const same = (one: string, other: string) => {
    const [a, b] = [parseMailAddress(one), parseMailAddress(other)];
    assert(a && b);
    return sameMailAddress(a, b);
  };
  assert(same('"ada"@EXAMPLE.org', 'Somebody <ada@example.ORG>'));
  assert(same('"a\\da"@example.org', 'ada@example.org'));
  assert(!same('Ada@example.org', 'ada@example.org'));
  assert(!same('ada@example.org', 'ada@example.net'));
});

test('whatever is read can be written and read again', () => {
  const parts = fc.constantFrom('a', 'B', '"', '\\', '<', '>', '@', '.', ',', '(', ')', ' ', 'example.org', ':', ';', '[', 'æ', '=', '\t');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(parts, { maxLength: 20 }).map((all) => all.join('')),
        fc.string(),
      ),
      (text) => {
        for (const address of parseMailboxList(text) ?? []) {
          assert.deepEqual(parseMailAddress(formatMailAddress(address)), address);
          assert.deepEqual(parseMailboxList(`x <${formatMailAddress(address)}>`), [address]);
        }
      },
    ),
    { numRuns: 2000 },
  );
});
