import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { originalRecipient, pathArgument } from './arguments.ts';

test('paths in angle brackets, RFC 5321 section 4.1.2', () => {
  const cases: [string, string | undefined][] = [
    ['RCPT TO:<abc@kvt.dk>', 'abc@kvt.dk'],
    ['rcpt to:<abc@kvt.dk>', 'abc@kvt.dk'],
    ['RCPT TO: <abc@kvt.dk>', 'abc@kvt.dk'],
    ['RCPT TO:<"a b"@kvt.dk>', '"a b"@kvt.dk'],
    ['RCPT TO:<"a>b"@kvt.dk>', '"a>b"@kvt.dk'],
    ['RCPT TO:<"a\\">b"@kvt.dk>', '"a\\">b"@kvt.dk'],
    ['RCPT TO:<@one.example,@two.example:abc@kvt.dk>', 'abc@kvt.dk'],
    ['RCPT TO:<Postmaster>', 'Postmaster'],
    ['RCPT TO:<>', ''],
    ['RCPT TO:<blåbær@kvt.dk>', 'blåbær@kvt.dk'],
    ['RCPT TO:abc@kvt.dk', undefined],
    ['RCPT TO:<abc@kvt.dk', undefined],
    ['RCPT TO:<abc@kvt.dk>x', undefined],
    ['RCPT TO:<a b@kvt.dk>', undefined],
    ['RCPT TO:<a<b@kvt.dk>', undefined],
    ['RCPT TO:<a\u0000b@kvt.dk>', undefined],
    ['RCPT TO:<a\ufffdb@kvt.dk>', undefined],
    ['RCPT FROM:<abc@kvt.dk>', undefined],
    [`RCPT TO:<${'x'.repeat(1001)}>`, undefined],
  ];
  for (const [line, path] of cases) assert.equal(pathArgument(line, 'TO')?.path, path, line);
});

test('parameters, RFC 5321 section 4.1.1.11', () => {
  const argument = pathArgument('MAIL FROM:<a@b.example> SIZE=100  body=8BITMIME SMTPUTF8 X=a=b', 'FROM');
  assert.deepEqual(
    [...(argument?.parameters ?? [])],
    [
      ['SIZE', '100'],
      ['BODY', '8BITMIME'],
      ['SMTPUTF8', true],
      ['X', 'a=b'],
    ],
  );
  assert.equal(argument?.repeated, undefined);
  assert.equal(pathArgument('MAIL FROM:<> SIZE=1 size=2', 'FROM')?.repeated, 'SIZE');
  assert.equal(pathArgument('MAIL FROM:<> =1', 'FROM'), undefined);
  assert.deepEqual([...(pathArgument('MAIL FROM:<> __PROTO__=1', 'FROM')?.parameters ?? [])], []);
});

test('ORCPT, RFC 3461 sections 4 and 4.2', () => {
  const cases: [string, string | undefined][] = [
    ['rfc822;alias@kvt.dk', 'alias@kvt.dk'],
    ['RFC822;alias@kvt.dk', 'alias@kvt.dk'],
    ['rfc822;a+2Bb@kvt.dk', 'a+b@kvt.dk'],
    ['utf-8;bl\\x{E5}b\\x{E6}r@kvt.dk', 'blåbær@kvt.dk'],
    ['utf-8;a\\x{D800}b', 'a\\x{D800}b'],
    ['rfc822;a+0D+0Ab@kvt.dk', undefined],
    ['rfc822;', undefined],
    ['x400;whatever', undefined],
  ];
  for (const [value, address] of cases) assert.equal(originalRecipient(value), address, value);
});

test('whatever comes, it ends and holds no line end', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom('<', '>', '"', '\\', '@', ':', ' ', 'TO:<', '=', '+0D'),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const path = pathArgument(`RCPT TO:<${pieces.join('')}`, 'TO')?.path ?? '';
      const original = originalRecipient(`rfc822;${pieces.join('')}`) ?? '';
      assert.doesNotMatch(path + original, /[\r\n\0]/);
    }),
  );
});
